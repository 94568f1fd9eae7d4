// What is shown of one station below its series: scatter, seasonal cycle, and the way from its rows to its scores.

const day = 86_400_000;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const present = (value) => value !== null && value !== undefined;

/** The trace of our product in the skeleton: the one that the difference is made of. */
const ourTrace = (spec) => {
  const uid = spec.data.find((trace) => trace.yaxis === "y2")?.uid;
  return spec.data.find((trace) => trace.uid === uid && trace.yaxis !== "y2");
};

const title = (spec) => spec.layout.yaxis.title.text;
const margins = { l: 56, r: 16, t: 12, b: 48 };

/** Our product against the station, day by day; null where the station's values are not on the site. */
export const scatter = (spec, series) => {
  const trace = ourTrace(spec);
  const [ours, reference] = [series.columns[trace?.uid], series.columns[spec.reference]];
  if (!ours || !reference) return null;
  const rows = ours.flatMap((value, i) => (present(value) && present(reference[i]) ? [i] : []));
  if (!rows.length) return null;
  const [x, y] = [rows.map((i) => reference[i]), rows.map((i) => ours[i])];
  const [low, high] = [...x, ...y].reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const pad = 0.04 * (high - low) || 0.01;
  const ends = [Math.max(0, low - pad), high + pad];
  const points = { type: "scatter", x, y, mode: "markers", showlegend: false, opacity: 0.55, marker: { size: 4, color: trace.line.color } };
  const equal = { type: "scatter", x: ends, y: ends, mode: "lines", meta: "text", line: { dash: "dash", width: 1 }, hoverinfo: "skip", showlegend: false };
  const axis = (text) => ({ title: { text }, range: ends, nticks: 6 });
  const layout = { margin: margins, font: spec.layout.font, hovermode: "closest", xaxis: axis(`${spec.reference}: ${title(spec)}`), yaxis: axis(`${trace.name}: ${title(spec)}`) };
  return { data: [points, equal], layout, days: rows.length };
};

const monthlyMeans = (start, column, counted) => {
  const sums = months.map(() => [0, 0]);
  column.forEach((value, i) => {
    if (!counted(i)) return;
    const sum = sums[new Date(start + i * day).getUTCMonth()];
    sum[0] += value;
    sum[1] += 1;
  });
  return sums.map(([total, n]) => (n ? total / n : null));
};

/** Means by calendar month of the days that our product and the station share; of its own days without the station. */
export const seasonalCycle = (spec, series) => {
  const trace = ourTrace(spec);
  const ours = series.columns[trace?.uid];
  if (!ours) return null;
  const reference = series.columns[spec.reference];
  const counted = (i) => present(ours[i]) && (!reference || present(reference[i]));
  const days = ours.filter((_, i) => counted(i)).length;
  if (!days) return null;
  const start = Date.parse(`${series.t0}T00:00:00Z`);
  const x = months.map((_, k) => k + 1);
  const data = [{ type: "scatter", x, y: monthlyMeans(start, ours, counted), name: trace.name, mode: "lines+markers", line: trace.line, marker: { size: 6, color: trace.line.color } }];
  if (reference) data.push({ type: "scatter", x, y: monthlyMeans(start, reference, counted), name: spec.reference, mode: "lines", meta: "text", line: { width: 2.6 } });
  const xaxis = { title: { text: "month" }, tickmode: "array", tickvals: x, ticktext: months };
  const layout = { margin: margins, font: spec.layout.font, legend: spec.layout.legend, showlegend: true, xaxis, yaxis: { title: { text: title(spec) }, nticks: 6 } };
  return { data, layout, days };
};

const line = (words, number) => {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = words;
  const cell = document.createElement("td");
  cell.className = "number";
  cell.textContent = number.toLocaleString("en").replaceAll(",", "\u202f");
  row.append(head, cell);
  return row;
};

/** Fill the two tables of the funnel: what was left after each stage, and what was rejected by what. */
export const fillFunnel = (root, funnel, row) => {
  for (const [kind, columns] of Object.entries({ kept: funnel.kept, rejected: funnel.rejected })) {
    const body = root.querySelector(`tbody[data-funnel=${kind}]`);
    const rows = Object.entries(columns).filter(([, values]) => kind === "kept" || values[row]);
    body.replaceChildren(...rows.map(([words, values]) => line(words, values[row])));
  }
};
