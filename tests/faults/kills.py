"""Kills and full disks at random points: `python tests/faults/kills.py --kills 200 --disks 20 --seed 412 --out FOLDER`.

Each trial copies what the stages before left, runs one stage, stops it at a random moment (SIGKILL, of the process that
works or of the one that waits for it) or lets the disk fill, and then asks: is every file under its final name whole,
and does the same command end with the same bytes?
"""

from __future__ import annotations

import argparse
import datetime
import functools
import hashlib
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from apart import apart, begin, imported
from stages import STAGES, begun, run_stage

from vadose.common import write_json

Report = Callable[[str], None]
State = dict[str, str]


def state(workspace: Path) -> State:
    """SHA-256 of every file under a final name, by its path; what is hidden or ends in `.part` is under way."""
    found = {}
    for path in sorted(workspace.rglob("*")):
        parts = path.relative_to(workspace).parts
        if path.is_file() and not any(part.startswith(".") or part.endswith(".part") for part in parts):
            found["/".join(parts)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def copied(source: Path, target: Path) -> Path:
    """A copy that may be written to, where a version was sealed."""
    if target.exists():
        dropped(target)
    shutil.copytree(source, target)
    return target


def dropped(folder: Path) -> None:
    """Remove a folder that may hold sealed ones."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


def folder_after(stage: str) -> str:
    """Name of the folder that holds what the uninterrupted stage left."""
    return f"after-{stage.replace(' ', '-')}"


class Snapshots:
    """What the uninterrupted stages leave, and how long each takes."""

    def __init__(self, folder: Path, stages: Sequence[str]) -> None:
        self.before: dict[str, Path] = {}
        self.after: dict[str, State] = {}
        self.seconds: dict[str, float] = {}
        current = folder / "start"
        current.mkdir(parents=True)
        apart(functools.partial(begun, current))
        for stage in stages:
            self.before[stage] = current
            done = copied(current, folder / folder_after(stage))
            imported(functools.partial(run_stage, stage, copied(current, folder / "trial")))
            started = time.perf_counter()
            code, said = apart(functools.partial(run_stage, stage, done))
            if code:
                raise SystemExit(f"{stage} ends with {code}: {said}")
            self.seconds[stage] = time.perf_counter() - started
            self.after[stage] = state(done)
            current = done


def faults(found: State, before: State, after: State) -> list[str]:
    """Files under a final name that are neither as before nor as after the stage."""
    return [
        name for name, sha256 in found.items()
        if sha256 not in (before.get(name), after.get(name)) and "zarr" not in name
    ]  # fmt: skip


def resumed(stage: str, workspace: Path, after: State) -> list[str]:
    """Run the stage again to its end; what differs from the uninterrupted one."""
    code, said = apart(functools.partial(run_stage, stage, workspace))
    if code:
        return [f"the same command ended with {code}: {said[-300:]}"]
    found = state(workspace)
    return sorted(name for name in {*found, *after} if found.get(name) != after.get(name))


def killed(stage: str, snapshots: Snapshots, workspace: Path, draw: random.Random) -> tuple[bool, list[str]]:
    """Kill one run of a stage at a random moment; whether it was still running, and what was wrong."""
    copied(snapshots.before[stage], workspace)
    before = state(workspace)
    process = begin(functools.partial(run_stage, stage, workspace))
    time.sleep(draw.uniform(0.02, 1.0) * snapshots.seconds[stage])
    process.kill(draw.random() < 0.5)
    running = process.end() != 0
    after = snapshots.after[stage]
    wrong = [f"{name} is neither old nor new" for name in faults(state(workspace), before, after)]
    return running, [*wrong, *resumed(stage, workspace, after)]


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[None]:
    """A file system of so many bytes; needs the right to mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def filled(stage: str, snapshots: Snapshots, disk: Path, draw: random.Random) -> tuple[bool, list[str]]:
    """Run a stage on a disk that cannot hold all it writes; whether it was full, and what was wrong."""
    source = snapshots.before[stage]
    needed = max(occupied(source.parent / folder_after(stage)) - occupied(source), 1)
    with small_disk(disk, 4 * needed + 2 * occupied(source) + (64 << 20)):
        workspace = copied(source, disk / "w")
        resized(disk, used(disk) + int(draw.uniform(0.05, 0.9) * needed))
        before = state(workspace)
        code, said = apart(functools.partial(run_stage, stage, workspace))
        after = snapshots.after[stage]
        wrong = [f"{name} is neither old nor new" for name in faults(state(workspace), before, after)]
        if code not in (0, 3):
            wrong.append(f"exit {code}: {said[-300:]}")
        resized(disk, used(disk) + 4 * needed + (64 << 20))
        return code != 0, [*wrong, *resumed(stage, workspace, after)]


def occupied(folder: Path) -> int:
    """Bytes that a tmpfs needs for the files of a folder: whole pages, once for a file of several names."""
    found = {state.st_ino: state.st_size for state in (path.lstat() for path in folder.rglob("*") if path.is_file())}
    return sum(-(-size // 4096) * 4096 for size in found.values())


def used(disk: Path) -> int:
    """Bytes that are taken on a file system."""
    return shutil.disk_usage(disk).used


def resized(disk: Path, size_bytes: int) -> None:
    """Give a tmpfs another size."""
    subprocess.run(["mount", "-o", f"remount,size={size_bytes}", disk], check=True)


@dataclass
class Counts:
    """How often which stage was killed and met a full disk, and every fault."""

    seed: int
    kills: dict[str, int] = field(default_factory=dict)
    disks: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def save(self, path: Path | None, command: str) -> None:
        """Write them as the site shows them."""
        if path is not None:
            today = datetime.datetime.now(datetime.UTC).date().isoformat()
            write_json(path, {"command": command, "date": today, **asdict(self)})


def trials(
    kills: int, disks: int, seed: int, out: Path, report: Report, result: Path | None = None,
    names: Sequence[str] = tuple(STAGES),
) -> Counts:  # fmt: skip
    """All trials, of the stages in turn; one that ended before it was stopped does not count."""
    draw = random.Random(seed)
    if out.exists():
        dropped(out)
    snapshots = Snapshots(out, names)
    counts = Counts(seed)
    plans = [("kill", killed, out / "trial", kills, counts.kills), ("disk", filled, out / "disk", disks, counts.disks)]
    for name, run, place, count, stopped in plans:
        attempts = 0
        while sum(stopped.values()) < count and attempts < 4 * count:
            stage = names[attempts % len(names)]
            attempts += 1
            effective, wrong = run(stage, snapshots, place, draw)
            stopped[stage] = stopped.get(stage, 0) + int(effective)
            counts.faults += [f"{name} {attempts}, {stage}: {words}" for words in wrong]
            done = f"--kills {sum(counts.kills.values())} --disks {sum(counts.disks.values())} --seed {seed}"
            counts.save(result, f"python tests/faults/kills.py {done}")
            report(f"{name} {attempts} in {stage}: {'stopped' if effective else 'too late'}; {wrong or 'no fault'}")
    return counts


def main() -> int:
    """Print counts and faults; exit 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--disks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=412)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--result", type=Path, help="JSON of the counts, written after each trial")
    parser.add_argument("--stages", nargs="+", choices=tuple(STAGES), default=tuple(STAGES))
    given = parser.parse_args()
    report = functools.partial(print, flush=True)
    counts = trials(given.kills, given.disks, given.seed, given.out, report, given.result, given.stages)
    print("\n".join(counts.faults))
    print(f"kills {counts.kills}, full disks {counts.disks}; seed {given.seed}: {len(counts.faults)} faults")
    return 1 if counts.faults else 0


if __name__ == "__main__":
    sys.exit(main())
