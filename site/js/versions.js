// Any two versions side by side. State flows one way: address -> form -> table; outcomes come from the files alone.

import { scanNames } from "./accessibility.js";
import { json } from "./loading.js";

const words = ["▲ better", "▼ worse", "= equal", "· undecided", "– not tested"];
const named = (tag, text, name = "") => {
  const node = document.createElement(tag);
  node.textContent = text;
  if (name) node.className = name;
  return node;
};

const scoreCell = (score) => {
  if (!score) return named("td", "not scored", "status");
  if (score.value === null) return named("td", score.text, "status");
  const cell = named("td", "", "number");
  const data = named("data", score.text);
  data.value = score.value;
  data.dataset.score = score.row;
  cell.append(data);
  if (score.interval) cell.append(named("small", score.interval));
  return cell;
};

const outcomeWord = (outcome) => {
  const name = outcome.includes("better") ? "outcome outcome-better" : outcome.includes("worse") ? "outcome outcome-worse" : "outcome";
  const cell = named("td", "");
  cell.append(named("span", outcome, name));
  return cell;
};

const options = (select, values, chosen) => {
  select.replaceChildren(...values.map((value) => new Option(value, value)));
  if (values.includes(chosen)) select.value = chosen;
};

class Versions {
  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.live = root.querySelector(".summary");
    this.box = root.querySelector(".wide");
    this.table = root.querySelector("table");
    const fields = this.form.elements;
    fields.a.selectedIndex = Math.max(0, fields.a.options.length - 2);
    fields.b.selectedIndex = fields.b.options.length - 1;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", () => {
      this.remember();
      this.show();
    });
    const unknown = this.recall();
    if (unknown) this.live.textContent = `Unknown version: ${unknown}. Choose two of the list.`;
    else this.show();
  }

  /** The address into the form; the first version in it that this product has not. */
  recall() {
    const asked = new URLSearchParams(location.search);
    this.wanted = { metric: asked.get("metric"), reference: asked.get("reference") };
    for (const name of ["a", "b"]) {
      const value = asked.get(name);
      if (!value) continue;
      const field = this.form.elements[name];
      if (![...field.options].some((option) => option.value === value)) return value.slice(0, 40);
      field.value = value;
    }
    return "";
  }

  remember() {
    const address = new URL(location.href);
    for (const field of this.form.elements) if (field.value) address.searchParams.set(field.name, field.value);
    history.replaceState(history.state, "", address);
  }

  async show() {
    const fields = this.form.elements;
    const [a, b] = [fields.a, fields.b].map((field) => ({ name: field.value, file: field.selectedOptions[0].dataset.file }));
    try {
      const [old, young] = await Promise.all([json(a.file), json(b.file)]);
      if (fields.a.value !== a.name || fields.b.value !== b.name) return;
      this.fill(a.name, b.name, old, young);
    } catch {
      this.live.textContent = "The scores of these versions could not be loaded; the table below holds the overall ones.";
    }
  }

  fill(a, b, old, young) {
    const fields = this.form.elements;
    const scores = new Map([...Object.entries(young.scores), ...Object.entries(old.scores).filter(([key]) => !(key in young.scores))]);
    const distinct = (name) => [...new Set([...scores.values()].map((score) => score[name]))];
    options(fields.metric, distinct("metric"), fields.metric.value || this.wanted.metric);
    options(fields.reference, distinct("reference"), fields.reference.value || this.wanted.reference);
    const shown = [...scores].filter(([, score]) => score.metric === fields.metric.value && score.reference === fields.reference.value);
    const pairs = young.pairs[a.slice(1)] ?? {};
    const counts = new Map(words.map((word) => [word, 0]));
    const rows = shown.map(([key, score]) => {
      const pair = pairs[key];
      const outcome = pair?.outcome ?? "– not tested";
      counts.set(outcome, counts.get(outcome) + 1);
      return this.row(score, old.scores[key], young.scores[key], pair, outcome);
    });
    this.table.caption.textContent = `${fields.metric.value} against ${fields.reference.value}: ${a} and ${b}`;
    const heads = this.table.tHead.rows[0].cells;
    [heads[1].textContent, heads[2].textContent] = [a, b];
    this.table.tBodies[0].replaceChildren(...rows);
    this.box.hidden = rows.length === 0;
    scanNames();
    const told = [...counts].map(([word, n]) => `${n} ${word}`).join(", ");
    this.live.textContent = rows.length ? `${b} beside ${a}: ${told}.` : "Neither version was scored.";
  }

  row(score, old, young, pair, outcome) {
    const line = document.createElement("tr");
    const head = named("th", score.class);
    head.scope = "row";
    if (score.kind) head.append(named("small", score.kind));
    const known = pair && pair.value !== null;
    const difference = named("td", "", known ? "number" : "status");
    if (known) {
      const data = named("data", pair.text);
      data.value = pair.value;
      difference.append(data);
      if (pair.interval) difference.append(named("small", pair.interval));
    } else difference.textContent = "–";
    line.append(head, scoreCell(old), scoreCell(young), difference, named("td", pair?.p ?? ""), outcomeWord(outcome));
    return line;
  }
}

/** Start the comparison of versions where there is one. */
export const scanVersions = () => {
  for (const root of document.querySelectorAll("[data-versions]:not([data-ready])")) {
    root.dataset.ready = "yes";
    new Versions(root);
  }
};
