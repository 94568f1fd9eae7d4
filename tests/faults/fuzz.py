"""Mutated inputs through the program: `python tests/faults/fuzz.py --count 10000 --seed 412 --out FOLDER`.

Each input runs in a child process with a limit of memory and of time. A fault is: the exit code 1 or a killed process,
an exit code without a message, more than the time allowed, or a file written outside the output folder. With
`--result FILE` the counts are kept there, and another run goes on from them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from mutations import mutated
from originals import KINDS, ROUND, Original, originals

from vadose.common import write_json

SECONDS = 30.0
MEMORY_BYTES = 6 << 30
EXIT_CODES = {0, 2, 3, 4, 5}
BATCH = 100


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

    Where a child dies or hangs, the input it was at is run again alone, and a new child goes on.
    """
    while first < last:
        at = first
        for found in run_child(first, last, seed, base, sandbox):
            if "ended" in found:
                at = int(str(found["ended"])) + 1
                yield found
        if at < last:
            # A damaged file may have harmed the libraries of a process that goes on to others: what counts is the
            # input alone, as a user's program would meet it.
            yield alone(at, seed, base, sandbox)
            at += 1
        first = at


def alone(number: int, seed: int, base: Path, sandbox: Path) -> dict[str, object]:
    """The result of one input in a process of its own; one that dies or hangs there is a fault."""
    ended: dict[str, object] = {}
    for found in run_child(number, number + 1, seed, base, sandbox):
        if "ended" in found:
            return found
        ended = found
    kind = ROUND[number % len(ROUND)]
    # A library that never comes back ends the whole program, which says so and leaves the exit code of a bad input.
    readable = ended["died"] == 3 and "error: input" in str(ended["said"])
    return {"ended": number, "kind": kind, "code": ended["died"], "wrong": "" if readable else ended["what"]}


def run_child(first: int, last: int, seed: int, base: Path, sandbox: Path) -> Iterator[dict[str, object]]:
    """The results of a child process, and how it died where it did."""
    words = [sys.executable, __file__, "--child", str(first), str(last), "--seed", str(seed)]
    words += ["--out", str(base), "--sandbox", str(sandbox)]
    late = threading.Event()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdout is not None
        watch = timer(process, late, 120.0)
        try:
            for line in process.stdout:
                watch.set()
                found = json.loads(line)
                watch = timer(process, late, SECONDS if "begins" in found else 60.0)
                if "ended" in found:
                    yield found
        finally:
            watch.set()
        code = process.wait()
        if code:
            said.seek(0)
            what = f"longer than {SECONDS:g} s" if late.is_set() else f"the process ended with {code}"
            yield {"died": code, "what": what, "said": said.read()}


def timer(process: subprocess.Popen[str], late: threading.Event, seconds: float = 60.0) -> threading.Event:
    """Kill a process that says nothing for so much of its own computing time, or ten times as long by the clock.

    Setting the event that is returned ends the watch.
    """
    silent = threading.Event()

    def watch() -> None:
        began, computed = time.monotonic(), computing_seconds(process.pid)
        while not silent.wait(0.5):
            own, clock = computing_seconds(process.pid) - computed, time.monotonic() - began
            if own > seconds or clock > 10.0 * seconds:
                late.set()
                process.kill()
                return

    threading.Thread(target=watch, daemon=True).start()
    return silent


def computing_seconds(number: int) -> float:
    """User and system time of a process so far; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Counts:
    """Inputs that were tried, how often each kind ended with which exit code, and the faults."""

    seed: int
    inputs: int = 0
    fuzz: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path | None, seed: int) -> Counts:
        """What an earlier run of the same seed left."""
        if path is None or not path.is_file():
            return cls(seed)
        known = json.loads(path.read_text())
        if known["seed"] != seed:
            raise SystemExit(f"{path} is of seed {known['seed']}")
        return cls(seed, known["inputs"], known["fuzz"], known["faults"])

    def add(self, found: dict[str, object]) -> str | None:
        """Count one input; what was wrong in words."""
        codes = self.fuzz.setdefault(str(found["kind"]), {})
        codes[str(found["code"])] = codes.get(str(found["code"]), 0) + 1
        self.inputs += 1
        if not found["wrong"]:
            return None
        self.faults.append(f"input {found['ended']}, {found['kind']}: {found['wrong']}")
        return self.faults[-1]

    def save(self, path: Path | None, command: str) -> None:
        """Write them as the site shows them."""
        if path is not None:
            today = datetime.datetime.now(datetime.UTC).date().isoformat()
            write_json(path, {"command": command, "date": today, **asdict(self)})


def fuzz(count: int, seed: int, out: Path, report: Callable[[str], None], result: Path | None = None) -> Counts:
    """Run the mutated inputs up to number `count`."""
    out.mkdir(parents=True, exist_ok=True)
    originals(out)
    counts = Counts.load(result, seed)
    while counts.inputs < count:
        last = min(counts.inputs + BATCH, count)
        for found in batch(counts.inputs, last, seed, out, out / "sandbox" / "work"):
            wrong = counts.add(found)
            if wrong:
                report(f"fault: {wrong}")
        report(f"{last} of {count} inputs, {len(counts.faults)} faults")
        counts.save(result, f"python tests/faults/fuzz.py --count {counts.inputs} --seed {seed}")
    return counts


def main() -> int:
    """Print the faults and the counts; exit 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=412)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--result", type=Path, help="JSON of the counts; another run goes on from it")
    parser.add_argument("--child", type=int, nargs=2)
    parser.add_argument("--sandbox", type=Path)
    given = parser.parse_args()
    if given.child:
        child(*given.child, given.seed, given.out, given.sandbox)
        return 0
    counts = fuzz(given.count, given.seed, given.out, lambda line: print(line, flush=True), given.result)
    for kind, codes in sorted(counts.fuzz.items()):
        print(f"{kind}: {', '.join(f'{number} with exit {code}' for code, number in sorted(codes.items()))}")
    print(f"{counts.inputs} inputs, seed {given.seed}: {len(counts.faults)} faults")
    return 1 if counts.faults else 0


if __name__ == "__main__":
    sys.exit(main())
