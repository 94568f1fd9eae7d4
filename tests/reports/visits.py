"""A page in the browser, and everything that goes wrong in it."""

import time
from dataclasses import dataclass, field


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
            "async () => { for (let y = 0; y < document.documentElement.scrollHeight; y += 700) "
            "{ window.scrollTo(0, y); await new Promise((r) => setTimeout(r, 30)); } }"
        )

    def drawn(self) -> int:
        """Wait until every figure with a specification is drawn; how many there are."""
        self.scroll()
        self.until("!document.querySelector('.plot[data-spec]:not([data-drawn])')")
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
