// The selector. State flows one way: address -> form -> rows; the address can be passed on.

const kindsOf = (form) => [...form.elements].filter((field) => field.name && !["metric", "reference"].includes(field.name));

class Selector {
  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.live = root.querySelector(".summary");
    const asked = new URLSearchParams(location.search);
    for (const field of this.form.elements) {
      const value = asked.get(field.name);
      if ([...field.options].some((option) => option.value === value)) field.value = value;
    }
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", () => {
      this.remember();
      this.show();
    });
    this.show();
  }

  remember() {
    const address = new URL(location.href);
    for (const field of this.form.elements) {
      const first = ["metric", "reference"].includes(field.name) && field.selectedIndex === 0;
      if (field.value && !first) address.searchParams.set(field.name, field.value);
      else address.searchParams.delete(field.name);
    }
    history.replaceState(history.state, "", address);
  }

  show() {
    const fields = this.form.elements;
    const ranking = `${fields.reference.value}.${fields.metric.value}`;
    const chosen = kindsOf(this.form).map((field) => field.value).filter(Boolean);
    const classes = chosen.length ? chosen : ["all.all"];
    let rows = [];
    for (const section of this.root.querySelectorAll("[data-ranking]")) {
      section.hidden = section.dataset.ranking !== ranking;
      for (const row of section.querySelectorAll("tr[data-class]")) {
        row.hidden = !classes.includes(row.dataset.class);
        if (!section.hidden && !row.hidden) rows.push(row);
      }
    }
    this.live.textContent = this.summary(rows, classes);
  }

  summary(rows, classes) {
    if (!rows.length) return "No product was scored there against this reference.";
    const sentences = classes.map((id) => {
      const mine = rows.filter((row) => row.dataset.class === id);
      if (!mine.length) return null;
      const label = mine[0].cells[0].firstChild.textContent;
      const first = mine.filter((row) => row.querySelector(".place")?.textContent === "1").map((row) => row.querySelector(".name").textContent);
      const open = mine.filter((row) => row.querySelector(".place")?.textContent.startsWith("·")).map((row) => row.querySelector(".name").textContent);
      if (!first.length && !open.length) return `${label}: not tested.`;
      const won = first.length ? `${first.join(" and ")} in place 1` : "no product in place 1";
      return `${label}: ${won}${open.length ? `; undecided: ${open.join(", ")}` : ""}.`;
    });
    return sentences.filter(Boolean).join(" ");
  }
}

/** Start the selector where there is one. */
export const scanSelector = () => {
  for (const root of document.querySelectorAll("[data-choose]:not([data-ready])")) {
    root.dataset.ready = "yes";
    new Selector(root);
  }
};
