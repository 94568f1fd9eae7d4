"""Stations upscaled to core sites, and match-ups as the mission publishes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from vadose.common import InputError, UsageError
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings
from vadose.validation.stations import companion, open_stations, read_stations, write_stations
from vadose.validation.stations.sites import area, clipped, projected, voronoi_weights
from vadose.validation.stations.smap_cvs import plain_mean, spatial_error, station_means, upscale

SQUARE = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


def series(stations: int, days: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.2 + 0.05 * rng.standard_normal((stations, 1)) + 0.03 * rng.standard_normal((1, days))


def test_the_site_mean_does_not_jump_where_a_station_fails() -> None:
    values = series(5, 200)
    whole = values.mean(axis=0)
    gappy = values.copy()
    gappy[0, 100:] = np.nan
    np.testing.assert_allclose(upscale(gappy, np.full(5, 0.2)), whole, atol=1e-12)
    assert np.abs(plain_mean(gappy, np.full(5, 0.2)) - whole)[100:].min() > 0.001


def test_the_formula_is_the_one_written_out() -> None:
    rng = np.random.default_rng(3)
    values, weights = rng.uniform(0.1, 0.4, (4, 60)), np.array([0.4, 0.3, 0.2, 0.1])
    values[2, 40:50] = np.nan
    means = [values[i, np.isfinite(values).all(axis=0)].mean() for i in range(4)]
    for day in (5, 45):
        here = [i for i in range(4) if np.isfinite(values[i, day])]
        expected = sum(w * m for w, m in zip(weights, means, strict=True)) + sum(
            weights[i] * (values[i, day] - means[i]) for i in here
        ) / sum(weights[i] for i in here)
        assert upscale(values, weights)[day] == pytest.approx(expected, abs=1e-12)


def test_stations_that_never_all_report_are_compared_pair_by_pair() -> None:
    values = series(4, 300, seed=5)
    truth = values.mean(axis=1) - values.mean()
    gappy = values.copy()
    for row, (start, end) in enumerate([(0, 120), (80, 200), (160, 300), (0, 300)]):
        gappy[row, :start], gappy[row, end:] = np.nan, np.nan
    means = station_means(gappy)
    np.testing.assert_allclose(means - means.mean(), truth, atol=1e-12)


def test_stations_without_any_common_day_are_refused() -> None:
    values = series(2, 100)
    values[0, 50:], values[1, :50] = np.nan, np.nan
    with pytest.raises(InputError, match="never report on a common day"):
        upscale(values, np.full(2, 0.5))


def test_a_day_needs_seven_tenths_of_the_weight() -> None:
    values, weights = series(10, 50), np.full(10, 0.1)
    values[:3, 10], values[:4, 20] = np.nan, np.nan
    site = upscale(values, weights)
    assert np.flatnonzero(np.isnan(site)).tolist() == [20]


def test_the_standard_error_of_equal_weights_is_the_textbook_one() -> None:
    values = np.random.default_rng(1).uniform(0.1, 0.4, (7, 30))
    expected = values.std(axis=0, ddof=1) / np.sqrt(7)
    np.testing.assert_allclose(spatial_error(values, np.full(7, 1 / 7)), expected, rtol=1e-12)
    finite = spatial_error(values, np.full(7, 1 / 7), population=28)
    np.testing.assert_allclose(finite, expected * np.sqrt(0.75), rtol=1e-12)


# A square without its upper right quarter: not convex.
CORNER = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0)])


@pytest.mark.parametrize("outline", [SQUARE, CORNER, CORNER[::-1]], ids=["square", "corner", "clockwise"])
@limits(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 12))
def test_voronoi_weights_are_the_shares_of_the_nearest_points(outline: np.ndarray, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.0, 1.0, (count, 2))
    weights = voronoi_weights(points, outline, "site.yaml")
    grid = np.stack(np.meshgrid(*[(np.arange(200) + 0.5) / 200] * 2), axis=-1).reshape(-1, 2)
    if outline is not SQUARE:
        grid = grid[(grid < 0.5).any(axis=1)]
    nearest = ((grid[:, None] - points) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_allclose(weights, np.bincount(nearest, minlength=count) / len(grid), atol=0.02)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_two_stations_at_one_place_have_no_voronoi_weights() -> None:
    with pytest.raises(UsageError, match="one place"):
        voronoi_weights(np.array([(0.5, 0.5), (0.5, 0.5)]), SQUARE, "site.yaml")


def test_a_polygon_is_cut_at_the_outline() -> None:
    wide = np.array([(-1.0, 0.25), (2.0, 0.25), (2.0, 0.75), (-1.0, 0.75)])
    assert area(clipped(wide, SQUARE)) == pytest.approx(0.5)
    assert area(clipped(wide[::-1], SQUARE)) == pytest.approx(0.5)
    # Two legs of the U remain, joined by edges that lie upon each other.
    legs = np.array(
        [(0.0, -1.0), (1.0, -1.0), (1.0, 1.0), (0.7, 1.0), (0.7, -0.5), (0.3, -0.5), (0.3, 1.0), (0.0, 1.0)]
    )
    assert area(clipped(legs, SQUARE)) == pytest.approx(0.6)
    assert area(clipped(SQUARE + 5.0, SQUARE)) == 0.0


def write_stations_of_site(folder: Path, names: Sequence[str], value: float = 0.2) -> None:
    for number, name in enumerate(names):
        header = f"NET NET {name} {31.70 + 0.01 * number:.4f} -110.05 300.0 0.05 0.05 Probe"
        rows = [
            f"2015/01/{day:02d} {hour:02d}:00 {value + number / 100:.4f} G M" for day in (1, 2) for hour in range(24)
        ]
        folder.mkdir(exist_ok=True)
        (folder / f"NET_NET_{name}_sm_0.050000_0.050000_Probe_20150101_20150102.stm").write_text(
            "\n".join([header, *rows])
        )


def site_file(path: Path, names: Sequence[str], **changes: Any) -> Path:
    stations = [
        {"network": "NET", "station": name, "lat": 31.70 + 0.01 * number, "lon": -110.05}
        for number, name in enumerate(names)
    ]
    values = {
        "site": "WG", "weighting": "arithmetic", "licence": "CC0-1.0", "redistributable": True, "stations": stations,
        "polygon": [[-110.1, 31.68], [-110.0, 31.68], [-110.0, 31.76], [-110.1, 31.76]], "depth_m": [0.05, 0.05],
    }  # fmt: skip
    path.write_text(yaml.safe_dump({**values, **changes}))
    return path


def test_a_site_takes_the_place_of_its_stations(tmp_path: Path, funnel: Any) -> None:
    write_stations_of_site(tmp_path, ["A", "B", "C", "D"])
    site_file(tmp_path / "wg.yaml", ["A", "B", "C"])
    dataset = read_stations([tmp_path])
    assert dataset["station_name"].values.tolist() == ["D", "WG"]
    site = dataset.isel(station=1)
    np.testing.assert_allclose(site["soil_moisture"], 0.21, atol=1e-6)
    np.testing.assert_allclose(site["standard_error"], 0.01 / np.sqrt(3), atol=1e-6)
    assert [str(site[name].values) for name in ("footprint_kind", "site_class")] == ["core-site", "candidate"]
    assert (float(site["lat"]), float(site["lon"])) == pytest.approx((31.72, -110.05), abs=1e-3)
    # ISMN values inside: the site may not be passed on, whatever its own file says.
    assert not bool(site["redistributable"])
    funnel.check(dataset, single=False)


def test_a_site_is_frozen_where_half_of_its_stations_are(tmp_path: Path) -> None:
    write_stations_of_site(tmp_path, ["A", "B", "C"])
    site_file(tmp_path / "wg.yaml", ["A", "B", "C"])
    # C carries another flag: a file of good hours alone does not say whether it was frozen.
    for name, hour, flag in (
        ("A", "01 05", "D01"),
        ("A", "02 05", "D01"),
        ("B", "02 05", "D02"),
        ("C", "01 05", "D06"),
    ):
        (path,) = tmp_path.glob(f"*_{name}_sm_*")
        lines = path.read_text().splitlines()
        flagged = [line.replace("G M", f"{flag} M") if f"/{hour}" in line else line for line in lines]
        path.write_text("\n".join(flagged))
    assert read_stations([tmp_path])["frozen"].values[0].tolist() == [0, 1]


def test_stations_of_different_day_conventions_make_no_site(tmp_path: Path) -> None:
    write_stations_of_site(tmp_path, ["A"])
    table = "WBANNO,LST_DATE,LONGITUDE,LATITUDE,SOIL_MOISTURE_5_DAILY\n3061,20150101,-110,31.7,0.2\n"
    (tmp_path / "B.csv").write_text(table)
    site_file(tmp_path / "wg.yaml", ["A"])
    values = yaml.safe_load((tmp_path / "wg.yaml").read_text())
    values["stations"].append({"network": "USCRN", "station": "B", "lat": 31.7, "lon": -110.0})
    (tmp_path / "wg.yaml").write_text(yaml.safe_dump(values))
    assert "different conventions: local_standard, utc" in read_stations([tmp_path]).attrs["reader_notes"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"stations": 8}, "core"), ({"stations": 7}, "candidate"), ({"stations": 8, "own": True}, "cvs-like"),
     ({"stations": 14, "token": "EASE2M36"}, "candidate"), ({"stations": 15, "token": "EASE2M36"}, "core")],
)  # fmt: skip
def test_the_class_of_a_site_follows_its_number_of_stations(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    names = [f"S{number}" for number in range(changes["stations"])]
    write_stations_of_site(tmp_path, names)
    cell = {"token": changes.get("token", "EASE2M09"), "row": 300, "column": 700}
    site_file(tmp_path / "x.yaml", names, polygon=None, cell=cell, own=changes.get("own", False))
    assert str(read_stations([tmp_path])["site_class"].values[0]) == expected


def test_weights_of_the_owner_stand_in_a_file_and_sum_to_one(tmp_path: Path) -> None:
    write_stations_of_site(tmp_path, ["A", "B"])
    site_file(tmp_path / "wg.yaml", ["A", "B"], weighting="file")
    table = tmp_path / "WG_stations.csv"
    table.write_text("network,station,weight\nNET,B,0.75\nNET,A,0.25\n")
    np.testing.assert_allclose(read_stations([tmp_path])["soil_moisture"], 0.2075, atol=1e-6)
    table.write_text("network,station,weight\nNET,B,0.7\nNET,A,0.25\n")
    with pytest.raises(UsageError, match=r"weights sum to 0\.95, not 1.*WG"):
        read_stations([tmp_path])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"polygon": None}, "either cell or polygon"), ({"weigthing": "file"}, "weigthing"),
     ({"weighting": "file"}, "WG_stations.csv"), ({"population": 1}, "population 1")],
)  # fmt: skip
def test_a_fault_in_a_site_file_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_stations_of_site(tmp_path, ["A", "B"])
    site_file(tmp_path / "wg.yaml", ["A", "B"], **changes)
    with pytest.raises(UsageError, match=message):
        read_stations([tmp_path])


def test_a_site_without_any_of_its_stations_costs_only_itself(tmp_path: Path) -> None:
    write_stations_of_site(tmp_path, ["A"])
    site_file(tmp_path / "wg.yaml", ["X", "Y"])
    dataset = read_stations([tmp_path])
    assert dataset["station_name"].values.tolist() == ["A"]
    assert "no series of the 2 stations of site WG" in dataset.attrs["reader_notes"]


def test_cell_36_km_is_where_the_grid_puts_it() -> None:
    # EASE-Grid 2.0 36 km, first centre 83.63198 N, 179.81328 W.
    from vadose.validation.stations.sites import CoreSite

    site = CoreSite.model_validate({
        "site": "x", "licence": "none", "redistributable": False, "cell": {"token": "EASE2M36", "row": 0, "column": 0},
        "stations": [{"network": "n", "station": "s", "lat": 0, "lon": 0}],
    })  # fmt: skip
    assert site.centre() == pytest.approx((83.63198, -179.81328), abs=1e-4)
    assert projected(0.0, 0.0).tolist() == [[0.0, 0.0]]


MATCHUP = "NSIDC-0712_16013603_SMAPL2SMP_R13080_20150401_20150410.txt"


def matchup(
    folder: Path, name: str = MATCHUP, title: str = "Walnut Gulch, Lat: 31.75 Lon: -110.03", days: int = 0
) -> Path:
    rows = [
        "1, 2015, 04, 01, 12, 54, 0.120, 0.150, 0", "1, 2015, 04, 02, 13, 10, -9999, 0.160, 0",
        "1, 2015, 04, 04, 12, 40, 0.140, -9999, 7", "1, 2015, 04, 06, 12, 40, 0.145, 0.190, 1",
        "1, 2015, 13, 06, 12, 40, 0.145, 0.190, 0",
    ]  # fmt: skip
    rows += [
        f"1, 2016, 01, {day + 1:02d}, 12, 50, {0.1 + day / 500:.4f}, {0.12 + day / 600:.4f}, 0" for day in range(days)
    ]
    head = [title, "ID, Yr, Mo, Day, Hr, Min, WASM, SM-1, Q-FLG-1", "-, -, -, -, -, -, m3/m3, m3/m3, N/A"]
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join([*head, *rows]))
    return folder


def test_a_match_up_is_a_core_site_with_the_smap_column_beside_it(tmp_path: Path, funnel: Any) -> None:
    dataset = read_stations([matchup(tmp_path / "m")])
    assert str(dataset["station_id"].values[0]).startswith("SMAP-CVS/16013603/")
    assert [str(dataset[name].values[0]) for name in ("site_class", "footprint_kind")] == ["core", "core-site"]
    assert (float(dataset["lat"].values[0]), float(dataset["lon"].values[0])) == (31.75, -110.03)
    assert np.pi * float(dataset["footprint_radius"].values[0]) ** 2 == pytest.approx(36_000.0**2)
    np.testing.assert_allclose(
        dataset["soil_moisture"].values[0], [0.12, np.nan, np.nan, 0.14, np.nan, 0.145], atol=1e-6
    )
    # Only recommended quality is compared: the flagged value of 6 April and the missing one are left out.
    np.testing.assert_allclose(dataset["companion"].values[0], [0.15, 0.16] + [np.nan] * 4, atol=1e-6)
    assert funnel.rejected(dataset) == {"missing": 1, "row_malformed": 1}
    assert not bool(dataset["redistributable"].values[0])
    # 13 UTC at 110 W is a quarter to six by the sun.
    assert str(dataset["day_convention"].values[0]) == "solar06"
    funnel.check(dataset)


def test_the_place_of_a_match_up_may_stand_in_a_list_beside_it(tmp_path: Path) -> None:
    folder = matchup(tmp_path / "m", title="title")
    assert str(read_stations([folder])["status"].values[0]) == "no_coordinates"
    (folder / "siteLst.csv").write_text("SiteID,SiteName,Latitude,Longitude\n1601,Walnut Gulch,31.75,-110.03\n")
    assert float(read_stations([folder])["lat"].values[0]) == 31.75


def test_the_smap_column_ends_with_the_last_day_asked_for(tmp_path: Path) -> None:
    period = np.datetime64("2015-04-01"), np.datetime64("2015-04-02")
    dataset = read_stations([matchup(tmp_path / "m")], period=period)
    np.testing.assert_allclose(dataset["companion"].values[0], [0.15, 0.16], atol=1e-6)


def test_the_smap_column_becomes_a_time_series_file_of_its_own(tmp_path: Path) -> None:
    dataset = read_stations([matchup(tmp_path / "m")])
    rival = companion(dataset)
    assert rival is not None
    write_stations(rival, tmp_path / "smap.nc")
    back = open_stations(tmp_path / "smap.nc")
    assert back["station_id"].values.tolist() == dataset["station_id"].values.tolist()
    np.testing.assert_array_equal(back["soil_moisture"], dataset["companion"])


def test_the_smap_column_is_scored_against_its_site(tmp_path: Path) -> None:
    dataset = read_stations([matchup(tmp_path / "m", days=31)])
    rival = companion(dataset)
    assert rival is not None
    for made, name in ((dataset, "site.nc"), (rival, "smap.nc")):
        write_stations(made, tmp_path / name)
    settings = Settings(product=("smap", str(tmp_path / "smap.nc")), stations=(tmp_path / "site.nc",))
    run_validation(settings, tmp_path / "run")
    table = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    rows = table[table["stratum"].str.contains("16013603") & (table["product"] == "smap") & (table["signal"] == "raw")]
    assert int(rows[rows["metric"] == "bias"]["n"].iloc[0]) == 32
    expected = [0.03, *(0.02 + day / 600 - day / 500 for day in range(31))]
    assert float(rows[rows["metric"] == "bias"]["value"].iloc[0]) == pytest.approx(np.mean(expected), abs=1e-6)
