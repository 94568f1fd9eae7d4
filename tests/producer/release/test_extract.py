"""Series of points, boxes and areas, against granules read by xarray; files that other programs and `validate` take."""

import json
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.cli.main import run
from vadose.common import InputError, UsageError, silent
from vadose.producer.release.areas import cover, read_areas
from vadose.producer.release.folder import Folder
from vadose.producer.release.means import area_cells, read_means
from vadose.producer.release.remote import RemoteRelease
from vadose.producer.release.series import LocalRelease, box_places, by_chunk, points, read_points, read_series
from vadose.producer.release.series_files import as_csv, frame

AREAS = (
    "POLYGON ((-54.6 46.6, -51.3 46.9, -52.2 49.7, -54.6 46.6))",
    "MULTIPOLYGON (((-55 49, -54 49, -54 50, -55 50, -55 49)), ((-51 46.1, -50.2 46.1, -50.2 47, -51 47, -51 46.1)))",
)
SPAN = np.datetime64("2015-12-28"), np.datetime64("2016-01-04")
DAYS = ["--from", "2015-12-28", "--to", "2016-01-04"]


@pytest.fixture(scope="module")
def release(made):
    return LocalRelease(Folder(made[2]))


@pytest.fixture(scope="module")
def days(made):
    paths = sorted(made[2].rglob("*-DAILY-*.nc"), key=lambda path: path.name)
    found = xr.concat([xr.load_dataset(path)[["sm", "sm_uncertainty", "flag"]] for path in paths], "time")
    return found.sel(time=slice("2015-12-28", "2016-01-04T23"))


@pytest.fixture(scope="module")
def covers(release):
    grid = release.recipe().product.grid.grid()
    return [cover(grid, read_areas(text)[0]) for text in AREAS]


def test_a_mean_is_that_of_the_recommended_cells_weighted_by_covered_area(release, days, covers):
    found = read_means(release, [read_areas(text)[0] for text in AREAS], *SPAN, silent, least=0.0)
    for place, covered in enumerate(covers):
        for time in range(len(found.days)):
            cells = {name: days[name].values[time][covered.rows, covered.columns] for name in days.data_vars}
            domain = (cells["flag"] & 1) == 0
            used = (cells["flag"] & 399) == 0
            part = covered.part
            assert found.domain_share[place] == pytest.approx(part[domain].sum())
            assert found.coverage[time, place] == pytest.approx(part[used].sum() / part[domain].sum())
            for name in ("sm", "sm_uncertainty"):
                expected = np.average(cells[name][used], weights=part[used]) if used.any() else np.nan
                assert getattr(found, name)[time, place] == pytest.approx(expected, rel=1e-5, nan_ok=True)
            bits = [
                bit
                for bit in (4, 16, 512, 4096)
                if 2 * part[domain & (cells["flag"] & bit > 0)].sum() >= part[domain].sum()
            ]
            assert found.flag[time, place] & (4 | 16 | 512 | 4096) == sum(bits)
    assert 0.3 < found.domain_share.mean() < 0.9
    assert (found.coverage < 1.0).any()


def test_a_day_with_too_little_of_an_area_has_no_mean(release):
    areas = [read_areas(text)[0] for text in AREAS]
    every = read_means(release, areas, *SPAN, silent, least=0.0)
    limit = float(np.median(every.coverage))
    found = read_means(release, areas, *SPAN, silent, least=limit)
    assert np.array_equal(np.isnan(found.sm), np.isnan(every.sm) | (every.coverage < limit))
    assert np.array_equal((found.flag & 256) > 0, np.isnan(found.sm))
    assert 0 < np.isnan(found.sm).sum() < found.sm.size


def test_without_a_mask_all_values_count(release, days, covers):
    found = read_means(release, read_areas(AREAS[0]), *SPAN, silent, mask=0, least=0.0)
    sm = days.sm.values[:, covers[0].rows, covers[0].columns]
    part = np.where(np.isnan(sm), 0.0, covers[0].part)
    np.testing.assert_allclose(found.sm[:, 0], np.nansum(sm * part, axis=1) / part.sum(axis=1), rtol=1e-5)


