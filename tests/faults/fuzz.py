"""Mutated inputs through the program: `python tests/faults/fuzz.py --count 10000 --seed 412 --out FOLDER`.

Each input runs in a process of its own, supervised as the program is, with a limit of memory and of time. A fault is:
the exit code 1, as of a crash that names no file, an exit code without a message, more than the time allowed, or a file
written outside the output folder. With
`--result FILE` the counts are kept there, and another run goes on from them.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from apart import apart, imported
from mutations import mutated
from originals import KINDS, ROUND, Original, originals

from vadose.cli import main
from vadose.common import write_json

SECONDS = 30.0
MEMORY_BYTES = 6 << 30
EXIT_CODES = {0, 2, 3, 4, 5}
BATCH = 250


def trial(number: int, seed: int, given: dict[str, Original], sandbox: Path) -> tuple[str, int, str]:
    """Mutate one input and run the program on it; returns its kind, the exit code and what was wrong."""
    generator = np.random.default_rng([seed, number])
    kind = ROUND[number % len(ROUND)]
    original = given[kind]
    here = sandbox / "in"
    shutil.rmtree(sandbox, ignore_errors=True)
    shutil.copytree(original.folder, here, symlinks=True)
    mutated(here / original.targets[int(generator.integers(len(original.targets)))], original.text, generator)
    before = listing(sandbox)
    code, said = apart(lambda: main.run(original.command(here, sandbox / "out")))
    wrong = []
    if code not in EXIT_CODES:
        wrong.append(f"exit {code}: {said[-600:]}")
    if "Traceback" in said:
        wrong.append(f"a traceback: {said[-600:]}")
    if code not in (0, 4) and "error" not in said:
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
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    given = {kind: Original.load(base, kind) for kind in KINDS}
    for original in given.values():
        warm(original, sandbox)
    for number in range(first, last):
        print(json.dumps({"begins": number}), file=out, flush=True)
        try:
            kind, code, wrong = trial(number, seed, given, sandbox)
        except Exception:  # noqa: BLE001  (whatever it is, it is what the trial looks for)
            kind, code, wrong = ROUND[number % len(ROUND)], 1, traceback.format_exc()[-800:]
        print(json.dumps({"ended": number, "kind": kind, "code": code, "wrong": wrong}), file=out, flush=True)


def warm(original: Original, sandbox: Path) -> None:
    """Run the whole input once, so that the time to import and to compile is nobody's."""
    imported(lambda: main.run(original.command(original.folder, sandbox / "out")))
    shutil.rmtree(sandbox, ignore_errors=True)


def batch(first: int, last: int, seed: int, base: Path, sandbox: Path) -> Iterator[dict[str, object]]:
    """The results of some inputs; where a child hangs or dies, that input has a fault, and a new child goes on."""
    while first < last:
        for found in run_child(first, last, seed, base, sandbox):
            if "died" in found:
                kind = ROUND[first % len(ROUND)]
                yield {"ended": first, "kind": kind, "code": found["died"], "wrong": found["what"]}
            else:
                yield found
            first += 1


def run_child(first: int, last: int, seed: int, base: Path, sandbox: Path) -> Iterator[dict[str, object]]:
    """The results of a child process, and how it died where it did."""
    words = [sys.executable, __file__, "--child", str(first), str(last), "--seed", str(seed)]
    words += ["--out", str(base), "--sandbox", str(sandbox)]
    late = threading.Event()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        watch = timer(process, late, 300.0)
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
            what = f"longer than {SECONDS:g} s" if late.is_set() else f"the process ended with {code}"
            yield {"died": code, "what": what}


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
    """User and system time so far of a process and of its children that run; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(computing_seconds(int(child)) for child in children)


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


def fuzz(
    count: int, seed: int, out: Path, report: Callable[[str], None], result: Path | None = None, jobs: int = 1
) -> Counts:
    """Run the mutated inputs up to number `count`, in so many processes at once."""
    out.mkdir(parents=True, exist_ok=True)
    originals(out)
    counts = Counts.load(result, seed)

    def tried(first: int) -> list[dict[str, object]]:
        return list(batch(first, min(first + BATCH, count), seed, out, out / f"sandbox-{first}" / "work"))

    firsts = range(counts.inputs, count, BATCH)
    with ThreadPoolExecutor(jobs) as pool:
        for first, results in zip(firsts, pool.map(tried, firsts), strict=True):
            for found in results:
                wrong = counts.add(found)
                if wrong:
                    report(f"fault: {wrong}")
            shutil.rmtree(out / f"sandbox-{first}", ignore_errors=True)
            report(f"{counts.inputs} of {count} inputs, {len(counts.faults)} faults")
            counts.save(result, f"python tests/faults/fuzz.py --count {counts.inputs} --seed {seed}")
    return counts


def run_trial() -> int:
    """Print the faults and the counts; exit 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=412)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--result", type=Path, help="JSON of the counts; another run goes on from it")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--child", type=int, nargs=2)
    parser.add_argument("--sandbox", type=Path)
    given = parser.parse_args()
    if given.child:
        child(*given.child, given.seed, given.out, given.sandbox)
        return 0
    report = functools.partial(print, flush=True)
    counts = fuzz(given.count, given.seed, given.out, report, given.result, given.jobs)
    for kind, codes in sorted(counts.fuzz.items()):
        print(f"{kind}: {', '.join(f'{number} with exit {code}' for code, number in sorted(codes.items()))}")
    print(f"{counts.inputs} inputs, seed {given.seed}: {len(counts.faults)} faults")
    return 1 if counts.faults else 0


if __name__ == "__main__":
    sys.exit(run_trial())
