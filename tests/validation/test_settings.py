"""Settings of a run: files of them, what is refused, and scalings fitted on other years."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.common import UsageError
from vadose.validation.options import Options
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings, read_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_a_file_may_name_products_as_text_list_or_mapping(tmp_path: Path) -> None:
    text = """
    product: ours=a
    rival: b=c
    references: {map: d, other: e}
    stations: [one.nc, two.nc]
    seed: 3
    strict: true
    margin: {ubrmsd: 0.002, r: 1}
    adjust: by
    """
    assert read_settings(written(tmp_path, text)) == {
        "product": "ours=a", "rivals": ["b=c"], "references": ["map=d", "other=e"], "stations": ["one.nc", "two.nc"],
        "seed": 3, "strict": True, "margins": {"ubrmsd": 0.002, "r": 1.0}, "adjust": "by",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rivel: b=c", "unknown key 'rivel'; did you mean 'rival'"), ("seed: yes", "seed: True is no number"),
        ("strict: 1", "strict: 1 is no yes or no"), ("product: [a]", "is no text"), ("- a", "mapping of keys"),
        ("seed: 1.5", "is no number"), ("product: [", "not valid YAML"), ("margins: 0.1", "no mapping of names"),
        ("margins: {r: wide}", "margins: r: 'wide' is no number"), ("margins: {r: yes}", "True is no number"),
    ],
)  # fmt: skip
def test_what_a_file_cannot_mean_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_settings(written(tmp_path, text))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"interval": "bca"}, "no interval 'bca'; known: tail_model"), ({"sensors": "all"}, "no sensors 'all'"),
        ({"scalings": ("none",)}, "no scaling 'none'"), ({"cross_fit": True}, "--cross-fit is about scaling"),
        ({"margins": {"ubrsmd": 0.1}}, "no margin of 'ubrsmd'; did you mean 'ubrmsd'"),
        ({"margins": {"kappa": 0.1}}, "compared in r, rho, ubrmsd, mse, mse_bias"),
        ({"margins": {"r": -0.1}}, "-0.1 in r is no width"), ({"margins": {"r": float("nan")}}, "nan in r is no width"),
        ({"adjust": "bonferroni"}, "no adjustment 'bonferroni'; known: bh, by"),
    ],
)  # fmt: skip
def test_options_that_do_not_exist_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options(**given)


def test_names_are_given_once_and_something_is_compared_with() -> None:
    stations = (Path("s.nc"),)
    for rival in ("ours", "climatology", "in situ", ""):
        with pytest.raises(UsageError, match="twice or kept"):
            Settings(product=("ours", "a"), rivals=((rival, "b"),), stations=stations)
    with pytest.raises(UsageError, match="nothing to compare with"):
        Settings(product=("ours", "a"), rivals=(("b", "c"),))
    assert Options(interval="bootstrap").model == "tail_model"
    assert Options(interval="hac").model == "hac"
    assert "cluster_count" not in Options().stated()


def test_a_scaling_with_cross_fit_is_fitted_on_the_other_years(small: Path, tmp_path: Path) -> None:
    given = Settings(
        product=("ours", str(small / "rival.nc")), stations=(small / "stations.nc",),
        options=Options(scalings=("mean_std",), cross_fit=True),
    )  # fmt: skip
    run_validation(given, tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "matchups.nc") as opened:
        data = opened["values"].sel(station="net/s3").load().astype(float)
    x, r = (data.sel(series=name).values for name in ("ours", "reference"))
    common = np.isfinite(data.values).all(axis=0)
    x, r = np.where(common, x, np.nan), np.where(common, r, np.nan)
    even = np.arange(x.size) // 365 % 2 == 0
    scaled = np.full(x.size, np.nan)
    for fold in (even, ~even):
        a, b = x[~fold], r[~fold]
        scaled[fold] = np.nanmean(b) + (x[fold] - np.nanmean(a)) * np.nanstd(b) / np.nanstd(a)
    rows = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    rows = rows[rows["scaling"].eq("mean_std") & rows["stratum"].eq("net/s3") & rows["product"].eq("ours")]
    value = rows[rows["metric"].eq("rmse")]["value"].iloc[0]
    assert value == pytest.approx(np.sqrt(np.nanmean((scaled - r) ** 2)), rel=1e-5)
