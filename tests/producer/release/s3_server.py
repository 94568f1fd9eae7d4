"""A small S3-compatible server: objects of one process in memory, path style, no signatures checked."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree
from xml.sax.saxutils import escape

WHEN = "Thu, 15 Jan 2026 00:00:00 GMT"
STAMP = "2026-01-15T00:00:00.000Z"


@dataclass
class Store:
    """Objects by `bucket/key`; writing a key of `refused` answers 403, `order` is what was written."""

    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)


def handler(store: Store) -> type[BaseHTTPRequestHandler]:
    """What answers the requests."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

        @property
        def place(self) -> tuple[str, dict[str, str]]:
            path, _, query = self.path.partition("?")
            return urllib.parse.unquote(path).lstrip("/"), dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def answer(self, code: int, body: bytes = b"", size: int | None = None, **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body) if size is None else size))
            self.end_headers()
            self.wfile.write(body)

        def xml(self, text: str, code: int = 200) -> None:
            self.answer(code, f'<?xml version="1.0"?>{text}'.encode(), Content_Type="application/xml")

        def keep(self, key: str, raw: bytes) -> str:
            store.objects[key] = raw
            store.order.append(key)
            return f'"{hashlib.md5(raw).hexdigest()}"'

        def do_HEAD(self) -> None:
            key, _ = self.place
            if key not in store.objects:
                self.answer(404)
                return
            self.answer(200, size=len(store.objects[key]), ETag='"x"', Last_Modified=WHEN, Accept_Ranges="bytes")

        def do_GET(self) -> None:
            key, query = self.place
            if "list-type" in query:
                self.listing(key.partition("/")[0], query.get("prefix", ""), query.get("delimiter", ""))
                return
            if key not in store.objects:
                self.xml("<Error><Code>NoSuchKey</Code></Error>", 404)
                return
            raw = store.objects[key]
            ranged = self.headers.get("Range", "")
            common = {"ETag": '"x"', "Last_Modified": WHEN}
            if not ranged:
                self.answer(200, raw, **common)
                return
            first, _, last = ranged.removeprefix("bytes=").partition("-")
            end = min(int(last) + 1 if last else len(raw), len(raw))
            part = raw[int(first) : end]
            self.answer(206, part, Content_Range=f"bytes {first}-{end - 1}/{len(raw)}", **common)

        def listing(self, bucket: str, prefix: str, delimiter: str) -> None:
            found = {
                key.partition("/")[2]: raw for key, raw in store.objects.items() if key.startswith(f"{bucket}/{prefix}")
            }
            folders = set()
            if delimiter:
                folders = {prefix + key[len(prefix) :].partition(delimiter)[0] + delimiter
                           for key in found if delimiter in key[len(prefix) :]}  # fmt: skip
                found = {key: raw for key, raw in found.items() if delimiter not in key[len(prefix) :]}
            items = "".join(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{STAMP}</LastModified><ETag>x</ETag>"
                f"<Size>{len(raw)}</Size></Contents>"
                for key, raw in sorted(found.items())
            )
            items += "".join(
                f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
            )
            self.xml(f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>")

        def do_PUT(self) -> None:
            key, query = self.place
            raw = self.body()
            if key in store.refused:
                self.xml("<Error><Code>AccessDenied</Code><Message>no right to write</Message></Error>", 403)
                return
            source = self.headers.get("x-amz-copy-source")
            if source:
                tag = self.keep(key, store.objects[urllib.parse.unquote(source).lstrip("/")])
                self.xml(f"<CopyObjectResult><ETag>{tag}</ETag><LastModified>{STAMP}</LastModified></CopyObjectResult>")
            elif "partNumber" in query:
                store.parts[query["uploadId"]][int(query["partNumber"])] = raw
                self.answer(200, ETag=f'"{query["partNumber"]}"')
            else:
                self.answer(200, ETag=self.keep(key, raw))

        def do_POST(self) -> None:
            key, query = self.place
            raw = self.body()
            if "uploads" in query:
                name = f"upload-{len(store.parts)}"
                store.parts[name] = {}
                self.xml(f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>")
            elif "delete" in query:
                names = [item.text or "" for item in ElementTree.fromstring(raw).iter() if item.tag.endswith("Key")]
                for name in names:
                    store.objects.pop(f"{key.strip('/')}/{name}", None)
                gone = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names)
                self.xml(f"<DeleteResult>{gone}</DeleteResult>")
            else:
                parts = store.parts.pop(query["uploadId"])
                tag = self.keep(key, b"".join(parts[number] for number in sorted(parts)))
                self.xml(f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>")

        def do_DELETE(self) -> None:
            store.objects.pop(self.place[0], None)
            self.answer(204)

    return Answer


@contextlib.contextmanager
def s3_server() -> Iterator[tuple[Store, str]]:
    """A running server: its store and its address."""
    store = Store()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(store))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
