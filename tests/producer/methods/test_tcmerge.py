"""The merge by triple collocation against a known truth, and against what makes collocation impossible."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import InputError, UsageError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.grids import box
from vadose.producer.methods import Block, Inputs, method_settings
from vadose.producer.methods.collocations import SOURCES, from_neighbours
from vadose.producer.methods.leastsquares import least_squares_weights, merge
from vadose.producer.methods.tcmerge import TcMerge, TcMergeModel
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds
from vadose.statistics import STATUS

PARENTS = ("land_model_a_sm", "cci_sm", "smap_sm_am", "era5_sm")
SIDE = 8
GAINS = np.array([1.0, 0.7, 1.3, 0.9])
OFFSETS = np.array([0.0, 0.05, -0.02, 0.03])


def persistent(noise: np.ndarray, memory_days: float) -> np.ndarray:
    """First-order autoregression along time with variance one."""
    if memory_days == 0:
        return noise
    share = np.exp(-1 / memory_days)
    out = noise.copy()
    for t in range(1, len(out)):
        out[t] = share * out[t - 1] + np.sqrt(1 - share**2) * noise[t]
    return out


def simulated(
    folder: Path, errors: tuple[float, ...], *, days: int = 865, memory: tuple[float, ...] = (0, 0, 0, 0),
    rho: float = 0.0, seed: int = 0, changed: Any = None,
) -> tuple[Cube, np.ndarray]:  # fmt: skip
    """A cube of parents that see the truth with a gain, an offset and errors (in units of the truth), and the truth.

    The errors of the first two are correlated by `rho`. The last year of the days is for testing.
    """
    rng = np.random.default_rng(seed)
    grid, cells = box("0P25DEG", 0, 40, SIDE / 4, 40 + SIDE / 4), SIDE * SIDE
    shape = (days, cells)
    truth = 0.25 + 0.06 * persistent(rng.normal(size=shape), 4.0)
    noise = [rng.normal(size=shape) for _ in errors]
    noise[1] = rho * noise[0] + np.sqrt(1 - rho**2) * noise[1]
    values = [OFFSETS[k] + GAINS[k] * (truth + std * persistent(noise[k], memory[k])) for k, std in enumerate(errors)]
    if changed:
        changed(values)
    stamps = np.datetime64("2016-01-01") + np.arange(days)
    with new_cube(folder / "c.zarr", grid, np.arange(cells), stamps, title="parents") as writer:
        for name, series in zip(PARENTS, values, strict=False):
            writer.add(name, series.astype(np.float32))
    return open_cube(folder / "c.zarr"), truth


def fitted(cube: Cube, count: int = 3, **settings: Any) -> TcMergeModel:
    values = {"parents": PARENTS[:count], "reference": PARENTS[0], **settings}
    fold = make_folds("P1", cube, "smap_sm_am")[0]
    inputs = Inputs({"main": cube}, "smap_sm_am", Predictors(daily=PARENTS[:count]))
    return TcMerge().fit(inputs, fold, method_settings(TcMerge(), values), seed=0)


def later(cube: Cube) -> Block:
    """The test days of split P1."""
    days = np.flatnonzero(make_folds("P1", cube, "smap_sm_am")[0].dates["test"])
    return Block(cube, slice(int(days[0]), int(days[-1]) + 1), slice(0, cube.index.size))


def in_reference(cube: Cube, name: str) -> np.ndarray:
    """A parent of the later days as it would be with the gain and offset of the reference."""
    k = PARENTS.index(name)
    return (cube.read(name, later(cube).days) - OFFSETS[k]) / GAINS[k]


def month_means(values: np.ndarray, cube: Cube) -> np.ndarray:
    months = cube.days[later(cube).days].astype("datetime64[M]")
    return np.stack([values[months == month].mean(axis=0) for month in np.unique(months)[1:-1]])


@pytest.mark.parametrize("rescale", ["beta", "mean_std", "cdf"])
def test_merged_error_is_at_most_that_of_the_best_parent(tmp_path: Path, rescale: str) -> None:
    cube, truth = simulated(tmp_path, (0.02, 0.03, 0.04))
    merged = fitted(cube, rescale=rescale).predict(later(cube)).mean
    own = truth[later(cube).days]
    # Matching of variances inflates the signal's share of noise, which a plain bias and gain take away again.
    parents = [((in_reference(cube, name) - own) ** 2).mean(axis=0) for name in PARENTS[:3]]
    slope = ((merged - merged.mean(0)) * (own - own.mean(0))).mean(0) / merged.var(0)
    error = ((own.mean(0) + slope * (merged - merged.mean(0)) - own) ** 2).mean(axis=0)
    raw = ((merged - own) ** 2).mean(axis=0)
    assert error.mean() < min(parent.mean() for parent in parents)
    if rescale == "beta":
        assert raw.mean() < min(parent.mean() for parent in parents)
        assert (raw < np.min(parents, axis=0)).mean() > 0.9


def test_weights_lie_within_ten_percent_of_the_optimum_at_500_days(tmp_path: Path) -> None:
    errors = np.array([0.02, 0.03, 0.04])
    cube, _ = simulated(tmp_path, tuple(errors))
    model = fitted(cube)
    optimum = errors**-2.0 / (errors**-2.0).sum()
    resolved = model.estimate.source[0] == 0
    assert resolved.mean() > 0.75
    assert np.abs(model.weights[0][resolved].mean(axis=0) / optimum - 1).max() < 0.1


def test_merged_sigma_is_the_error_that_the_merge_has(tmp_path: Path) -> None:
    cube, truth = simulated(tmp_path, (0.02, 0.03, 0.04))
    found = fitted(cube).predict(later(cube))
    error = found.mean - truth[later(cube).days]
    assert np.sqrt((found.uncertainty**2).mean()) == pytest.approx(error.std(), rel=0.1)


def test_monthly_means_are_weighted_by_the_errors_of_monthly_means(tmp_path: Path) -> None:
    # White errors vanish in a month, slow ones stay: daily variances would trust the wrong parent.
    cube, truth = simulated(tmp_path, (0.05, 0.025, 0.03), memory=(0, 15, 15), days=9000)
    own = month_means(truth[later(cube).days], cube)
    plain = month_means(np.mean([in_reference(cube, name) for name in PARENTS[:3]], axis=0), cube)
    monthly, daily = fitted(cube, aggregation="monthly"), fitted(cube)
    assert monthly.weights[0].mean(axis=0)[0] > 0.5 > daily.weights[0].mean(axis=0)[0]
    merged = month_means(monthly.predict(later(cube)).mean, cube)
    by_day = month_means(daily.predict(later(cube)).mean, cube)
    assert np.std(merged - own) < 0.9 * np.std(plain - own)
    assert np.std(merged - own) < 0.9 * np.std(by_day - own)


def test_every_day_of_a_month_has_the_value_of_the_month_whatever_is_asked_for(tmp_path: Path) -> None:
    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04), days=1200)
    model = fitted(cube, aggregation="monthly")
    whole = model.predict(Block(cube, slice(600, 800), slice(0, 64))).mean
    months = cube.days[600:800].astype("datetime64[M]")
    assert all((whole[months == month] == whole[months == month][0]).all() for month in np.unique(months))
    np.testing.assert_array_equal(model.predict(Block(cube, slice(655, 656), slice(9, 11))).mean, whole[55:56, 9:11])


def test_correlated_errors_flatter_the_pair_and_harm_the_third(tmp_path: Path) -> None:
    cube, _ = simulated(tmp_path, (0.03, 0.03, 0.03), rho=0.6)
    std = fitted(cube).facts["mean_error_std"]
    assert std[PARENTS[0]] < 0.027
    assert std[PARENTS[1]] < 0.027
    assert std[PARENTS[2]] > 0.033


def test_four_products_tell_the_error_covariance_of_two(tmp_path: Path) -> None:
    errors = np.array([0.03, 0.025, 0.035, 0.03])
    cube, truth = simulated(tmp_path, tuple(errors), rho=0.3)
    model = fitted(cube, 4, dependent=[PARENTS[:2]])
    covariance = np.diag(errors**2)
    covariance[0, 1] = covariance[1, 0] = 0.3 * errors[0] * errors[1]
    optimum = np.linalg.solve(covariance, np.ones(4))
    resolved = model.estimate.source[0] == 0
    found = model.weights[0][resolved].mean(axis=0)
    assert resolved.mean() > 0.7
    assert np.abs(found / (optimum / optimum.sum()) - 1).max() < 0.1
    own = truth[later(cube).days]
    parents = [((in_reference(cube, name) - own) ** 2).mean() for name in PARENTS]
    assert ((model.predict(later(cube)).mean - own) ** 2).mean() < min(parents)


def test_dependent_errors_of_three_are_marked_in_the_validity_map(tmp_path: Path) -> None:
    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04))
    validity = fitted(cube, dependent=[PARENTS[:2]]).facts["validity"]
    assert validity["dependent_errors"] > 0.75 * SIDE**2
    with pytest.raises(UsageError, match="name fewer pairs"):
        fitted(simulated(tmp_path, (0.02, 0.03, 0.04, 0.03))[0], 4, dependent=[
            PARENTS[:2], PARENTS[1:3], PARENTS[2:4], (PARENTS[0], PARENTS[2]),
        ])  # fmt: skip


def test_reasons_stand_in_the_validity_map_and_cells_get_equal_weights(tmp_path: Path) -> None:
    def spoil(values: list[np.ndarray]) -> None:
        rng = np.random.default_rng(9)
        values[1][90:, 0] = np.nan
        values[1][:, 1] = 0.4 - values[1][:, 1]
        values[2][:, 2] = 0.2 + 0.05 * rng.normal(size=len(values[2]))
        values[1][:, 3] = 0.3

    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04), changed=spoil)
    model = fitted(cube)
    words = [STATUS[code] for code in model.estimate.validity[0, :4]]
    assert words == ["few_samples", "anticorrelated", words[2], "constant_series"]
    assert words[2] in ("weak_correlation", "negative_covariance", "anticorrelated")
    np.testing.assert_allclose(model.weights[0, :4], 1 / 3)
    assert np.isfinite(model.predict(later(cube)).mean[:, :4]).all()


def test_unresolved_cell_takes_the_median_errors_of_its_neighbours(tmp_path: Path) -> None:
    def spoil(values: list[np.ndarray]) -> None:
        values[1][90:, 9] = np.nan

    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04), changed=spoil)
    found = fitted(cube, unresolved="neighbour").estimate
    around = [0, 1, 2, 8, 10, 16, 17, 18]
    around = [cell for cell in around if found.source[0, cell] == 0]
    expected = np.median([np.diag(found.errors[0, cell]) for cell in around], axis=0)
    np.testing.assert_allclose(np.diag(found.errors[0, 9]), expected)
    assert SOURCES[found.source[0, 9]] == "neighbours"


def test_lonely_cell_keeps_equal_weights() -> None:
    errors = np.stack([np.eye(3), np.diag([1.0, 2.0, 3.0])])[None]
    source = np.array([[3, 0]], np.int8)
    again, kept = from_neighbours(errors, source, np.array([0, 5]), np.array([0, 5]))
    np.testing.assert_array_equal(again, errors)
    np.testing.assert_array_equal(kept, source)


def test_seasons_have_weights_of_their_own(tmp_path: Path) -> None:
    def winter_noise(values: list[np.ndarray]) -> None:
        months = (np.datetime64("2016-01-01") + np.arange(len(values[0]))).astype("datetime64[M]").astype(int) % 12
        cold = np.isin(months, (11, 0, 1))
        values[0][cold] += np.random.default_rng(5).normal(0, 0.05, values[0][cold].shape)

    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04), days=3000, changed=winter_noise)
    model = fitted(cube, seasonal=True)
    own = model.estimate.source == 0
    first = [model.weights[k][own[k]][:, 0].mean() for k in range(4)]
    assert own.mean() > 0.5
    assert first[0] < 0.3 < 0.5 < min(first[1:])


def test_equal_weights_give_the_mean_of_the_rescaled_parents(tmp_path: Path) -> None:
    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04))
    model = fitted(cube, weighting="equal")
    block = later(cube)
    scaled = [
        maps(cube.read(name, block.days).T).T for name, maps in zip(PARENTS[:3], model.estimate.maps, strict=True)
    ]
    np.testing.assert_allclose(model.predict(block).mean, np.mean(scaled, axis=0), rtol=1e-5)


def test_a_missing_parent_leaves_the_best_of_the_others(tmp_path: Path) -> None:
    cube, truth = simulated(tmp_path, (0.02, 0.03, 0.04))
    model = fitted(cube)
    hidden = cube.hiding(PARENTS[0], np.ones((cube.days.size, SIDE**2), bool))
    block = Block(hidden, later(cube).days, later(cube).cells)
    found = model.predict(block)
    expected = 1 / (1 / 0.03**2 + 1 / 0.04**2)
    error = found.mean - truth[block.days]
    assert error.var() == pytest.approx(expected, rel=0.15)
    assert (found.uncertainty**2).mean() == pytest.approx(expected, rel=0.15)


def test_saved_merge_gives_the_same_bytes_and_any_block_the_same_values(tmp_path: Path) -> None:
    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04))
    model = fitted(cube, rescale="cdf", seasonal=True)
    model.save(tmp_path / "model")
    again = TcMerge().load(tmp_path / "model")
    whole = model.predict(later(cube))
    part = again.predict(Block(cube, slice(later(cube).days.start + 20, later(cube).days.start + 31), slice(7, 23)))
    np.testing.assert_array_equal(part.mean, whole.mean[20:31, 7:23])
    np.testing.assert_array_equal(part.uncertainty, whole.uncertainty[20:31, 7:23])
    again.save(tmp_path / "again")
    assert all((tmp_path / "again" / f.name).read_bytes() == f.read_bytes() for f in (tmp_path / "model").iterdir())


def test_later_days_do_not_change_the_fit(tmp_path: Path) -> None:
    def spoil(values: list[np.ndarray]) -> None:
        for series in values:
            series[500:] *= 0.9

    for folder, change in (("clean", None), ("spoilt", spoil)):
        (tmp_path / folder).mkdir()
        fitted(simulated(tmp_path / folder, (0.02, 0.03, 0.04), changed=change)[0]).save(tmp_path / folder / "model")
    for path in (tmp_path / "clean" / "model").iterdir():
        assert path.read_bytes() == (tmp_path / "spoilt" / "model" / path.name).read_bytes()


def test_wrong_settings_are_refused_with_their_reason(tmp_path: Path) -> None:
    for values, words in (
        ({"parents": ["cci_sm", "era5_sm", "smap_am"]}, "did you mean 'smap_sm_am'"),
        ({"parents": ["cci_sm", "era5_sm", "cci_sm"]}, "named twice"),
        ({"reference": "era5_sm"}, "none of the parents"),
        ({"dependent": [["cci_sm", "era5_sm"]]}, "not two of the parents"),
    ):
        with pytest.raises(UsageError, match=words):
            method_settings(TcMerge(), values)
    cube, _ = simulated(tmp_path, (0.02, 0.03, 0.04))
    with pytest.raises(UsageError, match="different units"):
        fitted(cube, parents=("land_model_a_sm", "cci_sm", "ascat_ssm"), rescale="none")
    with pytest.raises(InputError, match="no variable 'era5_sm'"):
        fitted(cube, parents=("land_model_a_sm", "cci_sm", "era5_sm"))


def test_merge_of_two_days_equals_the_formula_written_out() -> None:
    errors = np.array([[[0.04, 0.01, 0.0], [0.01, 0.09, 0.0], [0.0, 0.0, 0.16]]])
    values = np.array([[[0.2], [np.nan]], [[0.3], [0.3]], [[0.4], [np.nan]]])
    mean, variance, _ = merge(values, errors)
    inverse = np.linalg.inv(errors[0])
    weights = inverse.sum(axis=1) / inverse.sum()
    assert mean[0, 0] == pytest.approx(weights @ np.array([0.2, 0.3, 0.4]))
    assert variance[0, 0] == pytest.approx(weights @ errors[0] @ weights)
    assert (mean[1, 0], variance[1, 0]) == (pytest.approx(0.3), pytest.approx(0.09))
    assert least_squares_weights(errors)[0].sum() == pytest.approx(1.0)
