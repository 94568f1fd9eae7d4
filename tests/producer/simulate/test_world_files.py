import hashlib
import shutil
import subprocess
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from vadose.common import InputError, UsageError, read_json
from vadose.producer import simulate
from vadose.producer.ingest.card import load_card
from vadose.producer.simulate import PRODUCTS, Network, Settings
from vadose.producer.vocabulary import VOCABULARY

TINY = Settings(
    name="tiny",
    box=(-42.0, 40.0, -40.0, 42.0),
    start=date(2016, 2, 27),
    end=date(2016, 3, 4),
    seed=3,
    spin_up_days=20,
    network=Network(stations=2, clusters=1, cluster_stations=2, cosmic_ray=1),
)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name != "static"])
def test_daily_files_open_with_xarray_under_their_cf_names(small_folder: Path, name: str) -> None:
    paths = sorted((small_folder / name).glob("2016/*.nc"))
    card = load_card(small_folder / name / "card.yaml")
    native = next(iter(card.variables))
    with xr.open_dataset(paths[0]) as data:
        field = data[native]
        spec = VOCABULARY[name]
        assert field.attrs.get("standard_name") == spec.standard_name
        assert field.attrs["units"] == spec.units == card.variables[native].units
        assert data.attrs["Conventions"] == "CF-1.11"
        assert data[field.attrs["grid_mapping"]].attrs["grid_mapping_name"]
        assert np.isfinite(field.values).any() or name in (
            "smap_sm_am",
            "land_surface_temperature",
            "ndvi",
            "evi",
            "fvc",
            "ascat_ssm",
            "cci_sm",
        )


def test_one_file_holds_one_day_under_its_date(small_folder: Path) -> None:
    paths = sorted((small_folder / "precipitation" / "2016").glob("*.nc"))
    assert len(paths) == 91
    with xr.open_dataset(paths[40]) as data:
        day = data["time"].values[0].astype("datetime64[D]")
        assert paths[40].name == f"precipitation_{str(day).replace('-', '')}.nc"
        np.testing.assert_array_equal(data["time_bnds"].values[0], [day, day + 1])


def test_many_days_open_as_one_dataset(small_folder: Path) -> None:
    paths = sorted((small_folder / "air_temperature").glob("2016/*.nc"))[:5]
    data = xr.concat(
        [xr.open_dataset(path, chunks=None) for path in paths],
        "time",
        data_vars="minimal",
        coords="minimal",
        compat="equals",
        join="exact",
    )
    assert data["air_temperature"].sizes["time"] == 5


def test_static_maps_hold_soil_and_terrain(small_folder: Path) -> None:
    with xr.open_dataset(small_folder / "static" / "static_maps.nc") as data:
        land = np.isfinite(data["elevation"])
        assert (abs(data["sand"] + data["silt"] + data["clay"] - 100.0).where(land) < 1e-3).sum() == land.sum()


def test_truth_lies_apart_with_the_true_errors(small_folder: Path) -> None:
    with xr.open_dataset(small_folder / "truth" / "truth.nc") as truth:
        assert truth["soil_moisture"].dims == ("time", "lat", "lon")
        for name in ("smap_sm_am", "cci_sm", "land_model_a_sm", "land_model_b_sm", "ascat_ssm"):
            assert {f"{name}_error_std", f"{name}_gain", f"{name}_offset"} <= set(truth.data_vars)
        stated = float(truth["land_model_b_sm_error_std"].mean())
    assert stated == pytest.approx(simulate.Errors().land_model_b.std, rel=1e-4)


def test_world_json_names_settings_and_products(small_folder: Path) -> None:
    done = read_json(small_folder / "world.json")
    assert Settings.model_validate(done["settings"]).name == "short"
    assert done["products"] == sorted(PRODUCTS)


@pytest.mark.program
def test_ncdump_reads_a_daily_file(small_folder: Path) -> None:
    program = shutil.which("ncdump")
    if program is None:
        pytest.skip("ncdump is not installed (Debian: netcdf-bin)")
    path = next((small_folder / "smap_sm_am" / "2016").glob("*.nc"))
    text = subprocess.run([program, "-h", str(path)], capture_output=True, text=True, check=True).stdout
    assert "float soil_moisture(time, y, x)" in text


def test_same_settings_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate.write_world(TINY, tmp_path / name)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_stopped_world_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    simulate.write_world(TINY, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "part")
    rng = np.random.default_rng(0)
    files = sorted(path for path in (tmp_path / "part").rglob("*") if path.is_file() and path.name != "settings.json")
    for path in rng.choice(np.array(files, object), len(files) // 2, replace=False):
        path.unlink()
    (tmp_path / "part" / "world.json").unlink(missing_ok=True)
    simulate.write_world(TINY, tmp_path / "part")
    assert digests(tmp_path / "part") == digests(tmp_path / "whole")


def test_products_can_be_added_later(tmp_path: Path) -> None:
    simulate.write_world(TINY, tmp_path / "w", products=["albedo"])
    simulate.write_world(TINY, tmp_path / "w", products=["albedo", "cci_sm"])
    assert read_json(tmp_path / "w" / "world.json")["products"] == ["albedo", "cci_sm"]
    with xr.open_dataset(tmp_path / "w" / "truth" / "truth.nc") as truth:
        assert "cci_sm_error_std" in truth


def test_a_complete_world_is_not_touched_again(tmp_path: Path) -> None:
    simulate.write_world(TINY, tmp_path / "w", products=["albedo"])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    simulate.write_world(TINY, tmp_path / "w", products=["albedo"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    simulate.write_world(TINY, tmp_path / "w", products=["static"])
    with pytest.raises(UsageError, match="other settings"):
        simulate.write_world(TINY.model_copy(update={"seed": 4}), tmp_path / "w", products=["static"])


def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("a file, not a folder")
    with pytest.raises(InputError, match="cannot write"):
        simulate.write_world(TINY, tmp_path / "w", products=["static"])


def test_card_says_what_a_reader_must_know(small_folder: Path) -> None:
    card = yaml.safe_load((small_folder / "smap_sm_am" / "card.yaml").read_text())
    main = card["variables"]["soil_moisture"]
    assert main["layer_m"] == [0.0, 0.05]
    assert main["day"] == "solar06"
    assert main["flags"] == {"variable": "retrieval_qual_flag", "clear_bits": [0]}
    assert card["licence"] == "CC0-1.0"
    assert "simulated L-band radiometer" in card["sensors"]
