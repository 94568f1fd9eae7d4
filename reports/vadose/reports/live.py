"""A look that follows its sources: a change on disk renders the site again, and the open pages load themselves anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SCRIPT, EVENTS = "/vadose-live.js", "/vadose-live"
# Whole folders of a release that pages are made of; granules are named by its manifest.
_RELEASE_PARTS = ("quality", "provenance")
_TEMPLATES = Path(__file__).with_name("templates")

# A file of this server, since the policy allows no script inside a page.
CLIENT = (
    "const built = document.currentScript.dataset.build;\n"
    f'new EventSource("{EVENTS}").onmessage = (event) => {{ if (event.data !== built) location.reload(); }};\n'
)


class Builds:
    """The number of the newest build, for which open pages wait."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = threading.Condition()

    def advance(self) -> None:
        """A new build is there."""
        with self._changed:
            self.number += 1
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float) -> int:
        """The number as soon as it is not `seen`, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self.number != seen, seconds)
            return self.number


def with_client(page: bytes, build: int) -> bytes:
    """A page that asks for the client script as the last thing of its body; the file on disk stays as it is."""
    tag = f'<script src="{SCRIPT}" data-build="{build}"></script>'.encode()
    head, mark, tail = page.rpartition(b"</body>")
    return head + tag + mark + tail if mark else page


def sources(workspace: Path, project: Path, names: Sequence[str] = ()) -> Iterator[Path]:
    """Every file that the pages are made of, except granules."""
    roots = [workspace / "runs", project / "docs", project / "data", project / "overrides", _TEMPLATES]
    roots += [path for path in map(Path, names) if path.is_dir() and not (path / "manifest.json").is_file()]
    yield project / "mkdocs.yml"
    products = [path for path in (workspace / "releases").glob("*") if path.is_dir()]
    versions = [path for product in products for path in product.iterdir() if path.is_dir()]
    versions += [path for path in map(Path, names) if (path / "manifest.json").is_file()]
    for folder in (*products, *versions):
        yield from (path for path in folder.iterdir() if path.is_file())
    for folder in [*roots, *(version / part for version in versions for part in _RELEASE_PARTS)]:
        yield from (path for path in folder.rglob("*") if path.is_file())


def fingerprint(files: Iterator[Path]) -> dict[Path, tuple[int, int]]:
    """Time and size of each file; one that goes away meanwhile is left out."""
    found = {}
    for path in files:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def follow(
    look: Callable[[], dict[Path, tuple[int, int]]], rebuild: Callable[[], None], say: Callable[[str], None],
    stop: threading.Event, *, seconds: float = 0.5,
) -> None:  # fmt: skip
    """Call `rebuild` after each change, once two looks in a row agree; a fault is said and the last build stays.

    Parameters
    ----------
    look
        Gives the fingerprint of the sources.
    seconds
        Between two looks.
    """
    built = before = look()
    while not stop.wait(seconds):
        try:
            now = look()
        except FileNotFoundError:  # a folder went away between its listing and its reading
            continue
        if now != built and now == before:
            built = now
            try:
                rebuild()
            except Exception as error:  # noqa: BLE001  (a source that is half edited may fail in any way)
                say(f"not rebuilt: {error}")
        before = now
