"""Map against map (section 4): all products and a gridded reference on the coarsest of their grids.

Bands of rows are worked on one after the other and added, so that a map of any size needs the memory of one band.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from vadose.common import Progress, silent
from vadose.statistics.distributions import t_quantile
from vadose.statistics.longrun import Gaps, tail_model
from vadose.validation.diagnostics import WATER, curve
from vadose.validation.extraction import Series
from vadose.validation.geometry import EARTH_RADIUS_KM, Geometry
from vadose.validation.map_sums import Fields, MapSums, Spectrum
from vadose.validation.months import middles, steps_per_year
from vadose.validation.products import Product
from vadose.validation.regridding import Regridder
from vadose.validation.strata import SEASONS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]
# Series of cells of a product, by flat index.
Take = Callable[[Product, Integers], Series]

FEWEST_CELLS = 30
WINDOW = 16
_SPECTRUM_DAYS = 60
_BAND_VALUES = 2**25
# Squares are taken about this value, in the middle of soil moisture, so that they keep their digits.
_SHIFT = 0.25
DAILY = ("spatial_r", "spatial_ubrmsd", "spatial_bias")
_BETTER_WORDS = {"spatial_r": "1", "spatial_ubrmsd": WATER, "spatial_bias": WATER}


@dataclass(frozen=True)
class Window:
    """Part of a product's grid: rows and columns, and the grid of that part."""

    product: Product
    rows: slice
    columns: Integers
    geometry: Geometry

    @property
    def flat(self) -> Integers:
        """Flat index of its cells in the product's grid, (row, column)."""
        rows = np.arange(self.rows.start, self.rows.stop)
        return np.asarray(rows[:, None] * self.product.geometry.shape[1] + self.columns[None, :])

    def of_rows(self, first: int, last: int) -> Window:
        """Some rows of it."""
        geometry = replace(
            self.geometry, lat=self.geometry.lat[first:last], lat_edges=self.geometry.lat_edges[first : last + 1]
        )
        return replace(self, rows=slice(self.rows.start + first, self.rows.start + last), geometry=geometry)

    def overlapping(self, south: float, north: float) -> Window | None:
        """The rows that share something with a band of latitude; None where none does."""
        low = np.minimum(self.geometry.lat_edges[:-1], self.geometry.lat_edges[1:])
        high = np.maximum(self.geometry.lat_edges[:-1], self.geometry.lat_edges[1:])
        inside = np.flatnonzero((high > south + 1e-9) & (low < north - 1e-9))
        return self.of_rows(int(inside[0]), int(inside[-1]) + 1) if inside.size else None

    def fields(self, take: Take, days: Days) -> npt.NDArray[np.float32]:
        """Values on the given days, (row, column, time)."""
        flat = self.flat
        series = take(self.product, flat.ravel())
        out = np.full((flat.size, days.size), np.nan, np.float32)
        offset = int((days[0] - series.days[0]).astype(int))
        first, last = max(-offset, 0), min(series.days.size - offset, days.size)
        if first < last:
            out[:, first:last] = series.values[:, first + offset : last + offset]
        return out.reshape(*flat.shape, days.size)


def window_of(product: Product, cells: Integers) -> Window | None:
    """The part of a product's grid that holds some cells; None for points, which are no map."""
    geometry = product.geometry
    if not isinstance(geometry, Geometry) or not cells.size:
        return None
    rows, columns = cells // geometry.shape[1], cells % geometry.shape[1]
    used = slice(int(rows.min()), int(rows.max()) + 1)
    # Columns between the first and the last; a grid that is cut at its edge keeps all of them.
    low, high = int(columns.min()), int(columns.max()) + 1
    part = Geometry(
        geometry.lat[used], geometry.lon[low:high], geometry.lat_edges[used.start : used.stop + 1],
        geometry.lon_edges[low : high + 1],
    )  # fmt: skip
    return Window(product, used, np.arange(low, high), part)


