"""What a page transfers, gzipped as a server would: itself, styles, scripts, figures, pictures, lists."""

import gzip
import json
import re
from functools import cache
from pathlib import Path

SHELL, STATIONS = 650_000, 800_000
PLOTLY, OUTLINES = "assets/vendor/plotly-vadose.min.js", "assets/vendor/world_110m.json"
PACKED = (".png", ".jpg", ".woff2")


@cache
def transferred(path: Path) -> int:
    """Bytes of one file on the way; pictures are packed already."""
    content = path.read_bytes()
    return len(content) if path.suffix in PACKED else len(gzip.compress(content, 6, mtime=0))


def files(site: Path, page: Path) -> set[Path]:
    """Every file that a look at a whole page asks for; what is folded away is loaded when it is opened."""
    text = re.sub(r"<details(?![^>]*open)[^>]*>.*?</details>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = re.findall(r'<(?:script|img)[^>]*\ssrc="([^"]+)"', text)
    named += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', text)
    named += re.findall(r'<link[^>]*href="([^"]+)"[^>]*rel="(?:stylesheet|icon)"', text)
    named += re.findall(r'data-(?:spec|stations-list)="([^"]+)"', text)
    found = {(page.parent / name).resolve() for name in named if not name.startswith(("http", "data:"))}
    specs = [path for path in found if "figures" in path.parts and path.suffix == ".json"]
    if specs:
        found.add((site / PLOTLY).resolve())
    if any(trace["type"] in ("scattergeo", "choropleth") for path in specs for trace in read(path)["data"]):
        found.add((site / OUTLINES).resolve())
    return {page.resolve(), *found}


def read(path: Path) -> dict:
    """A specification."""
    return json.loads(path.read_text(encoding="utf-8"))


def weight(site: Path, page: Path) -> int:
    """All bytes of a page."""
    return sum(transferred(path) for path in files(site, page))


def limit(page: Path) -> int:
    """The budget of a page; the map of the stations needs the outlines of the land."""
    return STATIONS if page.parent.name == "stations" else SHELL
