// Draws every `.plot[data-spec]` when it comes near the view, redraws it in the other scheme, frees it when it leaves.

import { json, load } from "./loading.js";
import { themed, tinted } from "./theme.js";

const specs = new WeakMap();
const drawn = new Set();
const narrow = () => window.matchMedia("(max-width: 480px)").matches;

/** On a phone a vertical colour bar takes a fifth of the width: lay it under the plot. */
const fitted = (spec) => {
  if (!narrow()) return spec;
  const flat = (bar) => ({ ...bar, orientation: "h", x: 0.5, xanchor: "center", y: -0.12, yanchor: "top", len: 0.95, thickness: 12, title: { ...bar?.title, side: "top" } });
  const data = spec.data.map((trace) => {
    if (trace.colorbar) return { ...trace, colorbar: flat(trace.colorbar) };
    if (trace.marker?.colorbar) return { ...trace, marker: { ...trace.marker, colorbar: flat(trace.marker.colorbar) } };
    return trace;
  });
  const coloured = spec.data.some((trace) => trace.colorbar || trace.marker?.colorbar);
  const margin = { ...spec.layout.margin, r: 8, b: (spec.layout.margin?.b ?? 40) + (coloured ? 56 : 0) };
  return { data, layout: { ...spec.layout, margin } };
};

/** Draw a specification into an element and remember both. */
export const draw = async (element, spec) => {
  specs.set(element, spec);
  const plotly = await load();
  if (!element.isConnected) return;
  const { data, layout } = fitted(spec);
  const height = Number(element.dataset.height) || layout.height;
  await plotly.react(element, tinted(data), themed({ ...layout, ...(height ? { height } : {}), autosize: true }), { responsive: true });
  drawn.add(element);
  element.dataset.drawn = "yes";
};

const failed = (element) => {
  element.textContent = "This figure could not be loaded; its data are linked below.";
};

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      json(target.dataset.spec)
        .then((spec) => draw(target, spec))
        .catch(() => failed(target));
    }
  },
  { rootMargin: "200px" },
);

/** Find the plots of this page; purge those of the page before. */
export const scanPlots = () => {
  for (const element of drawn) {
    if (element.isConnected) continue;
    window.Plotly.purge(element);
    drawn.delete(element);
  }
  for (const element of document.querySelectorAll(".plot[data-spec]:not([data-drawn])")) near.observe(element);
};

/** Redraw in the colours of the scheme. */
export const retheme = () => {
  for (const element of drawn) if (element.isConnected) draw(element, specs.get(element));
};
