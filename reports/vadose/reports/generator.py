"""MkDocs over the rendered folder, the policy header of the result, and a local server."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from vadose.common import InputError, UsageError

_SCRIPT = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script>", re.DOTALL | re.IGNORECASE)
_DATA = re.compile(rb"type\s*=\s*[\"']?application/(ld\+)?json", re.IGNORECASE)


def build_site(config: Path, site_url: str, *, issued: str = "") -> Path:
    """Run MkDocs, strict, on `config`; returns the folder of the site.

    The dates in its site map are `issued`, since no clock is read.

    Raises
    ------
    UsageError
        If MkDocs is not installed.
    InputError
        If it warns or fails; what it said is in the message.
    """
    environment = os.environ | {
        "NO_MKDOCS_2_WARNING": "1",
        "VADOSE_SITE_URL": site_url,
        "SOURCE_DATE_EPOCH": str(int(datetime.fromisoformat(issued).timestamp())) if issued else "0",
    }
    # Never -q: quiet also silences strict, and broken links would pass.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        if any("No module named" in line and "mkdocs" in line for line in said):
            raise UsageError("MkDocs is not installed", next="pip install 'vadose[docs]'")
        raise InputError("MkDocs refuses the pages", where=str(config), why="\n         ".join(said[-12:]))
    return config.parent / "site"


def policy(site: Path) -> str:
    """The Content-Security-Policy header for a built site: hashes of the theme's inline scripts, nothing else."""
    pages = sorted(site.rglob("*.html"))
    if not pages:
        raise InputError("no built site", where=str(site), next="vadose report --build")
    found: set[str] = set()
    for page in pages:
        for match in _SCRIPT.finditer(page.read_bytes()):
            inline = b"src=" not in match["attributes"] and not _DATA.search(match["attributes"])
            if inline and match["text"].strip():
                digest = hashlib.sha256(match["text"]).digest()
                found.add(f"'sha256-{base64.b64encode(digest).decode()}'")
    return (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        f"script-src 'self' {' '.join(sorted(found))}".rstrip()
    )


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the site, and the releases under /files/; a range of a file may be asked for."""

    def __init__(self, *args: object, site: Path, releases: Path, header: str, log: bool, **given: object) -> None:
        self.site, self.releases, self.header, self.log = site, releases, header, log
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
    site: Path, releases: Path, port: int, *, header: str = "", log: bool = False
) -> http.server.ThreadingHTTPServer:
    """A server of the built site on this machine only; port 0 takes a free one."""
    handler = functools.partial(Handler, site=site.resolve(), releases=releases.resolve(), header=header, log=log)
    try:
        return Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror}", next="vadose report --serve --port N"
        ) from error
