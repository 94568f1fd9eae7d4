"""`vadose ingest` and `vadose fetch` as a user types them."""

import functools
import http.server
import json
import tarfile
import threading
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml

from vadose.cli.main import run
from vadose.producer.cube import open_cube
from vadose.producer.recipefile import packaged_recipes


def envelope(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_recipe_writes_its_cube_and_prints_the_funnel(
    vadose_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "ingest",
        "conus412-atlstm",
        "--native",
        str(vadose_data / "conus412"),
        "--workspace",
        str(tmp_path),
        "--quiet",
    ]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "412 cells, 2015-04-01..2018-03-31, 1 files" in out
    assert "125,407" in out
    assert open_cube(tmp_path / "cubes" / "conus412.zarr").index.size == 412
    assert run([*words, "--json"]) == 0
    assert envelope(capsys)["result"]["made"] is False


def test_files_and_a_name_make_a_cube(vadose_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["smap", str(vadose_data / "smap_l3"), "--name", "mine", "--box", "-125,24,-66,50", "--permissive"]
    assert run(["ingest", *words, "--workspace", str(tmp_path), "--json", "--quiet"]) == 0
    result = envelope(capsys)["result"]
    assert result["days"] == ["2015-04-01", "2015-04-02"]
    cube = open_cube(tmp_path / "cubes" / "mine.zarr")
    assert (cube.lon.min() > -125.4, cube.lat.max() < 50.4) == (True, True)


def test_dry_run_lists_and_writes_nothing(
    vadose_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ingest", "conus412-atlstm", "--native", str(vadose_data / "conus412"), "--workspace", str(tmp_path)]
    assert run([*words, "--dry-run"]) == 0
    assert "would write" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert run(["ingest", "conus412-atlstm", "--dry-run", "--workspace", str(tmp_path)]) == 3


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["smapp", "x"], 2, "unknown recipe or reader 'smapp'; did you mean 'smap'"),
        (["smap", "--name", "x"], 2, "smap needs files and a name"),
        (["smap", "nowhere", "--name", "x"], 3, "no such file or folder"),
        (["smap", "x", "--name", "../x"], 2, "cannot be the name of a file"),
        (["smap", "x", "--name", "x", "--steps", "2"], 2, "no option --steps"),
        (["smap", "x", "--name", "x", "--box", "1,2,3"], 2, "is not four numbers"),
        (["smap", "x", "--name", "x", "--box", "10,2,3,4"], 2, "west, south, east, north"),
        (["smap", "x", "--name", "x", "--grid", "0.25"], 2, "no grid named '0.25'"),
        (["conus412-atlstm", "--days", "2016-01-01"], 2, "not two days"),
        (["conus412-atlstm", "--name", "x"], 2, "a recipe decides its own name"),
        (["simulated", "x", "--name", "x"], 2, "works for recipes only"),
        (["stations"], 2, "stations need sources and a name"),
        (["stations", "nowhere", "--name", "x"], 3, "no such file or folder"),
    ],
)
def test_wrong_words_are_readable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert run(["ingest", *words, "--workspace", str(tmp_path)]) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.zarr"))


