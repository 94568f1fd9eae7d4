"""One validation: all references, all products, every table of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import InputError, Progress, VadoseError, silent
from vadose.validation import blocks
from vadose.validation.audit import Ledger, global_index, seen, station_labels, upstream_labels
from vadose.validation.baselines import BASELINES, Nowcast, with_baselines
from vadose.validation.blocks import Block, Scores
from vadose.validation.collocations import Members, reference_error, station_classes
from vadose.validation.matching import CellSeries, Matched, match
from vadose.validation.network import Network
from vadose.validation.options import Options
from vadose.validation.pairs import takes_more_than_half, with_pairs
from vadose.validation.placing import clusters
from vadose.validation.products import Product
from vadose.validation.references import Reference, trimmed
from vadose.validation.relations import IN_SITU, Relation, nature
from vadose.validation.scores import HEADLINE
from vadose.validation.sources import MapReference
from vadose.validation.station_table import INDEPENDENT, UNKNOWN, station_groups, station_table
from vadose.validation.tables import Tables, over_all, tables_of

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.str_]
Reader = Callable[[Reference], Mapping[str, CellSeries]]

REPRESENTATIVENESS = "representativeness"
# References of more cells than this keep no rows of single cells; maps hold them.
MANY_CELLS = 5000
CELLS_AT_ONCE = 2048


@dataclass(frozen=True)
class Suite:
    """What is compared with what.

    Attributes
    ----------
    product, previous, rivals
        Opened products; ours first.
    ledger
        What our model learnt from, or None.
    options
        How to score.
    relations
        How the products and gridded references depend on each other.
    nowcast
        What our product had of its input, where it is made for the same day.
    """

    product: Product
    previous: Product | None
    rivals: tuple[Product, ...]
    ledger: Ledger | None
    options: Options = field(default_factory=Options)
    relations: tuple[Relation, ...] = ()
    nowcast: Nowcast | None = None

    @property
    def products(self) -> tuple[Product, ...]:
        """Ours, the previous version, the rivals."""
        return (self.product, *([self.previous] if self.previous else []), *self.rivals)

    @property
    def split(self) -> str:
        """Label of what the model has not seen."""
        return self.ledger.split if self.ledger else UNKNOWN


def evaluate(suite: Suite, reference: Reference | MapReference, read: Reader, progress: Progress = silent) -> Tables:
    """Score all products at one reference.

    Parameters
    ----------
    suite
        Products and ledger.
    reference
        Stations, or cells of a gridded reference.
    read
        Series of all products at some of the stations.
    progress
        Where to report.

    Raises
    ------
    InputError
        If our product has no day in common with the reference.
    """
    try:
        return _evaluated(suite, reference, read, progress)
    except VadoseError:
        raise
    # Whatever a station raises costs that station alone; what no single station explains is raised again.
    except Exception as error:
        failing = {} if suite.options.strict or reference.kind == "cells" else _failing(suite, reference, read)
        if not failing or len(failing) == len(reference.table):
            raise
        progress.say(f"{len(failing)} stations failed: {error!r}")
    rest = np.setdiff1d(np.arange(len(reference.table)), np.array(sorted(failing)))
    assert isinstance(reference, Reference), "only stations are tried one by one"
    found = _evaluated(suite, reference.rows(rest), read, progress)
    ids = reference.table["station_id"].to_numpy(str)
    found.notes["failed"] = {str(ids[row]): text for row, text in failing.items()}
    lost = [_failed_rows(found, suite, str(ids[row])) for row in failing]
    return replace(found, scores=pd.concat([found.scores, *lost], ignore_index=True))


def _failing(suite: Suite, reference: Reference | MapReference, read: Reader) -> dict[int, str]:
    """Stations that fail when they are scored alone, with class and message of the exception."""
    assert isinstance(reference, Reference), "stations are in memory"
    out: dict[int, str] = {}
    for row in range(len(reference.table)):
        try:
            _evaluated(suite, reference.rows(np.array([row])), read, silent)
        except VadoseError:
            continue
        except Exception as error:  # noqa: BLE001  (the station is named with what it raised, the others go on)
            out[row] = repr(error)
    return out


def _failed_rows(found: Tables, suite: Suite, station: str) -> pd.DataFrame:
    """A row with the status `failed` for every headline metric of a station."""
    keys = {
        **found.keys,
        "product": suite.product.name,
        "version": suite.product.version,
        "subset": blocks.OWN + found.label,
    }
    rows = [
        over_all(
            keys, stratum_kind="station", stratum=station, aggregate="", metric=metric, signal=signal, value=np.nan,
            status="failed",
        )
        for metric, signal in HEADLINE
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _evaluated(suite: Suite, reference: Reference | MapReference, read: Reader, progress: Progress) -> Tables:
    whole = _Reference.of(suite, reference)
    size = len(reference.table)
    parts = [slice(start, min(start + whole.step, size)) for start in range(0, size, whole.step)]
    present = _present(whole, read)
    found: list[Scores] = []
    stations: list[pd.DataFrame] = []
    block = None
    for rows in progress.track(parts, f"scoring at {reference.name}", len(parts)):
        block = whole.block(rows, read, present)
        block = _collocated(suite, block) if whole.thorough else block
        found.append(block.score())
        stations.append(station_table(block, whole.labels, rows, whole.suite.product))
    assert block is not None, "a reference has at least one station"
    if takes_more_than_half(found, block.matched.names, block.split):
        for number, rows in enumerate(progress.track(parts, f"scoring pairs at {reference.name}", len(parts))):
            block = block if len(parts) == 1 else whole.block(rows, read, present)
            found[number] = with_pairs(block, found[number])
    everything = blocks.joined(found)
    table = pd.concat(stations, ignore_index=True)
    network = block.network if whole.thorough else whole.network
    return tables_of(
        everything, table, network, ~_seen(whole.labels), only=block if len(parts) == 1 else None, last=block,
        every=whole.singles,
    )  # fmt: skip


def _collocated(suite: Suite, block: Block) -> Block:
    """A block with what triplets say of its stations: their class of representativeness, and their error."""
    rows = [row for row in block.present if block.matched.names[row] not in BASELINES]
    if len(rows) < 2:
        return block
    names = (*(block.matched.names[row] for row in rows), IN_SITU)
    values = np.concatenate([block.matched.values[rows].astype(float), block.reference_of(block.split)[None]])
    natures = {product.name: nature(product.card) for product in suite.products}
    members = Members(names, values, suite.relations, natures, block.matched.reference.days)
    model = suite.options.model
    classes = station_classes(members, model)
    if classes is not None:
        found = [(REPRESENTATIVENESS, word, classes == word) for word in sorted(set(classes.tolist()) - {UNKNOWN})]
        network = replace(block.network, groups=(*block.network.groups, *found))
        block = replace(block, network=network, representativeness=classes)
    # Stations that state an error of their own need none from a triplet.
    if block.matched.uncertainty is None or "standard_error" in block.matched.reference.daily:
        return block
    return replace(block, reference_error=reference_error(members, suite.product.name, model))


@dataclass(frozen=True)
class _Reference:
    """One reference with what does not depend on values."""

    suite: Suite
    reference: Reference | MapReference
    labels: Mapping[str, Labels]
    network: Network
    used: Callable[[Reference, slice], Booleans] | None

    @classmethod
    def of(cls, suite: Suite, reference: Reference | MapReference) -> _Reference:
        labels = _labels(suite, reference)
        excluded = _seen(labels)
        options = replace(
            suite.options, stations_seen=bool(excluded.any()),
            partly_seen=suite.ledger is not None and reference.kind == "cells",
        )  # fmt: skip
        numbers = clusters(reference, suite.products)
        options = replace(options, cluster_count=int(numbers.max()) + 1)
        # Published figures on maps are averages over cells: there every cell weighs the same.
        network = Network(numbers, tuple(station_groups(reference)), reference.kind == "cells", options.seed)
        one = cls(replace(suite, options=options), reference, labels, network, None)
        return replace(one, used=_usage(suite, reference))

    @property
    def thorough(self) -> bool:
        return self.reference.kind == "stations"

    @property
    def singles(self) -> bool:
        return self.thorough or len(self.reference.table) <= MANY_CELLS

    @property
    def step(self) -> int:
        size = len(self.reference.table)
        return size if self.singles else CELLS_AT_ONCE

    def block(self, rows: slice, read: Reader, present: tuple[int, ...]) -> Block:
        """A block of stations, matched."""
        suite, options = self.suite, self.suite.options
        part = self.reference.rows(rows)
        series = read(part)
        days = series[suite.product.name].series.days
        part = trimmed(part, days[0], days[-1])
        matched = match(
            part, suite.products, read=series, allow_day_mismatch=options.allow_day_mismatch,
            empty_allowed=len(self.reference.table) > self.step,
        )  # fmt: skip
        matched = with_baselines(matched, suite.nowcast)
        usable = (~matched.mismatch | options.allow_day_mismatch)[:, None]
        if "frozen" in part.daily:
            usable = usable & (part.daily["frozen"] != 1)
        r = np.where(usable, part.values.astype(float), np.nan)
        fresh = np.ones(r.shape, bool) if self.used is None else ~self.used(part, rows)
        rest = tuple(range(len(suite.products), len(matched.names)))
        return Block(
            matched=matched, r=r, fresh=fresh, seen=_seen(self.labels)[rows], network=self.network.rows(rows),
            options=options, present=(*present, *rest), split=suite.split, thorough=self.thorough, singles=self.singles,
            versions=(*(product.version for product in suite.products), *[suite.product.version] * len(rest)),
        )  # fmt: skip


def _present(whole: _Reference, read: Reader) -> tuple[int, ...]:
    """Positions of the products that have a day in common with the reference; ours must have one."""
    size = len(whole.reference.table)
    rows = slice(None) if size <= whole.step else slice(None, None, max(size // 512, 1))
    part = whole.reference.rows(rows)
    series = read(part)
    days = series[whole.suite.product.name].series.days
    part = trimmed(part, days[0], days[-1])
    allowed = whole.suite.options.allow_day_mismatch
    matched = match(part, whole.suite.products, read=series, allow_day_mismatch=allowed)
    usable = ~matched.mismatch | allowed
    known = np.isfinite(part.values) & usable[:, None]
    out = tuple(row for row in range(len(matched.names)) if (np.isfinite(matched.values[row]) & known).any())
    if 0 not in out:
        raise InputError(
            f"{matched.names[0]} has no day in common with {part.name}", where=str(whole.suite.product.path),
            why=_why_no_day(matched, usable), next="add --allow-day-mismatch to compare across day conventions",
        )  # fmt: skip
    return out


def _why_no_day(matched: Matched, usable: Booleans) -> str:
    if not usable.any():
        return "all stations hold another day convention than the product"
    placed = int((matched.placed[0].row >= 0).sum())
    return f"{placed} of {len(matched.reference.table)} stations meet a cell with values"


def _labels(suite: Suite, reference: Reference | MapReference) -> dict[str, Labels]:
    """For every product the label of each station: what is known of its training."""
    size = len(reference.table)
    if reference.kind == "cells":
        return {product.name: np.full(size, UNKNOWN) for product in suite.products}
    out = {suite.product.name: station_labels(suite.ledger, reference.table, suite.product.geometry)}
    for product in suite.products[1:]:
        out[product.name] = upstream_labels(product.card, reference.table)
    return out


def _seen(labels: Mapping[str, Labels]) -> Booleans:
    """Stations that some product has learnt from; what is not known does not count."""
    return np.asarray(np.logical_or.reduce([~np.isin(one, (INDEPENDENT, UNKNOWN)) for one in labels.values()]))


def _usage(suite: Suite, reference: Reference | MapReference) -> Callable[[Reference, slice], Booleans] | None:
    """Which station-days the model learnt from: cells of a map at days of training."""
    if suite.ledger is None or reference.kind != "cells":
        return None
    ledger = suite.ledger
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    index = global_index(ledger.grid, lat, lon)
    return lambda part, rows: seen(ledger, part, index[rows])
