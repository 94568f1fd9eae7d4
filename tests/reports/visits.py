"""A page in the browser, and everything that goes wrong in it."""

import time
from dataclasses import dataclass, field
from pathlib import Path

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
# Every text and every line of the drawn figures with its colour, as the scheme resolves it.
PAINTED = """() => {
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const seen = (css) => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = css;
    pixel.fillRect(0, 0, 1, 1);
    return [...pixel.getImageData(0, 0, 1, 1).data];
  };
  const found = [];
  for (const plot of document.querySelectorAll(".plot[data-drawn]")) {
    for (const node of plot.querySelectorAll("svg text")) {
      if (node.textContent.trim()) found.push(["text", node.textContent, seen(getComputedStyle(node).fill)]);
    }
    for (const trace of plot._fullData) {
      const marker = (trace.mode?.includes("markers") || trace.type === "bar") && trace.marker;
      for (const part of [trace.line, marker, trace.error_x, trace.error_y]) {
        if (part && typeof part.color === "string" && trace.visible === true && part.visible !== false)
          found.push(["line", `${trace.type} ${trace.name ?? ""}`, seen(part.color)]);
      }
    }
  }
  return [seen(getComputedStyle(document.body).getPropertyValue("--md-default-bg-color")), found];
}"""


def contrast(one: list[int], other: list[int]) -> float:
    """The contrast ratio of two opaque colours as WCAG 2.2 defines it: (L1 + 0.05) / (L2 + 0.05)."""

    def luminance(colour: list[int]) -> float:
        parts = [c / 255 for c in colour[:3]]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def over(colour: list[int], ground: list[int]) -> list[int]:
    """A colour as it is seen through its opacity on an opaque ground."""
    share = colour[3] / 255
    return [round(share * c + (1 - share) * g) for c, g in zip(colour[:3], ground[:3], strict=True)]


STILL = (
    "document.getAnimations().every((one) => "
    "one.playState === 'finished' || one.effect.getComputedTiming().iterations === Infinity)"
)


@dataclass
class Visit:
    """A page in the browser and everything that went wrong in it."""

    page: object
    url: str
    faults: list[str] = field(default_factory=list)

    def until(self, condition: str, seconds: float = 20.0) -> None:
        """Ask again until a condition holds; the browser's own waiting evaluates text, which the policy forbids."""
        ends = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            assert time.monotonic() < ends, f"never true: {condition}"
            self.page.wait_for_timeout(50)

    def open(self, address: str) -> None:
        """Load an address and wait until its figures near the view are drawn."""
        self.page.goto(self.url + address)
        self.until("document.documentElement.classList.contains('scripted')")

    def scroll(self) -> None:
        """Bring every part of the page into view once."""
        self.page.evaluate(
            "async () => { document.querySelectorAll('details').forEach((e) => { e.open = true; }); "
            "for (let y = 0; y < document.documentElement.scrollHeight; y += 700) "
            "{ window.scrollTo(0, y); await new Promise((r) => setTimeout(r, 30)); } }"
        )

    def violations(self) -> list[str]:
        """What axe finds on the page as it stands: rule, first element and why."""
        # From the top: the fixed head of the page would else lie over some button.
        self.page.evaluate("window.scrollTo(0, 0)")
        # The tabs in the head of the page fade in again, one after the other.
        self.page.wait_for_timeout(100)
        self.until(STILL)
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        return self.page.evaluate(
            "(rules) => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then((found) => "
            "found.violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].failureSummary}`))",
            RULES,
        )

    def faint(self) -> list[str]:
        """Texts of drawn figures below 4.5 to 1 against the ground, and lines below 3 to 1."""
        ground, painted = self.page.evaluate(PAINTED)
        limits = {"text": 4.5, "line": 3.0}
        ratios = [(kind, words, contrast(over(colour, ground), ground)) for kind, words, colour in painted]
        return [f"{kind} {words!r}: {ratio:.2f}" for kind, words, ratio in ratios if ratio < limits[kind]]

    def drawn(self) -> int:
        """Wait until every figure with a specification is drawn; how many there are."""
        missing = "document.querySelector('.plot[data-spec]:not([data-drawn])') !== null"
        ends = time.monotonic() + 60.0
        while True:
            self.scroll()  # a figure that is drawn may push the next one out of view again
            self.page.wait_for_timeout(100)
            if not self.page.evaluate(missing):
                break
            assert time.monotonic() < ends, "a figure is never drawn"
        return int(self.page.evaluate("document.querySelectorAll('.plot[data-drawn] svg.main-svg').length"))


def visit(browser, built, width: int = 1280, scheme: str = "light") -> Visit:
    """A fresh page that records console errors, failed and foreign requests."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    found = Visit(context.new_page(), built.url)
    page, faults = found.page, found.faults
    page.set_default_timeout(20_000)
    page.on("console", lambda m: faults.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: faults.append(f"error: {e}"))
    page.on(
        "requestfailed", lambda r: faults.append(f"failed: {r.url}") if "ERR_ABORTED" not in str(r.failure) else None
    )
    page.on("response", lambda r: faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on(
        "request",
        lambda r: None if r.url.startswith((built.url, "blob:", "data:")) else faults.append(f"outside: {r.url}"),
    )
    return found
