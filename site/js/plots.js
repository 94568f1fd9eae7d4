// Draws every `.plot[data-spec]` when it comes near the view, redraws it in the other scheme, frees it when it leaves.

import { json, load } from "./loading.js";
import { colours, themed, tinted } from "./theme.js";

const specs = new WeakMap();
const drawn = new Set();
const narrow = () => window.matchMedia("(max-width: 480px)").matches;

/** Panels side by side become panels below each other; returns the layout with its own height. */
const stacked = (layout, height) => {
  const panels = layout.meta.panels;
  const result = { ...layout, height: height * panels };
  const gap = 48 / result.height;
  const part = (1 + gap) / panels;
  for (let k = 0; k < panels; k += 1) {
    const suffix = k ? String(k + 1) : "";
    const top = 1 - k * part;
    result[`xaxis${suffix}`] = { ...layout[`xaxis${suffix}`], domain: [0, 1] };
    result[`yaxis${suffix}`] = { ...layout[`yaxis${suffix}`], domain: [Math.max(0, top - part + gap), top], showticklabels: true };
  }
  return result;
};

/** Long names beside an axis leave no room for it on a phone: break them into lines. */
const wrapped = (text) => text.replace(/(\S.{11,}?) (?=\S)/g, "$1<br>");
const withWrappedNames = (layout, height) => {
  const names = layout.yaxis?.type === "category" && layout.yaxis.categoryarray;
  if (!names?.length) return layout;
  const lines = names.map(wrapped);
  const tallest = Math.max(...lines.map((text) => text.split("<br>").length));
  const yaxis = { ...layout.yaxis, tickmode: "array", tickvals: names, ticktext: lines, tickfont: { size: 11 } };
  return { ...layout, yaxis, height: Math.max(height ?? 0, names.length * tallest * 14 + 110) };
};

/** On a phone a vertical colour bar takes a fifth of the width: lay it under the plot. */
const fitted = (spec, height) => {
  if (!narrow()) return { ...spec, layout: { ...spec.layout, ...(height ? { height } : {}) } };
  if (spec.layout.meta?.panels > 1) return { data: spec.data, layout: stacked(spec.layout, height) };
  const flat = (bar) => ({ ...bar, orientation: "h", x: 0.5, xanchor: "center", yref: "container", y: 0, yanchor: "bottom", len: 0.95, thickness: 12, title: { ...bar?.title, side: "top", font: { size: 12 } } });
  const data = spec.data.map((trace) => {
    if (trace.colorbar) return { ...trace, colorbar: flat(trace.colorbar) };
    if (trace.marker?.colorbar) return { ...trace, marker: { ...trace.marker, colorbar: flat(trace.marker.colorbar) } };
    return trace;
  });
  const coloured = spec.data.some((trace) => trace.colorbar || trace.marker?.colorbar);
  const margin = { ...spec.layout.margin, r: spec.layout.polar ? 40 : 8, b: (spec.layout.margin?.b ?? 40) + (coloured ? 64 : 0) };
  const tall = height && coloured ? height + 24 : height;
  return { data, layout: withWrappedNames({ ...spec.layout, margin, ...(tall ? { height: tall } : {}) }, tall) };
};

const nameOf = (element) => (element.dataset.spec ?? "figure.json").split("/").pop().replace(/\.json$/, "");

/** The figure as a picture on the ground of the scheme, at the size at which it is seen. */
const download = (element, plotly, format) =>
  plotly.downloadImage(
    { data: element.data, layout: { ...element.layout, paper_bgcolor: colours().ground } },
    { format, width: element.clientWidth, height: element.clientHeight, scale: format === "png" ? 2 : 1, filename: nameOf(element) },
  );

/** Buttons for the picture stand behind the links to the numbers; without script there is nothing to draw from. */
const offerImages = (element, plotly) => {
  const caption = element.closest("figure")?.querySelector("figcaption");
  if (!caption || caption.querySelector(".image")) return;
  const what = element.getAttribute("aria-label") ?? "figure";
  const buttons = ["png", "svg"].map((format) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "image";
    button.textContent = format.toUpperCase();
    button.setAttribute("aria-label", `${format.toUpperCase()} image of: ${what}`);
    button.addEventListener("click", () => download(element, plotly, format));
    return button;
  });
  caption.append(" Image: ", buttons[0], ", ", buttons[1], ".");
};

/** Draw a specification into an element and remember both. */
export const draw = async (element, spec) => {
  specs.set(element, spec);
  const plotly = await load();
  if (!element.isConnected) return;
  const { data, layout } = fitted(spec, Number(element.dataset.height) || spec.layout.height);
  if (layout.height) element.style.height = `${layout.height}px`;
  await plotly.react(element, tinted(data), themed({ ...layout, autosize: true }), { responsive: true });
  drawn.add(element);
  offerImages(element, plotly);
  element.dataset.drawn = "yes";
};

export const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** The points of a map of stations get their texts from the list of stations, which the page loads anyway. */
const labelled = (spec, list, name) => {
  const rows = new Map(list.columns.key.map((key, row) => [key, row]));
  const score = list.scores[name] ?? list.scores[name.replace("-", ":")];
  const words = (key) => {
    const row = rows.get(key);
    if (row === undefined) return "";
    const value = score?.values[row];
    const text = value === null || value === undefined ? "not computed" : value.toFixed(score.decimals).replace("-", "−");
    return `${escaped(`${list.columns.network[row]}: ${list.columns.name[row]}`)}<br>${score?.label ?? ""} ${text}`;
  };
  return { ...spec, data: spec.data.map((trace) => (trace.text ? trace : { ...trace, text: trace.customdata.map(words) })) };
};

const specification = async (element) => {
  const { spec, stations, metric } = element.dataset;
  if (!stations) return json(spec);
  const [figure, list] = await Promise.all([json(spec), json(stations)]);
  return labelled(figure, list, metric);
};

const failed = (element) => {
  element.textContent = "This figure could not be loaded; its data are linked below.";
};

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      specification(target)
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
