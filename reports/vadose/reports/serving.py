"""A server of the built site on this machine, which may follow its sources."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vadose.common import UsageError
from vadose.reports.generator import build_site, policy
from vadose.reports.live import CLIENT, EVENTS, SCRIPT, Builds, fingerprint, follow, sources, with_client
from vadose.reports.project import site_project
from vadose.reports.render import report


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the site, and the releases under /files/; a range of a file may be asked for.

    With `builds`, every page waits for the next build and loads itself anew.
    """

    def __init__(
        self, *args: object, site: Path, releases: Path, header: str, log: bool, builds: Builds | None = None,
        **given: object,
    ) -> None:  # fmt: skip
        self.site, self.releases, self.header, self.log, self.builds = site, releases, header, log, builds
        super().__init__(*args, directory=str(site), **given)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        """The file behind an address."""
        if path.startswith("/files/"):
            plain = super().translate_path(path)
            return str(self.releases / Path(plain).relative_to(self.site / "files"))
        return super().translate_path(path)

    def end_headers(self) -> None:
        """Add the policy and say that ranges are known."""
        if self.header:
            self.send_header("Content-Security-Policy", self.header)
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def do_GET(self) -> None:
        """A whole file, or the rest of it from `Range: bytes=N-`."""
        if self.builds is not None and self._live(self.builds):
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path.partition("?")[0]))
        if asked is None or not path.is_file():
            super().do_GET()
            return
        size, start = path.stat().st_size, int(asked[1])
        if start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        with path.open("rb") as file:
            file.seek(start)
            shutil.copyfileobj(file, self.wfile)

    def _live(self, builds: Builds) -> bool:
        """Answer what belongs to the following of sources: its script, its events, and pages that ask for it."""
        address = self.path.partition("?")[0].partition("#")[0]
        if address == EVENTS:
            self._events(builds)
        elif address == SCRIPT:
            self._answer(CLIENT.encode(), "text/javascript")
        else:
            path = Path(self.translate_path(address))
            path = path / "index.html" if address.endswith("/") else path
            if path.suffix != ".html" or not path.is_file():
                return False
            self._answer(with_client(path.read_bytes(), builds.number), "text/html; charset=utf-8")
        return True

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def _events(self, builds: Builds) -> None:
        """Say the number of the build, and again whenever it changes, until the page goes away."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        while True:
            said = builds.number
            self.wfile.write(f"retry: 500\ndata: {said}\n\n".encode())
            self.wfile.flush()
            builds.wait(said, 5.0)

    def log_message(self, format: str, *args: object) -> None:
        """Log only when asked."""
        if self.log:
            super().log_message(format, *args)


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing of a browser that went away before its answer was whole."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong unless the other side closed the connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(
    site: Path, releases: Path, port: int, *, header: str = "", log: bool = False, builds: Builds | None = None
) -> http.server.ThreadingHTTPServer:
    """A server of the built site on this machine only; port 0 takes a free one."""
    handler = functools.partial(
        Handler, site=site.resolve(), releases=releases.resolve(), header=header, log=log, builds=builds
    )
    try:
        return Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror}", next="vadose report --serve --port N"
        ) from error


@contextlib.contextmanager
def following(
    workspace: Path, port: int, names: Sequence[str] = (), *, site_url: str, files_url: str = "",
    project: Path | None = None, log: bool = False, say: Callable[[str], None] = lambda words: None,
) -> Iterator[http.server.ThreadingHTTPServer]:  # fmt: skip
    """Serve a built site; while it is served, each change of its sources renders it again and reloads open pages.

    Parameters
    ----------
    workspace, names, site_url, files_url, project
        As `report` was given them.
    say
        Is told of each new build, and of each that failed.
    """
    project = project or site_project()
    site, builds, stop = workspace / "build" / "site", Builds(), threading.Event()
    with server(site, workspace / "releases", port, header=policy(site), log=log, builds=builds) as listener:

        def again() -> None:
            done = report(workspace, names, site_url=site_url, files_url=files_url, project=project)
            build_site(done.config, site_url, issued=done.issued)
            listener.RequestHandlerClass.keywords["header"] = policy(site)  # type: ignore[attr-defined]
            builds.advance()
            say(f"rebuilt: {done.written} files changed")

        def look() -> dict[Path, tuple[int, int]]:
            return fingerprint(sources(workspace, project, names))

        threading.Thread(target=follow, args=(look, again, say, stop), daemon=True).start()
        try:
            yield listener
        finally:
            stop.set()