def test_a_file_in_the_way_of_the_cubes_is_a_readable_error(
    vadose_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cubes").write_text("a file")
    words = ["conus412-atlstm", "--native", str(vadose_data / "conus412"), "--workspace", str(tmp_path)]
    assert run(["ingest", *words]) == 3
    assert "cannot write: Not a directory" in capsys.readouterr().err


def test_stations_become_a_dataset_with_its_funnel(
    vadose_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "stations",
        str(vadose_data / "uscrn_manhattan"),
        "--name",
        "uscrn",
        "--workspace",
        str(tmp_path),
        "--json",
    ]
    assert run(["ingest", *words, "--quiet"]) == 0
    result = envelope(capsys)["result"]
    assert result["funnel"]["rows_read"] == 3 * 5_118
    assert list(result["funnel"].values()) == sorted(result["funnel"].values(), reverse=True)
    with netCDF4.Dataset(tmp_path / "stations" / "uscrn.nc") as dataset:
        shallow = int(np.argmin(dataset["depth"][:]))
        assert np.ma.masked_invalid(dataset["soil_moisture"][shallow]).count() == 2_841 - 109  # frost
        assert int(dataset["funnel"][shallow, 3]) == 2_841


def test_card_states_what_the_file_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ERA5_x.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        for name, values in {"time": [0.0], "latitude": [1.0, 0.0], "longitude": [0.0, 1.0]}.items():
            dataset.createDimension(name, len(values))
            dataset.createVariable(name, "f8", (name,))[:] = values
        dataset["time"].units = "days since 2020-01-01"
        dataset.createVariable("swvl1", "f4", ("time", "latitude", "longitude"))[:] = [[[25, 25], [25, np.nan]]]
    words = ["ingest", "era5", str(path), "--name", "e", "--workspace", str(tmp_path), "--quiet"]
    assert run(words) == 3
    assert "states no units" in capsys.readouterr().err
    card = "product: e\nproducer: me\nversion: '1'\nlicence: mine\nvariables:\n"
    (tmp_path / "card.yaml").write_text(card + "  swvl1: {name: era5_sm, units: m3 m-3, factor: 0.01}\n")
    assert run([*words, "--card", str(tmp_path / "card.yaml")]) == 0
    cube = open_cube(tmp_path / "cubes" / "e.zarr")
    assert np.nanmax(cube.read("era5_sm")) == pytest.approx(0.25)
    assert cube.provenance[0]["licence"] == "mine"


def test_fetch_and_ingest_of_conus412_chain(
    vadose_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(vadose_data / "conus412" / "hydrodl_CONUSv4f1_csv.tar.gz") as tar:
        tar.extractall(tmp_path / "server", filter="data")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "server" / "data"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{httpd.server_port}"
        workspace = ["--workspace", str(tmp_path / "w"), "--quiet"]
        assert run(["fetch", "conus412", "--base-url", url, *workspace]) == 0
        httpd.shutdown()
        thread.join()
    assert "42 files fetched" in capsys.readouterr().out
    assert run(["ingest", "conus412-csv-atlstm", *workspace, "--json"]) == 0
    result = envelope(capsys)["result"]
    assert result["files"] == 42
    assert result["counts"]["smap_sm_am"]["kept"] == 125_407


def test_fetch_lists_files_and_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fetch", "conus412", "--list", "--workspace", str(tmp_path)]) == 0
    assert "34,554,053  bytes in 42 files" in capsys.readouterr().out
    assert run(["fetch", "simulated", "--list", "--workspace", str(tmp_path)]) == 0
    assert "smap_sm_am" in capsys.readouterr().out
    assert run(["fetch", "simulated", "--world", "fine", "--list", "--workspace", str(tmp_path)]) == 0
    assert "fine: 2015-04-01..2017-09-30" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_fetch_of_an_unknown_world_names_the_known_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fetch", "simulated", "--world", "mars", "--workspace", str(tmp_path)]) == 2
    assert "no world named 'mars'; known: demo, fine" in capsys.readouterr().err
    (tmp_path / "w.yaml").write_text("name: x\nboxx: 1\n")
    assert run(["fetch", "simulated", "--world", str(tmp_path / "w.yaml"), "--workspace", str(tmp_path)]) == 2
    assert "did you mean 'box'" in capsys.readouterr().err


def test_stations_are_read_with_a_funnel_and_left_alone_the_second_time(
    vadose_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = vadose_data / "ismn_fixtures" / "Data_seperate_files_20170810_20180809.zip"
    words = ["ingest", "stations", str(source), "--name", "ismn", "--workspace", str(tmp_path), "--quiet"]
    assert run([*words, "--json"]) == 0
    result = envelope(capsys)["result"]
    assert result["funnel"]["rows_read"] == 6865 + 7059 + 52045
    assert result["networks"] == {"COSMOS": 2, "FR_Aqui": 1}
    assert result["file_unreadable"] == {}
    made = (tmp_path / "stations" / "ismn.nc").stat().st_mtime_ns
    assert run(words) == 0
    assert (tmp_path / "stations" / "ismn.nc").stat().st_mtime_ns == made
    assert "passed_qc" in capsys.readouterr().out
    assert run([*words, "--days", "2018-01-01..2018-01-31", "--json"]) == 0
    assert envelope(capsys)["result"]["days"] == 31


def test_an_unknown_table_gets_a_draft_of_its_mapping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "farm.csv").write_text("date,vwc\n2016-04-01,21\n2016-04-02,22\n")
    assert run(["ingest", "stations", "--probe", str(tmp_path / "farm.csv"), "--workspace", str(tmp_path)]) == 0
    assert "looks like percent" in capsys.readouterr().out


def test_a_broken_station_file_is_named_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "NET_NET_S_sm_0.050000_0.050000_P_20150101_20150131.stm"
    rows = [f"2015/01/01 {hour:02d}:00 0.2 G M" for hour in range(24)]
    (tmp_path / name).write_text("\n".join(["NET NET S 40 -100 300 0.05 0.05 P", *rows]))
    (tmp_path / name.replace("_S_", "_T_")).write_text("nothing good")
    words = ["ingest", "stations", str(tmp_path), "--name", "x", "--workspace", str(tmp_path / "w"), "--quiet"]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert "1 series" in out
    assert "NET_NET_T_sm" in out


def test_a_recipe_without_inputs_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = yaml.safe_load(packaged_recipes()["simulated-atlstm"].read_text())
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values | {"inputs": []}))
    assert run(["ingest", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "w")]) == 2
    assert "the recipe names no input" in capsys.readouterr().err
