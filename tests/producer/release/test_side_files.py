import hashlib
import io
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from vadose.cli.main import run
from vadose.common import silent
from vadose.producer.granules.reading import read_granule
from vadose.producer.release import quicklook
from vadose.producer.release.palette import palette
from vadose.producer.release.survey import survey

KEYS = {
    "coverage": "quality/coverage.csv",
    "sheet": "quicklook/ICDR/DAILY/2016/VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-201601-ICDR-v1.0.0.png",
}


def test_coverage_is_that_of_the_granules(made):
    _, _, version, _ = made
    table = pd.read_csv(version / KEYS["coverage"])
    assert len(table) == 48
    assert (table.cells_expected == table.cells_expected[0]).all()
    ds = xr.open_dataset(next(version.rglob("*20160110*.nc")))
    row = table[table.day == "2016-01-10"].iloc[0]
    assert row.cells_given == int(ds.sm.count())
    assert row["mean"] == pytest.approx(float(ds.sm.mean(dtype="f8")), rel=1e-5)
    assert row.share_gap_filled == pytest.approx(float(((ds.flag & 512) > 0).sum() / (ds.flag != 1).sum()), rel=1e-5)
    ds.close()


def test_a_small_product_gets_one_sheet_a_month_without_a_time(made):
    _, _, version, _ = made
    assert len(list((version / "quicklook").rglob("*.png"))) == 3
    raw = (version / KEYS["sheet"]).read_bytes()
    image = Image.open(io.BytesIO(raw))
    assert image.width <= 1440
    assert b"tIME" not in raw
    assert b"tEXt" not in raw


def test_a_large_product_gets_one_picture_a_granule(context, monkeypatch):
    monkeypatch.setattr(quicklook, "SHEET_BELOW_BYTES", 0)
    paths = sorted(str(path.relative_to(context.folder)) for path in context.folder.glob("ICDR/DAILY/2016/02/*.nc"))
    made = dict(quicklook.quicklooks(survey(context, paths, silent)))
    assert list(made) == [f"quicklook/{path[:-3]}.png" for path in paths]
    granule = read_granule(context.folder / paths[0])
    levels = np.asarray(Image.open(io.BytesIO(made[f"quicklook/{paths[0][:-3]}.png"])))
    sm, flag = granule.values["sm"][0], granule.values["flag"][0]
    assert levels.shape[1] == sm.shape[1]
    expected = np.where(flag & 1, 255, np.where(flag & 399, 254, np.round(np.clip(sm / 0.5, 0, 1) * 250)))
    np.testing.assert_array_equal(levels[: sm.shape[0]], expected)


def test_the_palette_runs_from_dark_to_light():
    light = palette()[:251].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(light) > -0.5).all()
    assert light[-1] - light[0] > 150


def test_references_open_as_one_dataset(made):
    pytest.importorskip("kerchunk")
    _, _, version, _ = made
    with xr.open_mfdataset(
        str(version / "refs" / "*.json"), engine="kerchunk", chunks={}, combine="nested", concat_dim="time",
        data_vars="minimal", coords="minimal", compat="override",
        storage_options={"template_overrides": {"root": str(version)}},
    ) as series:  # fmt: skip
        assert series.sizes["time"] == 48
        assert series.flag.dtype == np.int16
        day = series.sel(time="2016-01-10").isel(time=0)
        with xr.open_dataset(next(version.rglob("*20160110*.nc"))) as granule:
            np.testing.assert_array_equal(day.sm.values, granule.sm[0].values)
            np.testing.assert_array_equal(day.flag.values, granule.flag[0].values)
            assert float(series.depth) == float(granule.depth)
            assert set(series.sm.attrs) == set(granule.sm.attrs)
            assert all(np.array_equal(series.sm.attrs[key], granule.sm.attrs[key]) for key in granule.sm.attrs)


def test_stac_items_name_every_granule_with_its_hash(made):
    _, _, version, _ = made
    manifest = json.loads((version / "manifest.json").read_text())
    hashes = {entry["path"]: entry["sha256"] for entry in manifest["files"] if entry["role"] == "granule"}
    items = [
        item for path in sorted((version / "stac").glob("2*.json")) for item in json.loads(path.read_text())["features"]
    ]
    assert {item["assets"]["data"]["href"][3:]: item["assets"]["data"]["file:checksum"][4:] for item in items} == hashes


