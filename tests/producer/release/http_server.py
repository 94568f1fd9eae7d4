"""A small HTTP server over a folder, with or without ranges, that notes what it was asked for."""

import functools
import http.server
import re
import threading
from contextlib import contextmanager
from pathlib import Path


class Whole(http.server.SimpleHTTPRequestHandler):
    """A server without ranges, as Python's own is; it notes what it was asked for."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        super().do_GET()


class Ranges(Whole):
    """A server that answers ranges, and fails where it is told to."""

    def do_GET(self):
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if part is None:
            return super().do_GET()
        self.server.asked.append((self.path, part[0]))
        if self.server.failures:
            self.server.failures -= 1
            return self.send_error(503)
        raw = Path(self.translate_path(self.path)).read_bytes()[int(part[1]) : int(part[2]) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(self.server.changed(raw))
        return None


@contextmanager
def served(folder, *, ranges=True, failures=0, changed=bytes):
    """The server, and the address of a version below the folder."""
    handler = Ranges if ranges else Whole
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    server.asked, server.failures, server.changed = [], failures, changed
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}/demosmall-0p25deg/v1.0.0"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
