"""Monthly granules: means of daily ones by a second path, native months by hand, and what a month needs."""

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

from vadose.common import UsageError, silent
from vadose.producer.build import build, slabs
from vadose.producer.finishing import Finished
from vadose.producer.granules import parse_name
from vadose.producer.granules.periods import NATIVE, is_native_monthly, period_end, product_periods
from vadose.producer.methods import METHODS
from vadose.producer.methods.base import Prediction
from vadose.producer.months import finish_months, input_days, monthly_means

MONTHS = ["2015-12-01", "2016-02-29"]
# Frozen on six days of ten, so that some months have too few others.
COLD = [
    {"flag": "frozen_soil", "variable": "soil_temperature", "below": 276.5},
    {"flag": "dense_vegetation", "variable": "ndvi", "above": 0.4},
    {"flag": "urban_area", "variable": "urban_fraction", "above": 0.5},
]
JANUARY = np.arange("2016-01-01", "2016-02-01", dtype="datetime64[D]")
EVERYTHING = slice(None)


def world(worlds, folder, **changes):
    return worlds.small_world(folder, product__days=MONTHS, **changes)


@pytest.fixture(scope="module")
def both(worlds, tmp_path_factory):
    """Daily and monthly granules of the same cube and model, opened."""
    folder = tmp_path_factory.mktemp("months")
    opened = []
    for step in ("daily", "monthly"):
        recipe, cube, model, models = world(worlds, folder, product__step=step, build__slab_days=40, build__flags=COLD)
        target = folder / step
        build(recipe, cube, model, models, target, 10**9, silent)
        names = sorted(target.rglob(f"*-{step.upper()}-*.nc"))
        opened.append(xr.concat([xr.load_dataset(name) for name in names], "time", data_vars="minimal"))
    return target, *opened


def test_every_month_has_a_granule_in_its_place(both):
    names = [parse_name(path.name) for path in sorted(both[0].rglob("*MONTHLY*.nc"))]
    assert [name.when for name in names] == ["201512", "201601", "201602"]
    assert names[1].text == "VADOSE-DEMOSMALL-L4-0P25DEG-MONTHLY-201601-ICDR-v1.0.0.nc"
    assert all((both[0] / name.path).is_file() for name in names)


def test_a_month_is_the_mean_of_its_recommended_days(both):
    _, daily, monthly = both
    good = (daily.flag & 399) == 0
    number = good.resample(time="MS").sum().values
    assert np.array_equal(monthly.number_of_observations.values, number)
    for name in ("sm", "sm_uncertainty"):
        mean = daily[name].where(good).resample(time="MS").mean().values
        mean[number < 10] = np.nan
        # Days and months are both rounded, each by half of the last bit kept (11 and 7 of them).
        np.testing.assert_allclose(monthly[name].values, mean, rtol=2.0**-7 if "_" in name else 2.0**-11)
    assert np.isfinite(monthly.sm.values).any()
    assert (np.isnan(monthly.sm.values) & (monthly.flag.values != 1)).any()


def test_bits_are_those_of_at_least_half_of_the_days(both):
    _, daily, monthly = both
    for mask in (4, 16, 512, 1024, 2048, 4096):
        often = ((daily.flag & mask) > 0).resample(time="MS").mean().values >= 0.5
        assert np.array_equal((monthly.flag.values & mask) > 0, often)
    inside = monthly.flag.values != 1
    assert np.array_equal((monthly.flag.values & 256) > 0, inside & (monthly.number_of_observations.values < 10))


def test_time_is_the_middle_of_the_month_between_its_bounds(both):
    ds = both[2]
    assert [str(value)[:16] for value in ds.time.values] == ["2015-12-16T12:00", "2016-01-16T12:00", "2016-02-15T12:00"]
    edges = ds.time_bnds.values.astype("datetime64[D]").astype(str).tolist()
    assert edges[2] == ["2016-02-01", "2016-03-01"]
    assert ds.sm.cell_methods == "time: mean depth: mean area: mean where land"
    assert ds.sm.long_name.endswith("monthly mean of values at 06:00 local solar time")
    assert (ds.time_coverage_duration, ds.time_coverage_resolution) == ("P1M", "P1M")


def test_some_days_make_the_months_that_hold_them(worlds, tmp_path, both):
    recipe, cube, model, models = world(
        worlds, tmp_path, product__step="monthly", build__slab_days=40, build__flags=COLD
    )
    days = np.array(["2016-01-20", "2016-01-21"], "datetime64[D]")
    assert build(recipe, cube, model, models, tmp_path / "v", 10**9, silent, days).written == 1
    found = next((tmp_path / "v").rglob("*MONTHLY*.nc"))
    assert found.read_bytes() == next(both[0].rglob("*201601*.nc")).read_bytes()
    again = build(recipe, cube, model, models, tmp_path / "v", 10**9, silent)
    assert (again.written, again.kept) == (2, 1)
    assert [part.periods.size for part in slabs(recipe)] == [1, 1, 1]


def test_a_record_that_cuts_a_month_is_refused(worlds):
    with pytest.raises(UsageError, match="cut a month"):
        product_periods(worlds.small_recipe(product__step="monthly").product)
    assert period_end(np.datetime64("2015-12-01"), "monthly") == np.datetime64("2016-01-01")


def one_cell(good_days, bit):
    """January of one cell: the first days are good, the others carry a bit."""
    flag = np.where(np.arange(31) < good_days, 0, bit).astype("i2")[:, None]
    sm = np.where((flag & 259) != 0, np.nan, 0.2 + 0.001 * np.arange(31)[:, None]).astype("f4")
    return monthly_means(Finished(sm, sm / 10, flag), JANUARY)


