// The station page. State flows one way: address -> state -> view; map, table and select all change the address.

import { json } from "./loading.js";
import { draw, escaped } from "./plots.js";
import { fillFunnel, scatter, seasonalCycle } from "./station-details.js";

const shownRows = 200;
const day = 86_400_000;

const element = (tag, text = "", attributes = {}) => {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

/** The text of a score, with a true minus sign; a status where there is no value. */
const scoreText = (list, metric, row) => {
  const { values, status, decimals } = list.scores[metric];
  const value = values[row];
  if (value === null) return status[row] ?? "";
  const text = value.toFixed(decimals);
  return (list.scores[metric].signed && value > 0 ? `+${text}` : text).replace("-", "−");
};

const degrees = (value, plus, minus) => `${Math.abs(value).toFixed(3)}° ${value < 0 ? minus : plus}`;

class StationPage {
  constructor(root, list) {
    this.root = root;
    this.list = list;
    this.rows = new Map(list.columns.key.map((key, row) => [key, row]));
    this.body = root.querySelector("table.scores tbody");
    this.select = root.querySelector("select[name=station]");
    this.network = root.querySelector("select[name=network]");
    this.words = root.querySelector("input[name=filter]");
    this.count = root.querySelector(".shown");
    this.live = root.querySelector(".summary");
    this.plot = root.querySelector(".series");
    this.details = root.querySelector(".details");
    this.fillControls();
    this.fillTable();
    this.show();
  }

  fillControls() {
    const { key, name, network } = this.list.columns;
    this.select.replaceChildren(new Option("choose a station", ""), ...key.map((k, row) => new Option(`${network[row]}: ${name[row]}`, k)));
    this.network.replaceChildren(new Option("all networks", ""), ...[...new Set(network)].sort().map((n) => new Option(n, n)));
    this.select.addEventListener("change", () => this.go(this.select.value));
    this.network.addEventListener("change", () => this.fillTable());
    this.words.addEventListener("input", () => this.fillTable());
    this.body.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-key]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.go(link.dataset.key);
      this.live.scrollIntoView({ block: "nearest" });
    });
    this.root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    this.watchMap();
  }

  watchMap() {
    for (const map of this.root.querySelectorAll(".plot[data-stations]")) this.listenTo(map);
  }

  listenTo(map) {
    const listen = () => map.on("plotly_click", (event) => this.go(String(event.points[0].customdata)));
    if (map.on) return listen();
    const ready = new MutationObserver(() => {
      if (!map.on) return;
      ready.disconnect();
      listen();
    });
    ready.observe(map, { attributes: true, childList: true });
  }

  matches() {
    const { name, network } = this.list.columns;
    const words = this.words.value.trim().toLowerCase();
    return [...name.keys()].filter(
      (row) => (!this.network.value || network[row] === this.network.value) && `${network[row]} ${name[row]}`.toLowerCase().includes(words),
    );
  }

  fillTable() {
    const found = this.matches();
    this.body.replaceChildren(...found.slice(0, shownRows).map((row) => this.tableRow(row)));
    this.count.textContent = `${Math.min(found.length, shownRows)} of ${found.length} matching stations, ${this.rows.size} in all`;
    this.mark();
  }

  tableRow(row) {
    const { key, name, network, depth, land_cover: cover } = this.list.columns;
    const head = element("th", "", { scope: "row" });
    head.append(element("a", name[row], { href: `?station=${key[row]}`, "data-key": key[row] }));
    const cells = [network[row], depth[row], cover[row]].map((text) => element("td", text));
    const scores = Object.keys(this.list.scores).map((metric) => {
      const { values } = this.list.scores[metric];
      const text = scoreText(this.list, metric, row);
      if (values[row] === null) return element("td", text, { class: "status" });
      const cell = element("td", "", { class: "number" });
      cell.append(element("data", text, { value: values[row] }));
      return cell;
    });
    const line = document.createElement("tr");
    line.dataset.key = key[row];
    line.append(head, ...scores, ...cells);
    return line;
  }

  mark() {
    const key = this.key();
    for (const line of this.body.rows) {
      if (line.dataset.key === key) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  }

  key() {
    return new URLSearchParams(location.search).get("station") ?? "";
  }

  go(key) {
    const address = new URL(location.href);
    if (key) address.searchParams.set("station", key);
    else address.searchParams.delete("station");
    // The theme keeps the scroll position in the state; it stays.
    history.replaceState(history.state, "", address);
    this.show();
  }

  async show() {
    const key = this.key();
    const row = this.rows.get(key);
    this.select.value = row === undefined ? "" : key;
    this.mark();
    this.plot.hidden = true;
    this.root.querySelector(".series-data").hidden = true;
    this.details.hidden = true;
    this.root.querySelector(".funnel").hidden = true;
    if (!key) {
      this.live.textContent = "No station chosen yet.";
      return;
    }
    if (row === undefined) {
      this.live.textContent = "Unknown station: this list has no station with that key.";
      return;
    }
    this.live.textContent = this.summary(row);
    this.showFunnel(key, row);
    if (!this.list.columns.series[row]) {
      this.live.textContent += " The series of this station is not on this site.";
      return;
    }
    const address = new URL(`${this.root.dataset.series}${key}.json`, location.href);
    try {
      const [spec, series] = await Promise.all([json(this.root.dataset.skeleton), json(address.href)]);
      if (this.key() !== key) return;
      this.plot.hidden = false;
      await draw(this.plot, filled(spec, series));
      const link = this.root.querySelector(".series-data");
      link.hidden = false;
      link.querySelector("a").href = address.href;
      await this.showDetails(spec, series);
    } catch {
      this.live.textContent += " Its series could not be loaded.";
    }
  }

  /** Scatter and seasonal cycle of the chosen station, where the site holds what they need. */
  async showDetails(spec, series) {
    this.details.hidden = false;
    for (const [name, make] of [["scatter", scatter], ["cycle", seasonalCycle]]) {
      const figure = this.details.querySelector(`figure[data-detail=${name}]`);
      const made = make(spec, series);
      figure.hidden = !made;
      if (!made) continue;
      figure.querySelector(".days").textContent = `${made.days.toLocaleString("en").replaceAll(",", "\u202f")} days.`;
      await draw(figure.querySelector(".plot"), { data: made.data.map((trace) => ({ ...trace, ...(trace.name ? { name: escaped(trace.name) } : {}) })), layout: made.layout });
    }
  }

  async showFunnel(key, row) {
    const box = this.root.querySelector(".funnel");
    box.hidden = true;
    const funnel = await json(this.root.dataset.funnel).catch(() => null);
    if (!funnel || this.key() !== key) return;
    fillFunnel(box, funnel, row);
    box.hidden = false;
  }

  summary(row) {
    const c = this.list.columns;
    const place = `${c.name[row]} (${c.network[row]}), ${degrees(c.lat[row], "N", "S")}, ${degrees(c.lon[row], "E", "W")}, depth ${c.depth[row]}, cell centre at ${c.distance_km[row] ?? "unknown"} km.`;
    const scores = Object.keys(this.list.scores).map((metric) => `${this.list.scores[metric].label} ${scoreText(this.list, metric, row) || "not computed"}`);
    const values = c.redistributable[row] ? "" : " The licence of this station does not allow passing its values on: only the products are drawn.";
    return `${place} ${scores.join(", ")}, ${c.n[row] ?? 0} days.${values}`;
  }
}

