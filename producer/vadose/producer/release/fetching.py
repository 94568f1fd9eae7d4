"""Files of a release at a URL, whole or in parts; HTTP and HTTPS need nothing but Python."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

from vadose.common import InputError

TIMEOUT_S = 30.0
# Seconds before each further try.
WAITS_S = (0.5, 2.0)
NOT_THERE = frozenset({404, 410})
NOT_TRIED_AGAIN = frozenset({400, 401, 403})

Fetch = Callable[[str, "tuple[int, int] | None"], bytes]


class NotThereError(InputError):
    """The address answers that it has no such file."""


def is_url(name: str) -> bool:
    """Whether a release is named by a URL."""
    return "://" in name


def fetcher(url: str) -> Fetch:
    """What reads a file below a URL, whole or a part of it (first byte, number of bytes).

    HTTP and HTTPS need nothing; any other scheme needs what fsspec asks for.
    """
    base = url.rstrip("/")
    if base.startswith(("http://", "https://")):
        return lambda name, part: _http(f"{base}/{urllib.parse.quote(name)}", part)
    from vadose.producer.release.stores import open_store, readable_errors

    system, root = open_store(base)

    def read(name: str, part: tuple[int, int] | None) -> bytes:
        start, end = (None, None) if part is None else (part[0], sum(part))
        with readable_errors(f"{base}/{name}"):
            try:
                return bytes(system.cat_file(f"{root}/{name}", start=start, end=end))
            except FileNotFoundError as error:
                raise NotThereError("no such file", where=f"{base}/{name}") from error

    return read


def _http(address: str, part: tuple[int, int] | None) -> bytes:
    """A file or a part of it, tried again after a moment where the connection or the server failed."""
    for wait in (*WAITS_S, None):
        try:
            return _http_once(address, part)
        except urllib.error.HTTPError as error:
            if error.code in NOT_THERE:
                raise NotThereError(
                    f"no such file: HTTP {error.code} {error.reason}", where=address,
                    next="look whether the address is that of a version: https://…/PRODUCT/vM.m.p",
                ) from error  # fmt: skip
            reason, final = f"HTTP {error.code} {error.reason}", error.code in NOT_TRIED_AGAIN
        except (OSError, http.client.HTTPException) as error:
            reason, final = str(getattr(error, "reason", None) or error), False
        if wait is None or final:
            break
        time.sleep(wait)
    raise InputError(
        f"cannot be read: {reason}", where=address, next="look whether the address is right, and try again"
    )


def _http_once(address: str, part: tuple[int, int] | None) -> bytes:
    headers = {} if part is None else {"Range": f"bytes={part[0]}-{sum(part) - 1}"}
    # `fetcher` lets nothing but http and https come here.
    request = urllib.request.Request(address, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        # A server without ranges sends the whole file.
        found: bytes = answer.read()
        return found if part is None or answer.status == 206 else found[part[0] : sum(part)]
