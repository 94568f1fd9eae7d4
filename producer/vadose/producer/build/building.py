"""Writing the granules of a version, slab by slab; what is there already with the same origin is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from vadose.common import GateError, Progress, UsageError, write_text
from vadose.common.progress import Step
from vadose.common.software import Software
from vadose.producer.build.base import Base, newest_below, open_base
from vadose.producer.build.links import link, link_origins, write_note
from vadose.producer.build.overlap import write_overlap
from vadose.producer.build.plan import Action, Plan
from vadose.producer.build.prediction import COUNTED, SCRATCH, Job, Predictor, Scratch, Slices, predict_slab
from vadose.producer.build.signatures import kept_signatures, signatures
from vadose.producer.build.slabs import ONE_DAY, Days, slabs, wanted_periods
from vadose.producer.cube import Cube
from vadose.producer.finishing import check_rules
from vadose.producer.granules import (
    Cells,
    GranuleWriter,
    Identity,
    granule_name,
    parse_name,
    read_attributes,
    read_granule,
)
from vadose.producer.granules.periods import period_end
from vadose.producer.granules.static import write_static
from vadose.producer.lock import only_one
from vadose.producer.provenance import FOLDER, identity, provenance_texts, recorded_identity
from vadose.producer.recipe import Recipe
from vadose.producer.release.folder import Folder
from vadose.producer.release.numbers import kind_of
from vadose.producer.release.root_files import read_versions

# Granules that wait for the disk while the next ones are compressed; file systems confirm many files at once.
QUEUE = 16


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    directory
        The version folder.
    written, kept, linked
        Granules that this call wrote, those that were already there with the same origin, and those that it linked
        from the earlier version.
    """

    directory: Path
    written: int
    kept: int
    linked: int = 0


def build(recipe: Recipe, cube: Cube, model: Predictor, model_directory: Path, directory: Path, memory_bytes: int,
          progress: Progress, days: Sequence[np.datetime64] | Days | None = None, *,
          made_by: Software | None = None, previous: Folder | None = None) -> Built:  # fmt: skip
    """Write the granules of a version; what is there already with the same origin is kept.

    With an earlier version, its granules are linked where a prediction would give the same values: where model and
    inputs are the same it is not made, elsewhere it is made and compared. A number that does not allow what changes is
    refused; a MAJOR writes all granules.

    Parameters
    ----------
    recipe, cube, model
        The product, its inputs and a fitted model of the recipe's method.
    model_directory
        Where the model was saved; its `model.json` goes into the provenance.
    directory
        `releases/<product>/v<M.m.p>/`.
    memory_bytes
        How much prediction and assembly may hold at once; it does not change the result.
    days
        UTC days to write, datetime64[D], of a monthly product the months that hold them; the whole record by default.
    made_by
        Software to name in granules and provenance, if not the running one.
    previous
        The published version to go on from.

    Raises
    ------
    GateError
        If the version is published and the build would change it, the number is not that of the change, or another
        process works on the version.
    UsageError
        If the earlier version is not the one to go on from, or is not named and the number needs one.
    InputError
        If the cube lacks what the recipe needs, or the folder cannot be written.
    """
    check_rules(recipe, cube)
    wanted = wanted_periods(recipe, days)
    texts = provenance_texts(recipe, cube, model_directory, made_by)
    origin = identity(recipe, texts)
    if is_published(directory):
        return _published(recipe, origin, directory, wanted)
    job = Job(recipe, cube, model, origin, directory, memory_bytes, progress)
    base = open_base(previous, recipe) if previous is not None else None
    check_number(directory, recipe, base)
    was_there = directory.exists()
    with only_one(directory, "built"):
        try:
            return _build(job, base, texts, wanted, whole=days is None)
        except (GateError, UsageError):
            # A refused number leaves no half-built folder behind.
            shutil.rmtree(directory / SCRATCH if was_there else directory, ignore_errors=True)
            raise


def check_number(directory: Path, recipe: Recipe, base: Base | None) -> None:
    """Refuse a MINOR or PATCH of a standing version that is not built on it."""
    newest = newest_below(directory.parent, recipe.product.version)
    if base is None and newest is not None and kind_of(newest, recipe.product.version) != "MAJOR":
        raise UsageError(
            f"{recipe.product.version} is a {kind_of(newest, recipe.product.version)} of version {newest}, whose "
            "granules it must keep",
            where=str(directory),
            next=f"vadose build {recipe.recipe} --previous {directory.parent.name}/v{newest}",
        )