@dataclass(frozen=True)
class MapComparison:
    """Products against a gridded reference on one grid."""

    reference: str
    names: tuple[str, ...]
    days: Days
    grid: Geometry
    sums: MapSums

    def daily(self) -> dict[str, Floats]:
        """Spatial R, ubRMSD and bias of every date with 30 common cells, (product, time)."""
        w, x, r, xx, rr, xr_ = self.sums.daily
        with np.errstate(divide="ignore", invalid="ignore"):
            x, r, xx, rr, xr_ = (one / w for one in (x, r, xx, rr, xr_))
            vx, vr, cov = xx - x**2, rr - r**2, xr_ - x * r
            enough = self.sums.count >= FEWEST_CELLS
            found = {
                "spatial_r": cov / np.sqrt(vx * vr), "spatial_ubrmsd": np.sqrt(np.maximum(vx + vr - 2 * cov, 0.0)),
                "spatial_bias": x - r,
            }  # fmt: skip
        return {name: np.where(enough & np.isfinite(one), one, np.nan) for name, one in found.items()}

    def seasonal(self) -> Floats:
        """Mean of product minus reference, (product, season, row, column)."""
        total, count = self.sums.seasonal
        return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)

    def rows(self, keys: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
        """Rows of `scores.parquet`: the mean and the median over dates; the interval is that of other dates."""
        out = []
        for metric, values in self.daily().items():
            for name, series in zip(self.names, values, strict=True):
                known = np.isfinite(series)
                head = {
                    "method": "", "seed": "", "fold": "", "scaling": "none", **keys[name], "subset": "map",
                    "stratum_kind": "map", "stratum": "all", "signal": "raw", "metric": metric,
                    "coverage": float(known.mean()), "n": int(known.sum()),
                }  # fmt: skip
                out.append({**head, "aggregate": "mean", **_mean_over_dates(series, steps_per_year(self.days))})
                nothing = {"ci_low": np.nan, "ci_high": np.nan, "ci_method": "", "ci_scope": "", "n_eff": np.nan}
                middle = float(np.median(series[known])) if known.any() else np.nan
                out.append(
                    {
                        **head,
                        "aggregate": "median",
                        "value": middle,
                        **nothing,
                        "status": "ok" if known.any() else "no_overlap",
                    }
                )
        return pd.DataFrame(out)

    def curves(self) -> pd.DataFrame:
        """Zonal means of all data sets, detail below the coarse cell, and spectra."""
        frames = []
        total, count = self.sums.zonal
        for name, sums, n in zip((*self.names, self.reference), total, count, strict=True):
            known = n > 0
            y = sums[known] / n[known]
            frames.append(curve("zonal_mean", self.reference, name, self.grid.lat[known], y, WATER, n[known]))
        for name, (k, power, windows) in self.sums.power.items():
            frames.append(curve("spectrum", self.reference, name, k, power / windows, "m6 m-6", float(windows)))
        for metric, values in self.daily().items():
            for name, series in zip(self.names, values, strict=True):
                known = np.isfinite(series)
                x = self.days[known].astype("datetime64[D]").astype(float)
                frames.append(curve(metric, self.reference, name, x, series[known], _BETTER_WORDS[metric]))
        return pd.concat(frames, ignore_index=True)

    def detail(self) -> dict[str, float]:
        """Standard deviation below the coarse cell of each data set that is finer, m3 m-3."""
        total, weight = self.sums.within
        return {
            name: float(np.sqrt(one / w))
            for name, one, w in zip((*self.names, self.reference), total, weight, strict=True)
            if w > 0
        }

    def dataset(self) -> xr.Dataset:
        """Seasonal differences and scores of every date, with the name of the reference in every name."""
        end = f"_{self.reference}"
        lat, lon, time = f"lat{end}", f"lon{end}", f"time{end}"
        data: dict[str, Any] = {
            f"difference{end}": (
                ("product", "season", lat, lon), self.seasonal().astype(np.float32),
                {"units": WATER, "long_name": "product minus reference, mean of common days"},
            )
        }  # fmt: skip
        for metric, values in self.daily().items():
            attributes = {"units": _BETTER_WORDS[metric]}
            data[f"{metric}{end}"] = (("product", time), values.astype(np.float32), attributes)
        since = middles(self.days)
        coords = {
            "product": np.array(self.names, object), "season": np.array(SEASONS, object),
            lat: (lat, self.grid.lat, {"standard_name": "latitude", "units": "degrees_north"}),
            lon: (lon, self.grid.lon, {"standard_name": "longitude", "units": "degrees_east"}),
            time: (time, since, {"standard_name": "time", "units": "days since 1970-01-01", "calendar": "standard"}),
        }  # fmt: skip
        return xr.Dataset(data, coords=coords)


def _mean_over_dates(series: Floats, year: float) -> dict[str, Any]:
    known = np.isfinite(series)
    nothing = {"ci_low": np.nan, "ci_high": np.nan, "ci_method": "", "ci_scope": "", "n_eff": np.nan}
    if known.sum() < 2:
        value = float(series[known].mean()) if known.any() else np.nan
        return {**nothing, "value": value, "status": "few_samples" if known.any() else "no_overlap"}
    mean = float(series[known].mean())
    run = tail_model(np.where(known, series - mean, 0.0)[None], Gaps.of(known[None], year))
    n_eff = float(run.n_eff[0])
    if not np.isfinite(n_eff) or n_eff < 10:
        return {**nothing, "value": mean, "n_eff": n_eff, "status": "few_effective"}
    half = float(t_quantile(0.95, n_eff - 1.0)) * float(np.sqrt(run.variance[0]))
    return {
        "value": mean, "ci_low": mean - half, "ci_high": mean + half, "ci_method": "tail_model", "ci_scope": "time",
        "n_eff": n_eff, "status": "ok" if n_eff >= 30 else "short",
    }  # fmt: skip


def compare_maps(
    windows: Sequence[Window], take: Take, days: Days, progress: Progress = silent, band_values: int = _BAND_VALUES
) -> MapComparison:
    """Compare products with a gridded reference, the last of the windows.

    Parameters
    ----------
    windows
        The part of every data set's grid that covers the region.
    take
        Reads series of cells.
    days
        Consecutive days, (time,).
    progress
        Where to report.
    band_values
        About how many values a band of all data sets may hold.
    """
    target = max(windows, key=lambda one: one.geometry.step_degrees)
    name = windows[-1].product.name
    per_row = sum(one.columns.size * one.geometry.lat.size for one in windows) / target.geometry.lat.size * days.size
    step = max(int(band_values // max(per_row, 1)), 1)
    starts = range(0, target.geometry.lat.size, step)
    total: MapSums | None = None
    for start in progress.track(starts, f"maps against {name}", len(starts)):
        band = target.of_rows(start, min(start + step, target.geometry.lat.size))
        sums = _band(windows, band.geometry, take, days)
        total = sums if total is None else total + sums
    assert total is not None, "a grid has a row"
    names = tuple(one.product.name for one in windows[:-1])
    return MapComparison(name, names, days, target.geometry, total)


def _band(windows: Sequence[Window], grid: Geometry, take: Take, days: Days) -> MapSums:
    """The sums of one band of target rows."""
    edges = float(grid.lat_edges.min()), float(grid.lat_edges.max())
    coarse: list[Fields] = []
    within: list[tuple[float, float]] = []
    power: dict[str, Spectrum] = {}
    area = _area(grid)
    for one in windows:
        part = one.overlapping(*edges)
        if part is None:
            coarse.append(np.full((*grid.shape, days.size), np.nan, np.float32))
            within.append((0.0, 0.0))
            continue
        native = part.fields(take, days)
        same = part.geometry.shape == grid.shape and np.allclose(part.geometry.lat_edges, grid.lat_edges)
        same = same and np.allclose(part.geometry.lon_edges, grid.lon_edges)
        regrid = Regridder.between(part.geometry, grid)
        # Fields of the same grid stay in single precision: a band of four maps then fits into a few hundred MB.
        if same:
            coarse.append(native)
            within.append((0.0, 0.0))
        else:
            mean = regrid(native)
            coarse.append(mean)
            within.append(_within(regrid, native, mean, area))
        spectrum = _spectrum(native, part.geometry)
        if spectrum is not None:
            power[one.product.name] = spectrum
    return MapSums.of(np.stack(coarse), area, days, np.array(within).T, power)


def _area(grid: Geometry) -> Floats:
    sines = np.sin(np.deg2rad(np.clip(grid.lat_edges, -90.0, 90.0)))
    return np.asarray(np.abs(np.diff(sines))[:, None] * np.abs(np.diff(grid.lon_edges))[None, :])


def _within(regrid: Regridder, native: npt.NDArray[np.float32], mean: Floats, area: Floats) -> tuple[float, float]:
    """Sum of area times the variance within coarse cells, and of the area, over all days."""
    square = regrid((native.astype(float) - _SHIFT) ** 2)
    variance = np.maximum(square - (mean - _SHIFT) ** 2, 0.0)
    known = np.isfinite(variance)
    return float((np.where(known, variance, 0.0) * area[..., None]).sum()), float((known * area[..., None]).sum())


def _spectrum(fields: npt.NDArray[np.float32], geometry: Geometry) -> Spectrum | None:
    """Mean power over windows of 16 by 16 cells without a gap, by radial wavenumber in cycles per km.

    The mean is removed and a Hann window applied; wavelengths are those of the middle row.
    """
    rows, columns = fields.shape[:2]
    if rows < WINDOW or columns < WINDOW:
        return None
    taper = np.hanning(WINDOW + 2)[1:-1]
    taper = taper[:, None] * taper[None, :]
    step = max(fields.shape[2] // _SPECTRUM_DAYS, 1)
    total, windows = np.zeros(WINDOW // 2), 0
    ring = _rings()
    for i in range(0, rows - WINDOW + 1, WINDOW):
        for j in range(0, columns - WINDOW + 1, WINDOW):
            block = fields[i : i + WINDOW, j : j + WINDOW, ::step].astype(float)
            whole = block[..., np.isfinite(block).all(axis=(0, 1))]
            if whole.shape[-1]:
                tapered = (whole - whole.mean(axis=(0, 1))) * taper[..., None]
                power = (np.abs(np.fft.fft2(tapered, axes=(0, 1))) ** 2).sum(axis=-1)
                total += np.bincount(ring[ring < WINDOW // 2], power[ring < WINDOW // 2], WINDOW // 2)
                windows += whole.shape[-1]
    if not windows:
        return None
    side = EARTH_RADIUS_KM * np.deg2rad(abs(float(np.diff(geometry.lat_edges)[rows // 2])))
    k = np.arange(1, WINDOW // 2) / (WINDOW * side)
    counts = np.bincount(ring[ring < WINDOW // 2], minlength=WINDOW // 2)
    scale = (taper**2).sum() * counts[1:]
    return k, total[1:] / scale, windows


def _rings() -> Integers:
    k = np.fft.fftfreq(WINDOW, 1.0 / WINDOW)
    return np.asarray(np.round(np.hypot(k[:, None], k[None, :])), np.int64)