@pytest.mark.parametrize(
    ("good", "bit", "flag", "given"),
    [(10, 256, 0, True), (9, 256, 256, False), (15, 4 | 256, 4, True), (16, 4 | 256, 0, True), (31, 0, 0, True),
     (9, 128, 128 | 256, False), (0, 2, 2 | 256, False)],
)  # fmt: skip
def test_ten_days_make_a_month_and_half_of_them_a_bit(good, bit, flag, given):
    month = one_cell(good, bit)
    assert month.number_of_observations[0, 0] == good
    assert month.flag[0, 0] == flag
    assert np.isfinite(month.sm[0, 0]) == given
    if given:
        assert month.sm[0, 0] == pytest.approx(0.2 + 0.001 * (good - 1) / 2, abs=1e-6)


def test_a_month_that_the_cube_holds_in_part_counts_the_days_that_lack(worlds):
    flag = np.full((15, 1), 16, "i2")
    half = monthly_means(Finished(np.full((15, 1), 0.3, "f4"), np.full((15, 1), 0.03, "f4"), flag), JANUARY[:15])
    assert (half.flag[0, 0], half.number_of_observations[0, 0]) == (0, 15)


def native(worlds, folder, **changes):
    settings = {"aggregation": "monthly", "parents": ["smap_sm_am", "precipitation", "ndvi"]}
    return world(worlds, folder, product__step="monthly", method={"name": "tcmerge", "settings": settings}, **changes)


@dataclass(frozen=True)
class MonthModel:
    """One value a month: 0.1 in December, 0.2 in January, 0.9 in February."""

    past_days: int = 0

    def predict(self, block):
        months = block.cube.days[block.days].astype("datetime64[M]").astype(int) - 551
        mean = np.repeat(np.array([0.1, 0.2, 0.9], "f4")[months][:, None], len(block.cube.index), axis=1)
        return Prediction(mean[:, block.cells], 0.1 * mean[:, block.cells], np.zeros(mean[:, block.cells].shape, "i2"))


def test_a_native_month_is_what_the_method_says(worlds, tmp_path):
    recipe, cube, _, models = native(worlds, tmp_path, build__covers_frozen=True)
    build(recipe, cube, MonthModel(), models, tmp_path / "v", 10**9, silent)
    names = sorted((tmp_path / "v").rglob("*MONTHLY*.nc"))
    ds = [xr.load_dataset(name) for name in names]
    enough = [month.number_of_observations.values[0] >= 10 for month in ds]
    assert all(part.any() for part in enough)
    for month, value, part in zip(ds[:2], (0.1, 0.2), enough, strict=False):
        np.testing.assert_allclose(month.sm.values[0][part], value, rtol=2.0**-11)
        np.testing.assert_allclose(month.sm_uncertainty.values[0][part], value / 10, rtol=2.0**-7)
        assert np.isnan(month.sm.values[0][~part]).all()
    clipped = ds[2].flag.values[0][enough[2]] & 1024
    assert (clipped == 1024).all()
    assert ds[0].number_of_observations.long_name == "days of the month with every required input"


def test_a_native_month_counts_days_with_all_parents_and_flags_cold_ones(worlds, tmp_path):
    recipe, cube, _, _ = native(worlds, tmp_path)
    prediction = MonthModel().predict(type("Block", (), {"cube": cube, "days": EVERYTHING, "cells": EVERYTHING}))
    months = finish_months(recipe, cube, prediction, EVERYTHING, EVERYTHING)
    inside = cube.days.astype("datetime64[M]") == np.datetime64("2016-01")
    there = np.isfinite(cube.read("smap_sm_am")) & np.isfinite(cube.read("precipitation"))
    assert np.array_equal(months.number_of_observations[1], there[inside].sum(axis=0))
    cold = (cube.read("soil_temperature")[inside] < 274.15).sum(axis=0) >= 15.5
    assert np.array_equal((months.flag[1] & 4) > 0, cold)
    assert np.array_equal(np.isnan(months.sm[1]), cold | (months.number_of_observations[1] < 10))
    assert not (months.flag & 512).any()


def test_a_downscaled_month_counts_the_days_of_its_coarse_cell(worlds, tmp_path):
    settings = {"coarse": "1P00DEG", "merge": {"parents": ["smap_sm_am", "precipitation"]}}
    recipe, cube, _, _ = world(
        worlds, tmp_path, product__step="monthly", method={"name": "downscale", "settings": settings}
    )
    found = input_days(recipe, cube, slice(5, 9), slice(10, 40))
    both = [np.isfinite(cube.read(name))[5:9] for name in ("smap_sm_am", "precipitation")]
    corner = np.floor(cube.lat) * 1000 + np.floor(cube.lon)
    for place, cell in enumerate(range(10, 40)):
        same = corner == corner[cell]
        assert np.array_equal(found[:, place], both[0][:, same].any(axis=1) & both[1][:, same].any(axis=1))


def test_the_methods_that_predict_months_are_known_with_their_defaults(worlds):
    for name, (key, default) in NATIVE.items():
        settings_type = next(item for item in METHODS if item.name == name).settings_type
        assert (settings_type.model_fields[key].default == "monthly") == default
    assert not is_native_monthly(worlds.small_recipe(product__step="monthly"))
    assert not is_native_monthly(worlds.small_recipe(method={"name": "downscale"}))
    assert is_native_monthly(worlds.small_recipe(product__step="monthly", method={"name": "downscale"}))
