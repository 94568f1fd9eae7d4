// Names and stops of the keyboard that the theme leaves out.

export const scanNames = () => {
  const search = document.querySelector(".md-search[role=dialog]");
  if (search && !search.hasAttribute("aria-label")) search.setAttribute("aria-label", "Search");
  document.querySelectorAll("nav.md-code__nav").forEach((nav, k) => nav.setAttribute("aria-label", `Code block ${k + 1}`));
  for (const button of document.querySelectorAll(".md-clipboard:not([aria-label]), .md-code__button:not([aria-label])")) {
    button.setAttribute("aria-label", button.title || "Copy to clipboard");
  }
  for (const wide of document.querySelectorAll(".wide:not([tabindex]), math[display=block]:not([tabindex])")) {
    if (wide.scrollWidth > wide.clientWidth) wide.setAttribute("tabindex", "0");
  }
};
