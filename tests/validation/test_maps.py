"""Map against map: conservative regridding and the figures of every date."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.validation import suite
from vadose.validation.extraction import extract
from vadose.validation.further import cell_maps
from vadose.validation.geometry import Geometry
from vadose.validation.layout import global_geometry
from vadose.validation.maps import MapComparison, Window, compare_maps, window_of
from vadose.validation.products import Product, open_product
from vadose.validation.regridding import Regridder, overlapped
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings


def grid(step: float, first: float = 40.0, last: float = 44.0, west: float = -100.0, east: float = -95.0) -> Geometry:
    lat, lon = np.arange(last, first - 1e-9, -step), np.arange(west, east + 1e-9, step)
    return Geometry((lat[:-1] + lat[1:]) / 2, (lon[:-1] + lon[1:]) / 2, lat, lon)


def test_regridding_keeps_the_area_integral_and_constants() -> None:
    fine, coarse = grid(0.25), grid(1.0)
    regrid = Regridder.between(fine, coarse)
    field = np.random.default_rng(0).uniform(0.1, 0.4, fine.shape)
    whole = Regridder.between(fine, fine).area
    np.testing.assert_allclose((regrid(field) * regrid.area).sum(), (field * whole).sum(), rtol=1e-12)
    np.testing.assert_allclose(regrid(np.full(fine.shape, 0.3)), 0.3, rtol=1e-12)


def test_regridding_is_the_area_weighted_mean_of_the_cells_inside() -> None:
    fine, coarse = grid(0.5), grid(1.0)
    field = np.random.default_rng(1).uniform(0.1, 0.4, fine.shape)
    weight = np.sin(np.deg2rad(fine.lat_edges[:2])) - np.sin(np.deg2rad(fine.lat_edges[1:3]))
    expected = (weight[:, None] * field[:2, :2]).sum() / (2 * weight.sum())
    assert Regridder.between(fine, coarse)(field)[0, 0] == pytest.approx(expected)


def test_a_target_cell_needs_values_in_half_of_its_area() -> None:
    field = np.full(grid(0.5).shape, 0.2)
    field[0, 0] = field[0, 1] = field[1, 0] = np.nan
    field[2, 2] = np.nan
    out = Regridder.between(grid(0.5), grid(1.0))(field)
    assert np.isnan(out[0, 0])
    assert out[1, 1] == pytest.approx(0.2)


@pytest.mark.parametrize("turn", [0.0, 360.0])
def test_longitude_conventions_and_directions_do_not_matter(turn: float) -> None:
    fine, coarse = grid(0.25), grid(1.0)
    turned = Geometry(fine.lat[::-1], fine.lon + turn, fine.lat_edges[::-1], fine.lon_edges + turn)
    field = np.random.default_rng(2).uniform(0.1, 0.4, fine.shape)
    np.testing.assert_allclose(Regridder.between(turned, coarse)(field[::-1]), Regridder.between(fine, coarse)(field))


def test_ease_grid_rows_regrid_to_latitudes_without_losing_area() -> None:
    ease, degrees = global_geometry("EASE2M36"), global_geometry("1DEG")
    assert ease is not None
    assert degrees is not None
    out = Regridder.between(ease, degrees)(np.ones(ease.shape))
    np.testing.assert_allclose(out[6:-6], 1.0, rtol=1e-9)


def test_overlapped_cells_have_shares_that_sum_to_one() -> None:
    box, cell, share = overlapped(grid(0.25), np.array([[41.1, 41.9, -98.3, -97.2]]))
    assert set(box) == {0}
    assert share.sum() == pytest.approx(1.0)
    assert len(set(cell)) == len(cell) == 4 * 6


def products(folder: Path, make: Any, errors: dict[str, float], days: int = 200) -> dict[str, Product]:
    lat, lon = grid(0.25).lat, grid(0.25).lon
    rng = np.random.default_rng(3)
    pattern = 0.2 + 0.1 * np.outer(np.sin(np.arange(lat.size)), np.cos(np.arange(lon.size) / 2))
    true = pattern + 0.03 * rng.standard_normal((days, 1, 1))
    out = {}
    for name, error in errors.items():
        values = true + error * rng.standard_normal(true.shape)
        path = make["file"](folder / f"{name}.nc", values.astype("f4"), lat, lon)
        out[name] = open_product(name, str(path))
    return out


def take(product: Product, cells: np.ndarray) -> Any:
    columns = product.geometry.shape[1]
    return extract(product, cells // columns, cells % columns)


def comparison(given: dict[str, Product], **options: Any) -> MapComparison:
    windows = [window_of(one, one.all_cells()) for one in given.values()]
    known: list[Window] = [one for one in windows if one is not None]
    return compare_maps(known, take, np.datetime64("2015-04-01") + np.arange(200), **options)


def test_scores_of_a_date_are_those_of_its_fields(tmp_path: Path, make: Any) -> None:
    given = products(tmp_path, make, {"ours": 0.02, "map": 0.0})
    found = comparison(given).daily()
    x, r = (take(one, one.all_cells()).values[:, 7].astype(float) for one in given.values())
    lat = given["map"].geometry.lat_edges
    weight = np.repeat(np.sin(np.deg2rad(lat[:-1])) - np.sin(np.deg2rad(lat[1:])), given["map"].geometry.shape[1])
    weight /= weight.sum()
    bias = (weight * (x - r)).sum()
    assert found["spatial_bias"][0, 7] == pytest.approx(bias, abs=1e-9)
    assert found["spatial_ubrmsd"][0, 7] == pytest.approx(np.sqrt((weight * (x - r - bias) ** 2).sum()), rel=1e-6)


def test_bands_give_the_same_figures_as_the_whole_map(tmp_path: Path, make: Any) -> None:
    given = products(tmp_path, make, {"ours": 0.02, "rival": 0.05, "map": 0.0})
    one, many = comparison(given), comparison(given, band_values=20_000)
    for name, values in one.daily().items():
        np.testing.assert_allclose(many.daily()[name], values, atol=1e-10)
    np.testing.assert_allclose(many.seasonal(), one.seasonal(), atol=1e-12)


def test_the_noisier_map_scores_worse_and_its_rows_say_so(tmp_path: Path, make: Any) -> None:
    found = comparison(products(tmp_path, make, {"ours": 0.02, "rival": 0.05, "map": 0.0}))
    keys = {name: {"product": name, "version": "1", "reference": "map", "split": "P1"} for name in ("ours", "rival")}
    rows = found.rows(keys)
    mean = rows[rows["aggregate"].eq("mean")].set_index(["product", "metric"])["value"]
    assert mean["ours", "spatial_r"] > mean["rival", "spatial_r"]
    assert mean["ours", "spatial_ubrmsd"] == pytest.approx(0.02, abs=0.001)
    assert mean["rival", "spatial_ubrmsd"] == pytest.approx(0.05, abs=0.002)
    assert set(rows["n"]) == {200}


def test_a_finer_product_shows_its_detail_and_white_noise_has_a_flat_spectrum(tmp_path: Path, make: Any) -> None:
    lat, lon = grid(0.125).lat, grid(0.125).lon
    rng = np.random.default_rng(5)
    noise = 0.2 + 0.03 * rng.standard_normal((200, lat.size, lon.size))
    given = {"ours": open_product("ours", str(make["file"](tmp_path / "fine.nc", noise.astype("f4"), lat, lon)))}
    given |= products(tmp_path, make, {"map": 0.0})
    found = comparison(given)
    assert found.detail()["ours"] == pytest.approx(0.03 * np.sqrt(3 / 4), rel=0.02)
    curves = found.curves()
    power = curves[curves["figure"].eq("spectrum") & curves["series"].eq("ours")]["y"]
    assert power.max() / power.min() < 1.5


def test_a_flipped_map_is_seen(tmp_path: Path, make: Any) -> None:
    given = products(tmp_path, make, {"ours": 0.0, "map": 0.0})
    lat, lon = given["ours"].geometry.lat, given["ours"].geometry.lon
    values = take(given["ours"], given["ours"].all_cells()).values.reshape(lat.size, lon.size, -1).transpose(2, 0, 1)
    flipped = open_product("ours", str(make["file"](tmp_path / "flip.nc", values[:, ::-1], lat, lon)))
    assert np.nanmax(comparison({"ours": flipped, "map": given["map"]}).daily()["spatial_r"]) < 0.9


def test_scores_of_scattered_cells_make_no_map() -> None:
    places = np.arange(500.0) / 10.0
    scattered = pd.DataFrame({"lat": places, "lon": places[::-1], "station_id": [str(k) for k in range(500)]})
    tables = SimpleNamespace(stations=scattered, reference="smap", found=SimpleNamespace(scored={}))
    assert not cell_maps(SimpleNamespace(products=()), tables).sizes
    gridded = scattered.assign(lat=np.repeat(places[:20], 25), lon=np.tile(places[:25], 20))
    tables = SimpleNamespace(stations=gridded, reference="smap", found=SimpleNamespace(scored={}))
    assert dict(cell_maps(SimpleNamespace(products=()), tables).sizes) == {
        "product": 0, "cell_lat_smap": 20, "cell_lon_smap": 25,
    }  # fmt: skip


def test_seasonal_and_zonal_sums_are_those_of_the_common_days(tmp_path: Path, make: Any) -> None:
    given = products(tmp_path, make, {"ours": 0.02, "map": 0.0})
    found = comparison(given)
    shape = given["map"].geometry.shape
    x, r = (take(one, one.all_cells()).values.astype(float).reshape(*shape, -1) for one in given.values())
    month = found.days.astype("datetime64[M]").astype(int) % 12 + 1
    summer = np.isin(month, (6, 7, 8))
    np.testing.assert_allclose(found.seasonal()[0, 2], (x - r)[..., summer].mean(axis=-1), atol=1e-12)
    zonal = found.curves()
    zonal = zonal[zonal["figure"].eq("zonal_mean") & zonal["series"].eq("ours")]
    np.testing.assert_allclose(zonal["y"], x.mean(axis=(1, 2)), rtol=1e-12)


def test_a_large_map_has_the_values_of_its_cells_without_intervals(
    tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    products(tmp_path, make, {"ours": 0.02, "rival": 0.05, "map": 0.0}, days=120)
    given = Settings(
        product=("ours", str(tmp_path / "ours.nc")), rivals=(("rival", str(tmp_path / "rival.nc")),),
        references=(("map", str(tmp_path / "map.nc")),),
    )  # fmt: skip
    found = {}
    for most, name in ((5000, "small"), (100, "large")):
        monkeypatch.setattr(suite, "MANY_CELLS", most)
        monkeypatch.setattr(suite, "CELLS_AT_ONCE", 128)
        run_validation(given, tmp_path / name)
        scores = pd.read_parquet(tmp_path / name / "scores.parquet")
        found[name] = scores[scores["stratum_kind"].eq("all") & scores["aggregate"].isin(["median", "mean", "pooled"])]
        with xr.open_dataset(tmp_path / name / "diagnostics" / "maps.nc") as maps:
            found[f"{name} map"] = maps["cell_ubrmsd_map"].values
        assert scores["stratum_kind"].eq("station").any() == (name == "small")
    np.testing.assert_allclose(found["large"]["value"], found["small"]["value"], rtol=1e-9)
    np.testing.assert_allclose(found["large"]["ci_low"], found["small"]["ci_low"], rtol=1e-6)
    np.testing.assert_array_equal(found["large map"], found["small map"])
