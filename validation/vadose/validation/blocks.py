"""One block of stations or cells, scored in every way; blocks can be joined, so a map needs the memory of one."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import words
from vadose.statistics.scaling import scale
from vadose.statistics.status import CODE
from vadose.validation import averages, comparisons, scores
from vadose.validation.averages import ClassScored
from vadose.validation.baselines import BASELINES
from vadose.validation.calibration import WITHOUT_BIAS, Stated, summed, without_bias
from vadose.validation.comparisons import Differences, Pair
from vadose.validation.diagnostics import Drawn
from vadose.validation.lags import Lagged
from vadose.validation.matching import Matched
from vadose.validation.months import MONTHS_PER_YEAR, is_months, steps_per_year
from vadose.validation.network import Network
from vadose.validation.options import Options
from vadose.validation.scores import AFTER_SCALING, FURTHER, HEADLINE, Sample, Scored, Which
from vadose.validation.strata import DayStrata, day_strata, gap_strata

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

OWN, COMMON = "own", "common"
PERIOD_SEEN, STATION_SEEN = "period_seen", "station_seen"
# Strata of days on maps; the others are about stations.
_ON_MAPS = ("season", "local_season", "year", "wet")
_FOLD_DAYS = 365


@dataclass(frozen=True)
class Case:
    """Which rows a sample makes: product, subset, split and scaling; `averaged` alone where stations get no rows.

    `partner` is the row of the one other product that must have the days, where it is not all of them.
    """

    row: int
    subset: str
    split: str
    scaling: str = "none"
    averaged: bool = False
    partner: int | None = None


@dataclass(frozen=True)
class Block:
    """A block of stations while it is scored.

    Attributes
    ----------
    matched
        All products at the stations.
    r
        The reference, NaN where its day convention cannot be brought to ours or the soil is frozen, (station, time).
    fresh
        Station-days that the model has not learnt from, (station, time).
    seen
        Stations that some product has learnt from, (station,).
    network, options
        Clusters and classes; how to score.
    present
        Positions of the products that have a day in common with the reference.
    versions, split
        Version of each product, and the label of days and stations that are independent.
    thorough
        Whether every metric and stratum is made, as for stations.
    singles
        Whether single stations or cells get rows; a large map has values of its cells, and no intervals.
    reference_error
        Standard error of each station from collocation, (station,), NaN where there is none; None without.
    representativeness
        Class of each station from collocation with a model and a satellite, (station,); None without such a triplet.
    """

    matched: Matched
    r: Floats
    fresh: Booleans
    seen: Booleans
    network: Network
    options: Options
    present: tuple[int, ...]
    versions: tuple[str, ...]
    split: str
    thorough: bool
    singles: bool = True
    reference_error: Floats | None = None
    representativeness: npt.NDArray[np.str_] | None = None

    @functools.cached_property
    def common(self) -> Booleans:
        """Days on which all present products have a value, (station, time)."""
        return np.asarray(np.logical_and.reduce([np.isfinite(self.matched.values[row]) for row in self.present]))

    @property
    def sampled(self) -> npt.NDArray[np.int8]:
        """What each day of a station counts in, (station, time): bits 1 matched with ours, 2 common, 4 seen."""
        matched = np.isfinite(self.matched.values[self.present[0]]) & np.isfinite(self.r)
        seen = matched & (~self.fresh | self.seen[:, None])
        return np.asarray(matched + 2 * (matched & self.common) + 4 * seen, np.int8)

    @property
    def stations(self) -> npt.NDArray[np.str_]:
        """Ids."""
        return self.matched.reference.table["station_id"].to_numpy(str)

    @property
    def in_months(self) -> bool:
        """Whether one value stands for a month."""
        return is_months(self.matched.reference.days)

    @property
    def subset_label(self) -> str:
        """What every subset carries where day conventions are mixed."""
        return " day_mismatch" if self.options.allow_day_mismatch and self.matched.mismatch.any() else ""

    def reference_of(self, split: str) -> Floats:
        """The reference on the days and at the stations of a split."""
        if split == self.split and self.fresh.all() and not self.seen.any():
            return self.r
        keep = self.fresh & ~self.seen[:, None]
        if split == PERIOD_SEEN:
            keep = ~self.fresh & ~self.seen[:, None]
        if split == STATION_SEEN:
            keep = np.broadcast_to(self.seen[:, None], self.fresh.shape)
        return np.where(keep, self.r, np.nan)

    def sample(self, case: Case) -> Sample:
        """The sample of a case."""
        r = self.reference_of(case.split)
        x = self.matched.values[case.row].astype(float)
        if case.partner is not None:
            x = np.where(np.isfinite(self.matched.values[case.partner]), x, np.nan)
        elif case.subset != OWN:
            x = np.where(self.common, x, np.nan)
        valid = np.isfinite(r).sum(axis=1)
        hit = (np.isfinite(x) & np.isfinite(r)).sum(axis=1)
        keys = {
            "product": self.matched.names[case.row], "version": self.versions[case.row],
            "reference": self.matched.reference.name, "subset": case.subset + self.subset_label, "split": case.split,
            "scaling": case.scaling,
        }  # fmt: skip
        share = np.where(valid > 0, hit / np.maximum(valid, 1), np.nan)
        sample = Sample(
            x, r, keys, share, self.stations, self._said(case.row), self.matched.reference.days, self._sensors(),
            self._whole(case.row),
        )  # fmt: skip
        return sample if case.scaling == "none" else self._scaled(sample, case.scaling)

    def _whole(self, row: int) -> tuple[Floats, Floats] | None:
        """Product and reference on all their days, where anomalies are taken before matching."""
        return (self.matched.values[row].astype(float), self.r) if self.options.anomaly_before_matching else None

    def _sensors(self) -> Floats | None:
        """Numbers of successive sensors, (station, time), where a station has several."""
        found = self.matched.reference.daily.get("sensor_index")
        return None if found is None else found.astype(float)

    def _said(self, row: int) -> npt.NDArray[np.str_]:
        """`no_cell`, `day_mismatch` or `station_seen` where that is why a station has nothing."""
        out = np.where(self.matched.placed[row].row < 0, "no_cell", "")
        if not self.options.allow_day_mismatch:
            out = np.where(self.matched.mismatch & (out == ""), "day_mismatch", out)
        return out

    def _scaled(self, sample: Sample, name: str) -> Sample:
        x = np.where(np.isfinite(sample.r), sample.x, np.nan)
        scaled, code = scale(name, x, sample.r)
        if self.options.cross_fit:
            year = np.arange(x.shape[1]) // (MONTHS_PER_YEAR if self.in_months else _FOLD_DAYS) % 2
            for fold in (0, 1):
                other, status = scale(name, x, np.where(year == fold, np.nan, sample.r))
                scaled = np.where((year == fold)[None], other, scaled)
                code = np.where(code == CODE["ok"], status, code)
            scaled = np.where((code == CODE["ok"])[:, None], scaled, np.nan)
        said = np.where(code == CODE["ok"], "", words(code))
        return sample.scaled(name, np.asarray(scaled, np.float64), said)

    def score(self) -> Scores:
        """Everything about this block."""
        found = Scores({}, {}, {}, {}, self._drawn(), self._lagged(), self._stated())
        strata = self._strata()
        for row in self.present:
            for case in self._cases(row):
                self._score_case(found, case, strata)
            if row != self.present[0]:
                found.compared[row] = comparisons.differences(
                    self._pair(row), self.network, self.options.interval, at_stations=self.thorough
                )
        return found

    def _cases(self, row: int) -> Iterator[Case]:
        # On maps, cells of rivals are shown on the common sample only.
        yield Case(row, OWN, self.split, averaged=not self.thorough and row != self.present[0])
        yield Case(row, COMMON, self.split)
        for name in self.options.scalings:
            yield Case(row, COMMON, self.split, name)
        if self.options.partly_seen:
            yield Case(row, COMMON, PERIOD_SEEN, averaged=True)
        if self.options.stations_seen:
            yield Case(row, COMMON, STATION_SEEN, averaged=True)

    def _score_case(self, found: Scores, case: Case, strata: Sequence[DayStrata]) -> None:
        sample = self.sample(case)
        before = Case(case.row, OWN, case.split)
        same = (
            case.subset == COMMON and case.scaling == "none" and before in found.scored
            and np.array_equal(found.matched_days[before], np.isfinite(sample.x) & np.isfinite(sample.r))
        )  # fmt: skip
        if same:
            found.scored[case] = [*found.scored[before], *self._further(sample, case)]
        else:
            found.scored[case] = self._scored(sample, case)
        found.samples[case] = _without_series(sample)
        if case.subset == OWN:
            found.matched_days[case] = np.isfinite(sample.x) & np.isfinite(sample.r)
        if case == Case(case.row, COMMON, self.split):
            kinds = [*strata, *self._gaps(case.row)]
            found.classes[case] = [
                one for kind in kinds for one in averages.score_classes(sample, self.network, kind)
            ]  # fmt: skip

    def scored(self, case: Case) -> tuple[Sample, list[Scored]]:
        """Sample and metrics of a case alone."""
        sample = self.sample(case)
        return _without_series(sample), self._scored(sample, case)

    def _scored(self, sample: Sample, case: Case) -> list[Scored]:
        intervals, network = self.singles and not case.averaged, self._network(case)
        which, model = self._which(case), self.options.interval
        return list(scores.score(sample, network, which, intervals=intervals, model=model))

    def _further(self, sample: Sample, case: Case) -> list[Scored]:
        """Metrics that the common sample has beside those of the own sample."""
        rest = tuple(pair for pair in self._which(case) if pair not in HEADLINE)
        return list(scores.score(sample, self.network, rest, intervals=self.singles, model=self.options.interval))

    def is_product(self, row: int) -> bool:
        """Whether a row is a product that was given, not a baseline that every run adds."""
        return self.matched.names[row] not in BASELINES

    def _network(self, case: Case) -> Network:
        return replace(self.network, groups=()) if case.averaged else self.network

    def _which(self, case: Case) -> Which:
        if case.scaling != "none":
            return AFTER_SCALING
        shown = self.thorough and not case.averaged and case.subset == COMMON and self.is_product(case.row)
        return HEADLINE + FURTHER if shown else HEADLINE

    def _strata(self) -> list[DayStrata]:
        reference = self.matched.reference
        lat = reference.table["lat"].to_numpy(float)
        daily = {name: values.astype(float) for name, values in reference.daily.items()}
        every = day_strata(
            reference.days, lat, self.reference_of(self.split), daily.get("precipitation"), daily.get("frozen")
        )
        return [one for one in every if self.thorough or one.kind in _ON_MAPS]

    def _gaps(self, row: int) -> list[DayStrata]:
        filled = self.matched.filled.get(self.matched.names[row])
        if filled is None or not filled.any():
            return []
        return [gap_strata(filled, self.matched.values[row].astype(float), months=self.in_months)]

    def _pair(self, row: int) -> Pair:
        values = self.matched.values
        first = self.present[0]
        ours, rival = (values[one].astype(float) for one in (first, row))
        pair = Pair.of(ours, rival, self.reference_of(self.split), self._sensors(), self.matched.reference.days)
        return replace(pair, whole=(ours, rival, self.r)) if self.options.anomaly_before_matching else pair

    def _drawn(self) -> Drawn:
        series = {self.matched.names[row]: self.matched.values[row].astype(float) for row in self.present}
        truth = "in situ" if self.matched.reference.kind == "stations" else self.matched.reference.name
        return Drawn.of(series, self.reference_of(self.split), truth, self.matched.reference.days)

    def _lagged(self) -> dict[str, Lagged]:
        r = self.reference_of(self.split)
        values, days = self.matched.values, self.matched.reference.days
        return {self.matched.names[row]: Lagged.of(values[row].astype(float), r, days) for row in self.present}

    def _stated(self) -> list[Stated]:
        """Calibration of our product: all days, observed and gap days, classes of land cover; and without the bias."""
        if self.matched.uncertainty is None:
            return []
        sigma = self.matched.uncertainty.astype(float)
        stated = self.matched.reference.daily.get("standard_error")
        if stated is not None:
            sigma = np.sqrt(sigma**2 + np.nan_to_num(stated).astype(float) ** 2)
        elif self.reference_error is not None:
            sigma = np.sqrt(sigma**2 + np.nan_to_num(self.reference_error)[:, None] ** 2)
        error = self.matched.values[0].astype(float) - self.reference_of(self.split)
        everywhere = np.ones(error.shape, bool)
        chosen = {"all": everywhere}
        filled = self.matched.filled.get(self.matched.names[0])
        if filled is not None and filled.any():
            chosen |= {"observed days": ~filled, "gap days": filled}
        for kind, name, members in self.network.groups:
            if kind == "land_cover":
                chosen[f"land_cover {name}"] = np.broadcast_to(members[:, None], error.shape)
        count, year = self.options.cluster_count, steps_per_year(self.matched.reference.days)
        clusters = self.network.clusters
        found = [Stated.of(name, days, error, sigma, clusters, count, year) for name, days in chosen.items()]
        training = self.matched.values[0].astype(float) - np.where(self.fresh, np.nan, self.r)
        centred = without_bias(error, training)
        return [*found, Stated.of(WITHOUT_BIAS, everywhere, centred, sigma, clusters, count, year)]


def _without_series(sample: Sample) -> Sample:
    """The names of a sample's rows, without what they were scored from."""
    return replace(sample, x=np.zeros((0, 0)), r=np.zeros((0, 0)), whole=None)


