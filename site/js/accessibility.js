// Names that the theme leaves out.

export const scanNames = () => {
  const search = document.querySelector(".md-search[role=dialog]");
  if (search && !search.hasAttribute("aria-label")) search.setAttribute("aria-label", "Search");
  for (const button of document.querySelectorAll(".md-clipboard:not([aria-label]), .md-code__button:not([aria-label])")) {
    button.setAttribute("aria-label", button.title || "Copy to clipboard");
  }
  for (const wide of document.querySelectorAll(".wide:not([tabindex])")) {
    if (wide.scrollWidth > wide.clientWidth) wide.setAttribute("tabindex", "0");
  }
};