def test_downloads_lead_to_every_granule_with_their_hashes(made):
    _, recipe, version, _ = made
    found = json.loads((version / "dataset.jsonld").read_text())["distribution"]
    base = f"{recipe.product.landing_url.rstrip('/')}/v1.0.0/"
    places = {item["contentUrl"].removeprefix(base): item for item in found}
    days = sorted(str(path.relative_to(version)) for path in version.rglob("*-DAILY-*.nc"))
    assert [*places] == [days[0], days[-1], "refs/2015.json", "refs/2016.json", "stac/collection.json"]
    for place, item in places.items():
        raw = (version / place).read_bytes()
        assert (item["sha256"], item["contentSize"]) == (hashlib.sha256(raw).hexdigest(), f"{len(raw)} B")
    referred = "".join((version / place).read_text() for place in places if place.startswith("refs"))
    assert all(day in referred for day in days)


def test_documents_name_the_version_and_the_licence(made):
    _, recipe, version, _ = made
    jsonld = json.loads((version / "dataset.jsonld").read_text())
    datacite = json.loads((version / "datacite.json").read_text())
    assert jsonld["version"] == datacite["version"] == recipe.product.version
    assert jsonld["license"] == recipe.product.licence
    assert "version 1.0.0" in (version / "README.md").read_text()


def test_the_static_file_holds_the_domain(made):
    _, _, version, _ = made
    static = read_granule(next((version / "static").glob("*.nc")))
    flag = read_granule(next(version.rglob("*20160110*.nc"))).values["flag"][0]
    assert np.array_equal(static.values["domain_mask"] == 1, flag != 1)
    assert static.values["cell_area"].sum() == pytest.approx(
        16 * 20 * (0.25 * 111.2e3) ** 2 * np.cos(np.deg2rad(48)), rel=0.01
    )


def test_verify_of_a_flipped_byte_ends_with_exit_3(copied, capsys):
    workspace, _, version = copied
    name = f"{version.parent.name}/{version.name}"
    assert run(["verify", name, "--workspace", str(workspace), "--quiet"]) == 0
    path = next(version.rglob("*20160110*.nc"))
    raw = bytearray(path.read_bytes())
    raw[30_000] ^= 1
    path.write_bytes(raw)
    assert run(["verify", name, "--workspace", str(workspace), "--quiet"]) == 3
    error = capsys.readouterr().err
    assert path.name in error
    assert "Traceback" not in error


@pytest.mark.parametrize("form", ["csv", "parquet", "netcdf"])
def test_a_series_has_the_values_of_the_granules(made, tmp_path, form, capsys):
    _, _, version, _ = made
    with xr.open_dataset(next(version.rglob("*20160110*.nc"))) as ds:
        row, column = np.argwhere(np.isfinite(ds.sm[0].values))[5]
        lat, lon, value = float(ds.lat[row]), float(ds.lon[column]), float(ds.sm[0, row, column])
    out = tmp_path / "series"
    words = [
        "extract",
        str(version),
        "--lat",
        str(lat + 0.1),
        "--lon",
        str(lon - 0.1),
        "--from",
        "2016-01-09",
        "--to",
        "2016-01-11",
    ]
    assert run([*words, "--format", form, "--out", str(out), "--quiet"]) == 0
    if form == "netcdf":
        with xr.open_dataset(out) as series:
            found = series.sm.values[0]
    else:
        found = (pd.read_csv(out) if form == "csv" else pd.read_parquet(out)).sm.to_numpy()
    assert found.size == 3
    assert found[1] == pytest.approx(value, abs=6e-5)


def test_a_place_outside_the_window_is_a_usage_error(made, capsys):
    assert run(["extract", str(made[2]), "--lat", "-50", "--lon", "0", "--quiet"]) == 2
    assert "outside the product's window" in capsys.readouterr().err


def test_status_never_fails_on_half_built_output(copied, capsys):
    workspace, _, version = copied
    (version / "gate.json").write_text("{")
    (workspace / "models" / "broken").mkdir()
    (workspace / "models" / "broken" / "model.json").write_text("[]")
    (workspace / "cubes" / "half.zarr").mkdir()
    (workspace / "runs" / "half").mkdir()
    assert run(["status", "--workspace", str(workspace)]) == 0
    text = capsys.readouterr().out
    assert text.count("broken:") == 3
    assert "unfinished" in text


def test_status_names_the_next_command(copied, capsys):
    workspace, _, _ = copied
    assert run(["status", "--workspace", str(workspace)]) == 0
    text = capsys.readouterr().out
    assert "48 of 48 granules; gate passed" in text
    assert "next: vadose release publish demosmall-0p25deg/v1.0.0" in text


def test_status_of_an_empty_workspace_says_where_to_begin(tmp_path, capsys):
    assert run(["status", "--workspace", str(tmp_path)]) == 0
    assert "vadose demo" in capsys.readouterr().out
