"""File systems behind URLs: folders, S3-compatible stores, and whatever else fsspec reaches."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import fsspec

from vadose.common import InputError

# Where an object appears whole or not at all, so that no temporary name is needed.
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs"})


def open_store(url: str) -> tuple[Any, str]:
    """File system and place of a URL.

    A store that speaks S3 is reached by obstore, or by s3fs where that is installed. Address and keys come from the
    environment: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION.
    """
    if url.startswith("s3://") and importlib.util.find_spec("s3fs") is None and importlib.util.find_spec("obstore"):
        importlib.import_module("obstore.fsspec").register("s3")
    try:
        # A kept instance would go on with the address and the listing of an earlier call.
        system, base = fsspec.core.url_to_fs(url, skip_instance_cache=True)
    except (ImportError, ValueError, OSError) as error:
        raise InputError(
            f"cannot reach this address: {error}",
            where=url,
            next="name a folder, or for s3:// install vadose[s3]",
        ) from error
    return system, base


def is_object_store(system: Any) -> bool:
    """Whether a file appears there whole or not at all."""
    names = (system.protocol,) if isinstance(system.protocol, str) else system.protocol
    return bool(OBJECT_STORES & set(names))


@contextlib.contextmanager
def readable_errors(place: str) -> Iterator[None]:
    """Turn what a store says of a lost connection, a missing bucket or a lack of rights into an `InputError`."""
    try:
        yield
    except _errors() as error:
        raise InputError(
            f"cannot be read or written: {str(error).partition(chr(10))[0] or type(error).__name__}",
            where=place,
            next="look at the address and the rights, then run the same command again",
        ) from error


def _errors() -> tuple[type[Exception], ...]:
    """What file systems raise; obstore has errors of its own."""
    if importlib.util.find_spec("obstore") is None:
        return (OSError,)
    return (OSError, importlib.import_module("obstore.exceptions").BaseError)
