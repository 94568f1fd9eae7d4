"""Mutated inputs through the program: `python tests/faults/fuzz.py --count 10000 --seed 412 --out FOLDER`.

Each input runs in a child process with a limit of memory and of time. A fault is: the exit code 1 or a killed process,
an exit code without a message, more than the time allowed, or a file written outside the output folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import shutil
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mutations import mutated
from originals import KINDS, ROUND, Original, originals

SECONDS = 30.0
MEMORY_BYTES = 6 << 30
EXIT_CODES = {0, 2, 3, 4, 5}
BATCH = 100


@dataclass(frozen=True)
class Fault:
    """One input that the program did not take well."""

    number: int
    kind: str
    what: str


def trial(number: int, seed: int, given: dict[str, Original], sandbox: Path) -> tuple[str, int, str]:
    """Mutate one input and run the program on it; returns its kind, the exit code and what was wrong."""
    from vadose.cli.main import run

    generator = np.random.default_rng([seed, number])
    kind = ROUND[number % len(ROUND)]
    original = given[kind]
    here = sandbox / "in"
    shutil.rmtree(sandbox, ignore_errors=True)
    shutil.copytree(original.folder, here, symlinks=True)
    mutated(here / original.targets[int(generator.integers(len(original.targets)))], original.text, generator)
    before = listing(sandbox)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = run(original.command(here, sandbox / "out"))
    wrong = []
    if code not in EXIT_CODES:
        wrong.append(f"exit {code}: {said.getvalue()[-600:]}")
    if code not in (0, 4) and "error" not in said.getvalue():
        wrong.append(f"exit {code} without a message")
    if listing(sandbox) != before:
        wrong.append("wrote outside the output folder")
    return kind, code, "; ".join(wrong)


def listing(sandbox: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file outside the output folder; also of what lies beside the sandbox."""
    found = {}
    for path in (*sandbox.parent.glob("*"), *sandbox.rglob("*")):
        if "out" in path.relative_to(sandbox.parent).parts[1:2] or path.is_dir() or path.is_symlink():
            continue
        state = path.lstat()
        found[str(path)] = (state.st_size, state.st_mtime_ns)
    # Where the names `/escape` and `../../../escape` of damaged inputs would lead, with any ending.
    astray = (place for folder in sandbox.parents for place in folder.glob("escape*"))
    return found | {str(place): (0, 0) for place in astray}


def child(first: int, last: int, seed: int, base: Path, sandbox: Path) -> None:
    """Run the inputs `first:last`, one line of JSON before and one after each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    out = sys.stdout
    given = {kind: Original.load(base, kind) for kind in KINDS}
    warm(given["netcdf"], sandbox)
    for number in range(first, last):
        print(json.dumps({"begins": number}), file=out, flush=True)
        try:
            kind, code, wrong = trial(number, seed, given, sandbox)
        except Exception:  # noqa: BLE001  (whatever it is, it is what the trial looks for)
            kind, code, wrong = ROUND[number % len(ROUND)], 1, traceback.format_exc()[-800:]
        print(json.dumps({"ended": number, "kind": kind, "code": code, "wrong": wrong}), file=out, flush=True)


def warm(original: Original, sandbox: Path) -> None:
    """Run the whole input once, so that the time to compile is nobody's."""
    from vadose.cli.main import run

    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        run(original.command(original.folder, sandbox / "out"))
    shutil.rmtree(sandbox, ignore_errors=True)


def batch(first: int, last: int, seed: int, base: Path, sandbox: Path) -> Iterator[dict[str, object]]:
    """The results of some inputs.

    A child that dies or hangs is a fault of the input it was at, and a new one goes on.
    """
    while first < last:
        words = [sys.executable, __file__, "--child", str(first), str(last), "--seed", str(seed)]
        words += ["--out", str(base), "--sandbox", str(sandbox)]
        at = first
        late = threading.Event()
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            watch = timer(process, late, 120.0)
            for line in process.stdout:
                watch.cancel()
                found = json.loads(line)
                watch = timer(process, late, SECONDS if "begins" in found else 60.0)
                if "ended" in found:
                    at = int(found["ended"]) + 1
                    yield found
            watch.cancel()
            code = process.wait()
        if at < last:
            what = f"longer than {SECONDS:g} s" if late.is_set() else f"the process ended with {code}"
            yield {"ended": at, "kind": ROUND[at % len(ROUND)], "code": code, "wrong": what}
            at += 1
        first = at


def timer(process: subprocess.Popen[str], late: threading.Event, seconds: float = 60.0) -> threading.Timer:
    """Kill a process that says nothing for so long."""

    def stop() -> None:
        late.set()
        process.kill()

    watch = threading.Timer(seconds, stop)
    watch.daemon = True
    watch.start()
    return watch


def fuzz(count: int, seed: int, out: Path, report: Callable[[str], None]) -> tuple[list[Fault], Counter[str]]:
    """Run `count` mutated inputs; returns the faults, and how often each kind ended with which exit code."""
    out.mkdir(parents=True, exist_ok=True)
    originals(out)
    faults: list[Fault] = []
    codes: Counter[str] = Counter()
    for first in range(0, count, BATCH):
        for found in batch(first, min(first + BATCH, count), seed, out, out / "sandbox" / "work"):
            codes[f"{found['kind']} {found['code']}"] += 1
            if found["wrong"]:
                faults.append(Fault(int(str(found["ended"])), str(found["kind"]), str(found["wrong"])))
                report(f"fault {faults[-1]}")
        report(f"{min(first + BATCH, count)} of {count} inputs, {len(faults)} faults")
    return faults, codes


def main() -> int:
    """Print the faults and the counts; exit 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=412)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--child", type=int, nargs=2)
    parser.add_argument("--sandbox", type=Path)
    given = parser.parse_args()
    if given.child:
        child(*given.child, given.seed, given.out, given.sandbox)
        return 0
    faults, codes = fuzz(given.count, given.seed, given.out, lambda line: print(line, flush=True))
    for name, number in sorted(codes.items()):
        print(f"{name}: {number}")
    print(f"{given.count} inputs, seed {given.seed}: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
