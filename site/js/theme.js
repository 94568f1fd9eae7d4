// Colours of a plot, taken from the theme's CSS variables, so that both schemes fit.

const value = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

/** A colour as rgb(a): plotly 4 takes neither bare hexadecimal digits nor hsv(). */
const colour = (name, fallback) => {
  const probe = document.createElement("span");
  probe.style.color = value(name) || fallback;
  document.body.append(probe);
  const text = getComputedStyle(probe).color;
  probe.remove();
  return text;
};

export const colours = () => ({
  text: colour("--md-typeset-color", "#222222"),
  soft: colour("--md-default-fg-color--light", "#555555"),
  grid: colour("--md-default-fg-color--lightest", "#dddddd"),
  ground: colour("--md-default-bg-color", "#ffffff"),
  land: colour("--md-code-bg-color", "#f5f5f5"),
});

const axis = (c, given = {}) => ({
  ...given,
  color: c.text,
  gridcolor: c.grid,
  linecolor: c.grid,
  zerolinecolor: c.soft,
  tickfont: { ...given.tickfont, color: c.text },
});

/** The same layout in the colours of the scheme; nested, since dotted keys are ignored in the first drawing. */
export const themed = (layout) => {
  const c = colours();
  const result = {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { ...layout.font, color: c.text, family: value("--md-text-font-family") || "system-ui, sans-serif" },
    hoverlabel: { bgcolor: c.ground, bordercolor: c.soft, font: { color: c.text } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: c.soft, activecolor: c.text },
    legend: { ...layout.legend, font: { color: c.text } },
  };
  for (const name of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(name)) result[name] = axis(c, layout[name]);
  }
  if (layout.geo) {
    result.geo = {
      ...layout.geo,
      bgcolor: "rgba(0,0,0,0)",
      landcolor: c.land,
      coastlinecolor: c.soft,
      countrycolor: c.grid,
      lataxis: { ...layout.geo.lataxis, gridcolor: c.grid },
      lonaxis: { ...layout.geo.lonaxis, gridcolor: c.grid },
    };
  }
  if (layout.polar) {
    const { radialaxis, angularaxis } = layout.polar;
    result.polar = { ...layout.polar, bgcolor: "rgba(0,0,0,0)", radialaxis: axis(c, radialaxis), angularaxis: axis(c, angularaxis) };
  }
  return result;
};

// Lines of the palette that would have less than 3 to 1 against the ground are darkened or lightened, hue kept.
const inScheme = {
  default: new Map([["#CC79A7", "#B0578A"], ["#56B4E9", "#2387BF"], ["#E69F00", "#A87400"], ["#999999", "#767676"]]),
  slate: new Map([["#0072B2", "#4FA8DC"], ["#D55E00", "#F07A22"], ["#009E73", "#1FB98D"]]),
};

const seen = (part, colours) => (part && colours.has(part.color) ? { ...part, color: colours.get(part.color) } : part);

/** Traces marked `meta: "text"` take the text colour: in situ is drawn so. */
export const tinted = (data) => {
  const c = colours();
  const shades = inScheme[document.body.dataset.mdColorScheme] ?? inScheme.default;
  return data.map((given) => {
    const trace = { ...given, ...(given.line ? { line: seen(given.line, shades) } : {}), ...(given.marker ? { marker: seen(given.marker, shades) } : {}) };
    const result = trace.meta === "text" ? { ...trace, line: { ...trace.line, color: c.text } } : trace;
    if (trace.marker?.line) result.marker = { ...trace.marker, line: { ...trace.marker.line, color: c.soft } };
    return result;
  });
};
