"""Native files from their public places, checked against known hashes."""

from __future__ import annotations

import importlib.resources
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pooch

from vadose.common import InputError, Progress, file_sha256

CONUS412_COMMIT = "b8a149c47797d032dd924940b3370d140b05aec3"
CONUS412_URL = f"https://raw.githubusercontent.com/mhpi/hydroDL/{CONUS412_COMMIT}/example/data/"
TIMEOUT_S = 60


@dataclass(frozen=True)
class Item:
    """One file of a data set: its path below the folder, SHA-256 and size in bytes."""

    name: str
    sha256: str
    bytes: int

    def is_there(self, folder: Path) -> bool:
        """Whether the file is in the folder, whole and unchanged."""
        path = folder / self.name
        return path.is_file() and path.stat().st_size == self.bytes and file_sha256(path) == self.sha256


def conus412_files() -> tuple[Item, ...]:
    """The files of the CSV layout of CONUS-412 (mhpi/hydroDL, `example/data/CONUSv4f1`)."""
    registry = importlib.resources.files("vadose.producer").joinpath("registry_conus412.txt")
    lines = registry.read_text(encoding="ascii").splitlines()
    return tuple(Item(name, sha256, int(size)) for name, sha256, size in (line.split() for line in lines))


def fetch_files(
    items: Sequence[Item], base_url: str, folder: Path, *, force: bool = False, progress: Progress
) -> tuple[int, int]:
    """Get files by HTTP into a folder; what is there with the right hash is skipped.

    A file comes under a temporary name and gets its own only when its hash is right.

    Parameters
    ----------
    base_url
        Address of the folder that the items' names lie below.
    force
        Get all files again.

    Returns
    -------
    fetched, skipped
        Numbers of files.

    Raises
    ------
    InputError
        Where a file is not there, the server does not answer, or a file has another hash than the known one.
    """
    logging.getLogger("pooch").setLevel(logging.ERROR)
    base = base_url if base_url.endswith("/") else f"{base_url}/"
    downloader = pooch.HTTPDownloader(progressbar=False, timeout=TIMEOUT_S)
    fetched = 0
    for item in progress.track(items, "fetching"):
        if not force and item.is_there(folder):
            continue
        _fetch(item, base, folder, downloader)
        fetched += 1
    return fetched, len(items) - fetched


def _fetch(item: Item, base: str, folder: Path, downloader: pooch.HTTPDownloader) -> None:
    url = base + item.name
    path = folder / item.name
    part = path.with_name(f".{path.name}.part")
    known = f"sha256:{item.sha256}"
    try:
        part.unlink(missing_ok=True)
        pooch.retrieve(url, known_hash=known, fname=part.name, path=part.parent, downloader=downloader)
        part.replace(path)
    except ValueError as error:
        raise InputError(
            "the file has another SHA-256 than the known one",
            where=url,
            why=f"expected {item.sha256}; the file was changed or cut off on the way",
            next="run the same command again, or name a trusted copy with --base-url",
        ) from error
    except OSError as error:
        raise _readable(error, url, path) from error


def _readable(error: OSError, url: str, path: Path) -> InputError:
    """What went wrong: an answer of the server, no answer, or the disk."""
    response = getattr(error, "response", None)
    again = "run the same command again; files that have come are kept"
    if response is not None:
        return InputError(
            f"the server answers {response.status_code} {response.reason}", where=url, next="check --base-url"
        )
    if hasattr(error, "request"):
        return InputError(f"the server cannot be reached: {type(error).__name__}", where=url, next=again)
    return InputError(f"cannot write: {error.strerror or error}", where=str(path), next=f"free space, then {again}")
