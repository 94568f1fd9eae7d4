"""Two-way tables: where one product takes more than half of the days, each pair is scored on its own days, too."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.validation import suite
from vadose.validation.run import run_validation
from vadose.validation.scores import HEADLINE, KEY
from vadose.validation.settings import Settings


def thinned(small: Path, path: Path, share: float) -> Path:
    """The rival with a share of its days."""
    with xr.open_dataset(small / "rival.nc") as opened:
        data = opened.load()
    kept = np.random.default_rng(3).random(data.sizes["time"]) < share
    data["sm"] = data["sm"].where(xr.DataArray(kept, dims="time"))
    data.to_netcdf(path, engine="netcdf4")
    return path


def run_with(small: Path, folder: Path, share: float, name: str, *, maps: bool = False) -> Path:
    """Ours with the rival and with a thinned copy of it, at stations or at the cells of the gridded reference."""
    thin = thinned(small, folder / f"thin-{share}.nc", share)
    given = Settings(
        product=("ours", str(small / "ours")), stations=() if maps else (small / "stations.nc",), maps=False,
        references=(("map", str(small / "reference.nc")),) if maps else (),
        rivals=(("rival", str(small / "rival.nc")), ("thin", str(thin))),
    )  # fmt: skip
    run_validation(given, folder / name)
    return folder / name


@pytest.fixture(scope="module")
def run(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_with(small, tmp_path_factory.mktemp("pairs"), 0.3, "out")


@pytest.mark.parametrize(
    ("pair", "product"), [("thin", "ours"), ("thin", "thin"), ("rival", "ours"), ("rival", "rival")]
)
def test_a_pair_is_scored_on_the_days_of_the_two_alone(run: Path, pair: str, product: str) -> None:
    with xr.open_dataset(run / "matchups.nc") as opened:
        data = opened["values"].sel(station="net/s3").load().astype(float)
    both = np.isfinite(data.sel(series=["ours", pair, "reference"]).values).all(axis=0)
    x, r = (data.sel(series=name).values[both] for name in (product, "reference"))
    rows = pd.read_parquet(run / "scores.parquet").query("stratum == 'net/s3' and signal == 'raw'")
    rows = rows[rows["subset"].eq(f"pair {pair}") & rows["product"].eq(product)].set_index("metric")
    assert rows.loc["bias", "n"] == both.sum()
    assert rows.loc["bias", "value"] == pytest.approx(np.mean(x - r), rel=1e-6)
    assert rows.loc["ubrmsd", "value"] == pytest.approx(np.std(x - r), rel=1e-6)
    assert rows.loc["r", "value"] == pytest.approx(np.corrcoef(x, r)[0, 1], rel=1e-6)


def test_every_pair_has_both_products_and_the_table_of_all_is_still_made(run: Path) -> None:
    scores = pd.read_parquet(run / "scores.parquet")
    assert not scores.duplicated(list(KEY)).any()
    overall = scores[scores["stratum_kind"].eq("all") & scores["aggregate"].eq("median") & scores["metric"].eq("bias")]
    held = overall.groupby("subset")["product"].unique().map(sorted).to_dict()
    others = ["climatology", "rival", "thin"]
    assert held.pop("common") == sorted(["ours", *others])
    assert held.pop("own") == sorted(["ours", *others])
    assert held == {f"pair {name}": sorted(["ours", name]) for name in others}
    pairs = scores[scores["subset"].eq("pair thin") & scores["stratum"].eq("net/s3") & scores["product"].eq("thin")]
    assert set(zip(pairs["metric"], pairs["signal"], strict=True)) == set(HEADLINE)
    notes = json.loads((run / "run.json").read_text())["references"]["stations"]["common_sample"]
    assert list(notes["takes_more_than_half"]) == ["thin"]


def test_there_are_no_pairs_where_no_product_takes_more_than_half(small: Path, tmp_path: Path) -> None:
    found = run_with(small, tmp_path, 0.6, "out")
    assert not pd.read_parquet(found / "scores.parquet")["subset"].str.startswith("pair").any()
    notes = json.loads((found / "run.json").read_text())["references"]["stations"]["common_sample"]
    assert notes["takes_more_than_half"] == {}


def test_pairs_at_a_map_do_not_depend_on_the_blocks_it_is_read_in(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "MANY_CELLS", 10)
    found = []
    for cells in (1000, 50):
        monkeypatch.setattr(suite, "CELLS_AT_ONCE", cells)
        rows = pd.read_parquet(run_with(small, tmp_path, 0.3, f"out-{cells}", maps=True) / "scores.parquet")
        found.append(rows[rows["subset"].str.startswith("pair")].reset_index(drop=True))
    assert set(found[0]["subset"]) == {"pair climatology", "pair rival", "pair thin"}
    assert set(found[0]["stratum_kind"]) == {"all"}
    pd.testing.assert_frame_equal(found[0], found[1], rtol=1e-9)