def test_cells_of_an_area_are_those_it_covers_with_their_share(release, days, covers):
    found = read_series(release, area_cells(release, read_areas(AREAS[0])), *SPAN, silent)
    assert np.array_equal(found.share, covers[0].share)
    np.testing.assert_array_equal(found.sm, days.sm.values[:, covers[0].rows, covers[0].columns])
    np.testing.assert_array_equal(found.flag, days.flag.values[:, covers[0].rows, covers[0].columns])


def test_a_release_elsewhere_gives_the_means_of_the_local_one(made, release):
    store = fsspec.filesystem("memory")
    store.put(str(made[2]), "/areas/demosmall-0p25deg/v1.0.0", recursive=True)
    areas = [read_areas(text)[0] for text in AREAS]
    far = RemoteRelease("memory://areas/demosmall-0p25deg/v1.0.0")
    here, there = (read_means(source, areas, *SPAN, silent, 4) for source in (release, far))
    for name in ("days", "sm", "sm_uncertainty", "flag", "coverage", "domain_share"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
    assert np.isfinite(here.sm).any()


def test_an_ease_release_gives_the_same_mean_as_its_cells(worlds, tools, tmp_path):
    grid = {"token": "EASE2M36", "rows": [47, 67], "columns": [330, 350]}
    _, version, _ = tools.make(worlds, tmp_path, product__grid=grid, product__days=["2016-01-01", "2016-01-09"])
    source = LocalRelease(Folder(version))
    area = read_areas("POLYGON ((-55 49, -51 49, -51 53, -55 53, -55 49))")
    found = read_means(source, area, None, None, silent, least=0.0)
    cells = read_series(source, area_cells(source, area), None, None, silent)
    weight = np.where((cells.flag & 399) == 0, cells.share, 0.0)
    expected = (np.nan_to_num(cells.sm) * weight).sum(axis=1) / weight.sum(axis=1)
    np.testing.assert_allclose(found.sm[:, 0], expected, rtol=1e-5)


def test_the_program_writes_the_same_means_in_three_formats(made, tmp_path, capsys):
    words = ["extract", str(made[2]), "--polygon", AREAS[0], *DAYS, "--quiet"]
    for form in ("csv", "parquet", "netcdf"):
        assert run([*words, "--format", form, "--out", str(tmp_path / form)]) == 0
    table, stored = pd.read_csv(tmp_path / "csv"), pd.read_parquet(tmp_path / "parquet")
    with xr.open_dataset(tmp_path / "netcdf") as ds:
        np.testing.assert_array_equal(ds.sm.values[0], stored.sm)
        np.testing.assert_allclose(ds.sm.values[0], table.sm, atol=5e-5)
        np.testing.assert_allclose(ds.coverage.values[0], table.coverage, atol=5e-5)
        assert (ds.flag.values[0] == table.flag).all()
        assert (ds.time.dt.strftime("%Y-%m-%d").values == table.day).all()
    assert stored.sm.dtype == np.float32
    assert run(words) == 0
    assert capsys.readouterr().out.endswith((tmp_path / "csv").read_text())


def test_a_series_file_has_no_message_from_the_checker_and_is_taken_by_validate(made, days, tmp_path):
    version = made[2]
    out = tmp_path / "series.nc"
    words = ["extract", str(version), "--points", str(tmp_path / "points.csv"), "--quiet"]
    rows, columns = np.nonzero(np.isfinite(days.sm.values).sum(axis=0) > 3)
    lines = [f"Ätna {k},{days.lat.values[rows[k]]},{days.lon.values[columns[k]]}" for k in range(0, 40, 8)]
    (tmp_path / "points.csv").write_text("\n".join(["name,lat,lon", *lines, ""]), encoding="utf-8")
    assert run([*words, "--format", "netcdf", "--out", str(out)]) == 0
    checker = [str(Path(sys.executable).with_name("compliance-checker")), "-t", "cf:1.11", "-c", "strict", str(out)]
    said = subprocess.run(checker, capture_output=True, text=True, check=False).stdout
    # The one message that granules have, too: a scalar coordinate has bounds of one dimension.
    assert [line[2:20] for line in said.split("\n") if line.startswith("* ")] == ["Boundary variable "], said
    words = ["--product", f"vadose={version / 'ICDR'}", "--stations", str(out), "--out", str(tmp_path / "run")]
    # As a program of its own: the few and short series of this world make numpy warn.
    program = [sys.executable, "-m", "vadose.cli", "validate", *words, "--workspace", str(tmp_path / "ws"), "--quiet"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with xr.open_dataset(tmp_path / "run" / "matchups.nc") as pairs:
        assert "Ätna" in str(pairs.station_name.values if "station_name" in pairs else pairs)


def test_points_far_apart_are_read_by_chunk():
    rng = np.random.default_rng(3)
    rows, columns = rng.integers(0, 3600, 500), rng.integers(0, 7200, 500)
    seen = np.zeros(500, int)
    for corner, inside in by_chunk(rows, columns, (600, 600)):
        seen[inside] += 1
        assert {(int(r) // 600, int(c) // 600) for r, c in zip(rows[inside], columns[inside], strict=True)} == {corner}
    assert (seen == 1).all()


def test_a_box_over_the_antimeridian_holds_both_sides(release):
    from vadose.producer.grids import global_grid

    places = box_places(global_grid("0P36DEG"), 179.5, 10.0, -179.5, 10.9)
    assert sorted(set(places.lon)) == pytest.approx([-179.82, 179.82])
    assert places.lon.size == 2 * 2
    whole = box_places(global_grid("0P36DEG"), -180.0, 10.0, 180.0, 10.9)
    assert whole.lon.size == 2 * 1000
    for corners in ((0, 50, 1, 40), (0, -100, 1, 0), (float("nan"), 0, 1, 1)):
        with pytest.raises(UsageError, match="make no box"):
            box_places(global_grid("0P36DEG"), *map(float, corners))


@pytest.mark.parametrize(
    ("text", "message"),
    [("lat,lon\n", "without a line"), ("lat,lon\n-52.6,147.1\n147.1,-52.6\n", r"line 3.*|are the two swapped"),
     ("lat,lon\nnan,3\n", "no place"), ("a,b\n1,2\n", "not a table of points"), ("lat,lon\n1,inf\n", "no place")],
)  # fmt: skip
def test_a_bad_table_of_points_names_its_line(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_points(tmp_path / "p.csv")


def test_a_folder_or_a_device_is_no_table_and_no_area(tmp_path):
    for name in (str(tmp_path), "/dev/zero"):
        with pytest.raises(InputError, match="not a file"):
            read_points(Path(name))
        with pytest.raises(InputError, match="not a file"):
            read_areas(name)


def test_names_with_commas_and_quotes_survive_csv(release):
    places = points([47.1], [-52.6])
    series = read_series(release, type(places)(('A "b", c',), places.lat, places.lon), *SPAN, silent)
    import io

    assert set(pd.read_csv(io.StringIO(as_csv(series))).name) == {'A "b", c'}
    assert frame(series).sm.dtype == np.float32


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--polygon", "POLYGON ((10 45, 11 45, 11 46, 10 45))"], 2, "outside the product's window"),
        (["--polygon", "POLYGON ((47 -54, 48 -54, 48 -53, 47 -54))"], 2, "longitude first"),
        (["--polygon", "nothing.geojson"], 3, "no readable file of areas"),
        (["--cells", "--lat", "47.1", "--lon", "-52.6"], 2, "--cells needs --polygon"),
        (["--polygon", AREAS[0], "--box", "0,0,1,1"], 2, "where?"),
        (["--polygon", AREAS[0], "--from", "1990-01-01", "--to", "1990-01-02"], 3, "no granules of these days"),
        (["--polygon", json.dumps({"type": "Point", "coordinates": [1, 2]})], 2, "has no area"),
    ],
)
def test_wrong_words_end_with_a_message_and_no_file(made, tmp_path, capsys, words, code, message):
    out = tmp_path / "out.csv"
    assert run(["extract", str(made[2]), *words, "--out", str(out), "--quiet"]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not out.exists()
