"""Single bits flipped at random in a published version: `python tests/faults/flips.py VERSION --count 1000 --seed 412`.

Half of the flips fall on a byte drawn from all bytes of the version, half on a byte of a file drawn from all files, so
that small files have their share. `vadose verify` must find each one, and find nothing once the bit is back.
"""

from __future__ import annotations

import argparse
import random
import sys
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from vadose.common import InputError, silent
from vadose.producer.release.verify import verify


def found(version: Path) -> bool:
    """Whether `verify` says that something is damaged."""
    try:
        return bool(verify(version, silent).damaged)
    except InputError:
        return True


def draws(files: list[Path], count: int, seed: int) -> Iterator[tuple[Path, int, int]]:
    """File, position of the byte and bit."""
    draw = random.Random(seed)
    ends = list(accumulate(path.stat().st_size for path in files))
    for k in range(count):
        place = bisect_right(ends, draw.randrange(ends[-1])) if k % 2 else draw.randrange(len(files))
        yield files[place], draw.randrange(files[place].stat().st_size), draw.randrange(8)


def flip(path: Path, position: int, bit: int) -> None:
    """Flip one bit of a file."""
    with path.open("r+b") as file:
        file.seek(position)
        value = file.read(1)[0] ^ (1 << bit)
        file.seek(position)
        file.write(bytes([value]))


def missed(version: Path, count: int, seed: int) -> list[str]:
    """Flip one bit after the other, each alone; those that `verify` does not find, in words."""
    for path in [version, *version.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    files = sorted(path for path in version.rglob("*") if path.is_file() and path.stat().st_size)
    if found(version):
        raise SystemExit(f"{version} is damaged already")
    unseen = []
    for path, position, bit in draws(files, count, seed):
        flip(path, position, bit)
        if not found(version):
            unseen.append(f"{path.relative_to(version)}, byte {position}, bit {bit}")
        flip(path, position, bit)
    return unseen


def main() -> int:
    """Print how many flips were found; exit 1 unless all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", type=Path, help="a published version; it is made writable and left as it was")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=412)
    given = parser.parse_args()
    unseen = missed(given.version, given.count, given.seed)
    print("\n".join([*unseen, f"{given.count - len(unseen)} of {given.count} flips found; seed {given.seed}"]))
    return 1 if unseen or found(given.version) else 0


if __name__ == "__main__":
    sys.exit(main())