def _build(job: Job, base: Base | None, texts: Mapping[str, str], wanted: Days, *, whole: bool) -> Built:
    """Provenance, static file, granules, and the comparison of streams."""
    same_origin = all(_holds(job.directory / FOLDER / name, text) for name, text in texts.items())
    plan = make_plan(job, base, keep=whole or base is not None)
    plan.check(wanted)
    for name, text in texts.items():
        write_if_new(job.directory / FOLDER / name, text)
    write_note(plan, job.directory)
    write_static(job.recipe, job.cube, job.origin, job.directory)
    built = _Periods(job, plan, wanted, same_origin).run()
    if base is not None and whole:
        write_overlap(job, base)
    for part in job.directory.rglob(".*.part"):
        part.unlink()
    return built


def foresee(recipe: Recipe, cube: Cube, model: Predictor, model_directory: Path, directory: Path, wanted: Days,
            previous: Folder | None = None) -> dict[Action, int]:  # fmt: skip
    """How many of the wanted periods a build would write, link, and predict and compare; nothing is written.

    Raises as `build` does for a number that is wrong before any value is predicted.
    """
    origin = identity(recipe, provenance_texts(recipe, cube, model_directory))
    base = open_base(previous, recipe) if previous is not None else None
    check_number(directory, recipe, base)
    known = signatures(recipe, cube, model.past_days, origin.model_sha256) if base is not None else {}
    plan = Plan(recipe, origin, base, known)
    plan.check(wanted)
    counts: dict[Action, int] = {"write": 0, "link": 0, "compare": 0}
    for first in wanted:
        action = plan.action(first)
        counts[action] += action != "write" or not is_current(directory, recipe, origin, first)
    return counts


def make_plan(job: Job, base: Base | None, *, keep: bool) -> Plan:
    """What is to be done with each period; with `keep` the signatures stay in the version folder."""
    if not keep:
        return Plan(job.recipe, job.origin, base, {})
    job.progress.say("hash the inputs of each day")
    known = kept_signatures(job.recipe, job.cube, job.model.past_days, job.origin.model_sha256, job.directory)
    return Plan(job.recipe, job.origin, base, known)


def _published(recipe: Recipe, origin: Identity, directory: Path, wanted: Days) -> Built:
    """A published version stays as it is; anything that would change is refused."""
    recorded = recorded_identity(recipe, directory)
    names = ("recipe_sha256", "model_sha256", "inputs_sha256")
    # The same recipe, model and inputs by other software are still the published version.
    same = all(getattr(origin, name) == getattr(recorded, name) for name in names)
    there = granules_there(directory)
    waiting = wanted.size if not same else sum(first not in there for first in wanted)
    if waiting:
        raise GateError(
            f"version {recipe.product.version} is published; {waiting} granules would change or be added",
            where=str(directory),
            next="raise product.version and product.issued in the recipe",
        )
    return Built(directory, 0, wanted.size)


def granules_there(directory: Path) -> dict[np.datetime64, list[PurePosixPath]]:
    """Granules in a version folder, by the first day of their day or month, as paths inside it."""
    found: dict[np.datetime64, list[PurePosixPath]] = {}
    for step in ("DAILY", "MONTHLY"):
        # Only the rolling folder has no folder of the stream.
        for path in (*directory.glob(f"*/{step}/**/*.nc"), *directory.glob(f"{step}/**/*.nc")):
            if not path.name.startswith("."):
                first = np.datetime64(parse_name(path.name).day, "D")
                found.setdefault(first, []).append(PurePosixPath(path.relative_to(directory)))
    return found


