// The years of a download page: their granules are loaded when a year is opened, month by month.

import { json } from "./loading.js";

const element = (tag, text = "", name = "") => {
  const node = document.createElement(tag);
  node.textContent = text;
  if (name) node.className = name;
  return node;
};

const link = (root, path, text) => {
  const node = element("a", text);
  node.href = root + path.split("/").map(encodeURIComponent).join("/");
  return node;
};

const row = (root, month, at) => {
  const line = document.createElement("tr");
  const head = element("th");
  head.scope = "row";
  const path = month.path[at];
  head.append(link(root, path, path.slice(path.lastIndexOf("/") + 1)));
  if (month.look_of[at]) head.append(" ", link(root, month.look_of[at], "picture"));
  const sum = element("td", "", "sum");
  sum.append(element("code", month.sha256[at]));
  line.append(head, element("td", month.size[at]), sum);
  return line;
};

const table = (year, month) => {
  const made = element("table", "", "plain");
  made.createCaption().textContent = `Granules of ${month.name} ${year.year}`;
  const heads = made.createTHead().insertRow();
  for (const word of ["file", "size", "SHA-256"]) {
    const head = element("th", word);
    head.scope = "col";
    heads.append(head);
  }
  made.createTBody().append(...month.path.map((_, at) => row(year.root, month, at)));
  const wide = element("div", "", "wide");
  wide.append(made);
  return wide;
};

/** A month is filled when it is opened: a year of daily granules would be a thousand elements. */
const folded = (year, month) => {
  const box = document.createElement("details");
  box.append(element("summary", `${month.name}: ${month.path.length} granules`));
  if (month.look) {
    const picture = element("a", `Picture of the days of ${month.name} ${year.year}`);
    picture.href = month.look;
    const line = element("p", "", "above");
    line.append(picture);
    box.append(line);
  }
  box.addEventListener("toggle", () => box.append(table(year, month)), { once: true });
  return box;
};

const open = async (box) => {
  try {
    const year = await json(box.dataset.granules);
    box.append(...year.months.map((month) => folded(year, month)));
  } catch {
    box.append(element("p", "This list could not be loaded; it is linked above."));
  }
};

/** Watch the years of this page. */
export const scanGranules = () => {
  for (const box of document.querySelectorAll("details[data-granules]:not([data-ready])")) {
    box.dataset.ready = "yes";
    box.addEventListener("toggle", () => open(box), { once: true });
  }
};