/** The skeleton's traces with the arrays of one station; a trace without data is left out, the differences are last. */
const filled = (spec, series) => {
  const start = Date.parse(`${series.t0}T00:00:00Z`);
  const days = Array.from({ length: series.n }, (_, i) => new Date(start + i * day).toISOString().slice(0, 10));
  const reference = series.columns[spec.reference];
  const data = spec.data.flatMap((trace) => {
    const column = series.columns[trace.uid];
    if (!column) return [];
    if (trace.yaxis !== "y2") return [{ ...trace, name: escaped(trace.name), x: days, y: column }];
    if (!reference) return [];
    return [{ ...trace, x: days, y: column.map((v, i) => (v === null || reference[i] === null ? null : v - reference[i])) }];
  });
  if (data.some((trace) => trace.yaxis === "y2")) return { data, layout: spec.layout };
  const { yaxis2, ...layout } = spec.layout;
  return { data, layout: { ...layout, yaxis: { ...layout.yaxis, domain: [0, 1] }, xaxis: { ...layout.xaxis, anchor: "y" } } };
};

/** Start the station page where there is one. */
export const scanStations = () => {
  for (const root of document.querySelectorAll("[data-stations-list]:not([data-ready])")) {
    root.dataset.ready = "yes";
    json(root.dataset.stationsList)
      .then((list) => new StationPage(root, list))
      .catch(() => {
        root.querySelector(".summary").textContent = "The list of stations could not be loaded; the table below holds the first of them.";
      });
  }
};
