"""MkDocs over the rendered folder, and the policy header of the result."""

from __future__ import annotations

import base64
import filecmp
import hashlib
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from vadose.common import InputError, UsageError

_SCRIPT = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script>", re.DOTALL | re.IGNORECASE)
_DATA = re.compile(rb"type\s*=\s*[\"']?application/(ld\+)?json", re.IGNORECASE)


def build_site(config: Path, site_url: str, *, issued: str = "") -> Path:
    """Run MkDocs, strict, on `config`; returns the folder of the site, in which only what changed is rewritten.

    The dates in its site map are `issued`, since no clock is read. A site that fails leaves the last one as it was.

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
    site, part = config.parent / "site", config.parent / ".site.part"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(part.resolve())]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            if any("No module named" in line and "mkdocs" in line for line in said):
                raise UsageError("MkDocs is not installed", next="pip install 'vadose[docs]'")
            raise InputError("MkDocs refuses the pages", where=str(config), why="\n         ".join(said[-12:]))
        mirror(part, site)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return site


def mirror(source: Path, target: Path) -> tuple[int, int]:
    """Move what differs into `target` and remove what `source` has not; how many files were moved and removed."""
    target.mkdir(parents=True, exist_ok=True)
    names = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    removed = 0
    for path in sorted(target.rglob("*"), reverse=True):
        name = path.relative_to(target)
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in names:
            path.unlink()
            removed += 1
    moved = 0
    for name in sorted(names):
        kept = target / name
        if kept.is_file() and filecmp.cmp(source / name, kept, shallow=False):
            continue
        kept.parent.mkdir(parents=True, exist_ok=True)
        (source / name).replace(kept)
        moved += 1
    return moved, removed


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
