// Tables that are sorted by buttons in their heads.

const number = (cell) => {
  const data = cell?.querySelector("data");
  return data ? Number(data.value) : Number.parseFloat((cell?.dataset.value ?? cell?.textContent ?? "").replace("−", "-"));
};

const compare = (column) => (a, b) => {
  const [x, y] = [a.cells[column], b.cells[column]];
  const [p, q] = [number(x), number(y)];
  if (Number.isFinite(p) && Number.isFinite(q)) return p - q;
  if (Number.isFinite(p) !== Number.isFinite(q)) return Number.isFinite(p) ? -1 : 1;
  return x.textContent.localeCompare(y.textContent);
};

const sort = (table, head, column) => {
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].sort(compare(column));
  if (descending) rows.reverse();
  body.append(...rows);
};

/** Put a button into each head of the tables that ask for it. */
export const scanTables = () => {
  for (const table of document.querySelectorAll("table.sortable:not([data-ready])")) {
    table.dataset.ready = "yes";
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head, column));
      head.append(button);
    });
  }
};