class _Periods:
    """The granules of the wanted periods, linked, or predicted slab by slab."""

    def __init__(self, job: Job, plan: Plan, wanted: Days, same_origin: bool) -> None:
        self.job, self.plan, self.wanted, self.same_origin = job, plan, wanted, same_origin
        self.there = granules_there(job.directory)
        self.written = self.linked = 0

    def run(self) -> Built:
        """Place them all."""
        base = self.plan.base
        actions = {first: self.plan.action(first) for first in self.wanted}
        links = [first for first, action in actions.items() if action == "link"]
        if base is not None and not self.plan.rewritten:
            kept = [base.granules[first] for first in self.wanted if actions[first] != "write"]
            link_origins(base, self.job.directory, {str(entry["since"]) for entry in kept})
        for first in self.job.progress.track(links, "link granules"):
            self._link(first)
        waiting = {first: action for first, action in actions.items() if action != "link" and not self._is_done(first)}
        scratch = Scratch(self.job.directory / SCRATCH, self.job.recipe, self.job.cube, self.job.origin)
        writer = GranuleWriter(self.job.recipe, self.job.origin)
        with self.job.progress.step("granules", len(self.wanted)) as step:
            step.advance(len(self.wanted) - len(waiting))
            for slab in slabs(self.job.recipe):
                todo = {first: waiting[first] for first in sorted(waiting) if slab.days[0] <= first <= slab.days[-1]}
                if todo:
                    predict_slab(self.job, slab, period_end(max(todo), self.job.recipe.product.step) - ONE_DAY, scratch)
                    slices = Slices(self.job.cube, slab, scratch, self.job.recipe.product.step)
                    self._place_slab(slices, writer, todo, step)
                    scratch.drop(slab)
        scratch.remove()
        return Built(self.job.directory, self.written, self.wanted.size - self.written - self.linked, self.linked)

    def _place_slab(
        self, slices: Slices, writer: GranuleWriter, todo: Mapping[np.datetime64, Action], step: Step
    ) -> None:
        """Compare, link and write the periods of one slab."""
        new = self._compared(slices, np.array([first for first in todo if todo[first] == "compare"], "datetime64[D]"))
        writes = np.array([first for first in todo if todo[first] == "write" or first in new], "datetime64[D]")
        step.advance(len(todo) - writes.size)
        for first, _ in zip(writes, write_slab(self.job, writer, slices, writes), strict=True):
            self._placed(first, granule_name(self.job.recipe.product, first).path)
            self.written += 1
            step.advance()

    def _is_done(self, first: np.datetime64) -> bool:
        """Whether the granule is there; a linked one counts if it was compared with the same origin."""
        if is_current(self.job.directory, self.job.recipe, self.job.origin, first):
            own = self.plan.target(first, linked=False)
            return self.there.get(first) == [own] and (self.plan.action(first) == "write" or self.plan.rewritten)
        if self.plan.action(first) != "compare" or self.plan.rewritten or not self.same_origin:
            return False
        return self.there.get(first) == [self.plan.target(first, linked=True)]

    def _compared(self, slices: Slices, periods: Days) -> Days:
        """Link the periods whose published values are those predicted; those to write under a new name are returned."""
        base = self.plan.base
        if base is None or not periods.size:
            return periods
        changed = [first for first in periods if not same_values(base.path(first), slices.cells(first), self.job)]
        if changed:
            self.plan.refuse_values(np.array(changed, "datetime64[D]"))
        if self.plan.rewritten:
            return periods
        for first in periods:
            self._link(first)
        return periods[:0]

    def _link(self, first: np.datetime64) -> None:
        base = self.plan.base
        assert base is not None, "only a build with an earlier version links"
        place = self.plan.target(first, linked=True)
        self.linked += link(base.path(first), self.job.directory / place)
        self._placed(first, place)

    def _placed(self, first: np.datetime64, place: PurePosixPath) -> None:
        """Remove other granules of the same period, which an earlier call with another plan left."""
        for other in self.there.get(first, []):
            if other != place:
                (self.job.directory / other).unlink(missing_ok=True)


def same_values(published: Path, cells: Cells, job: Job) -> bool:
    """Whether a granule holds exactly the values that would be written."""
    rows, columns = job.recipe.product.grid.grid().shape
    stored = read_granule(published).values
    fields = cells.strip(0, rows, columns)
    return all(name in stored and np.array_equal(stored[name][0], values) for name, values in fields.items())


def is_published(directory: Path) -> bool:
    """Whether the product's `versions.json` lists this version."""
    return any(f"v{entry['version']}" == directory.name for entry in read_versions(directory.parent))


def is_current(directory: Path, recipe: Recipe, origin: Identity, first: np.datetime64) -> bool:
    """Whether the granule that begins on `first` is there, made from the same recipe, model, inputs and software."""
    path = directory / granule_name(recipe.product, first).path
    if not path.is_file():
        return False
    found = read_attributes(path, ("history", "input_manifest_sha256"))
    return found == {"history": origin.history(recipe.product.issued), "input_manifest_sha256": origin.inputs_sha256}


def forget(directory: Path, recipe: Recipe, periods: Days) -> None:
    """Remove granules so that the next build writes them again; a published version is refused."""
    if is_published(directory):
        raise GateError(f"version {recipe.product.version} is published", where=str(directory))
    for first in periods:
        (directory / granule_name(recipe.product, first).path).unlink(missing_ok=True)


def write_if_new(path: Path, text: str) -> None:
    """Write a text unless the file holds it already."""
    if not _holds(path, text):
        write_text(path, text)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def write_slab(job: Job, writer: GranuleWriter, slices: Slices, todo: Days) -> Iterator[Path]:
    """Write the granules of the periods `todo`; threads hide the time that the disk takes to confirm a file."""
    # netCDF-C must not be called by two threads at once; h5py takes turns by itself.
    threads = QUEUE if job.recipe.build.writer != "netcdf4" else 1
    period_bytes = job.cube.index.size * COUNTED.itemsize
    queue = max(1, min(QUEUE, job.memory_bytes // (8 * period_bytes)))
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[Path]] = []
        for first in todo:
            waiting.append(pool.submit(writer.write, job.directory, first, slices.cells(first)))
            if len(waiting) >= queue:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