@dataclass(frozen=True)
class Scores:
    """What a block gives: metrics and samples by case, day strata, comparisons by product, and curves."""

    scored: dict[Case, list[Scored]]
    samples: dict[Case, Sample]
    classes: dict[Case, list[ClassScored]]
    compared: dict[int, list[Differences]]
    drawn: Drawn
    lagged: dict[str, Lagged]
    stated: list[Stated]

    @functools.cached_property
    def matched_days(self) -> dict[Case, Booleans]:
        """Matched station-days of the cases scored so far, while a block is scored."""
        return {}


def joined(blocks: Sequence[Scores]) -> Scores:
    """All blocks as one."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    scored = {
        case: [scores.joined(parts) for parts in zip(*(block.scored[case] for block in blocks), strict=True)]
        for case in first.scored
    }
    classes = {
        case: [averages.joined_classes(parts) for parts in zip(*(block.classes[case] for block in blocks), strict=True)]
        for case in first.classes
    }
    compared = {
        row: [comparisons.joined(parts) for parts in zip(*(block.compared[row] for block in blocks), strict=True)]
        for row in first.compared
    }
    return Scores(
        scored, {case: _joined_samples([block.samples[case] for block in blocks]) for case in first.samples},
        classes, compared, functools.reduce(operator.add, [block.drawn for block in blocks]),
        {name: functools.reduce(operator.add, [block.lagged[name] for block in blocks]) for name in first.lagged},
        summed([block.stated for block in blocks]),
    )  # fmt: skip


def _joined_samples(samples: Sequence[Sample]) -> Sample:
    return replace(
        samples[0], coverage=np.concatenate([one.coverage for one in samples]),
        stations=np.concatenate([one.stations for one in samples]),
        status=np.concatenate([one.status for one in samples if one.status is not None]),
    )  # fmt: skip


def score_rows(found: Scores, network: Network, model: str, *, stations_too: bool) -> pd.DataFrame:
    """Rows of `scores.parquet`."""
    frames: list[pd.DataFrame] = []
    jobs: list[Callable[[], list[scores.Row]]] = []
    for case, scored in found.scored.items():
        sample = found.samples[case]
        if stations_too and not case.averaged:
            frames += [scores.station_rows(sample, one, model) for one in scored]
        if stations_too and not case.averaged and network.crowded.any():
            headline = [one for one in scored if (one.metric.name, one.signal) in HEADLINE]
            frames += [averages.cluster_rows(sample, one, network) for one in headline]
        average = functools.partial(averages.average_rows, network=network, everywhere=case.averaged)
        jobs += [functools.partial(average, sample, one) for one in scored]
        classes = found.classes.get(case, [])
        jobs += [functools.partial(averages.class_rows, sample, one, network) for one in classes]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        averaged = [row for rows in pool.map(lambda job: job(), jobs) for row in rows]
    return pd.concat([*frames, pd.DataFrame(averaged)], ignore_index=True)


def comparison_rows(
    found: Scores, network: Network, names: Sequence[str], reference: str, *, options: Options, stations_too: bool
) -> pd.DataFrame:
    """Rows of `comparisons.parquet`: ours, the first of `names`, with every other product."""
    frames = []
    sample: Mapping[str, str] = next(iter(found.samples.values())).keys
    subset = sample["subset"].replace(OWN, COMMON, 1)
    stations = next(iter(found.samples.values())).stations
    for row, compared in found.compared.items():
        keys = {"ours": names[0], "rival": names[row], "reference": reference, "subset": subset}
        frames += [
            comparisons.rows(one, network, stations, keys, stations_too=stations_too, options=options)
            for one in compared
        ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=comparisons.COLUMNS)
