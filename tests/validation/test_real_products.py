"""Real products side by side: Hawaii's triplets, stability of ESA CCI, SMAP against GLDAS and ERA5 as maps."""

from pathlib import Path

import numpy as np
import pytest

from vadose.validation.experiments import cci_stability, granule_maps, hawaii_triplets


def test_every_triplet_of_hawaii_has_figures_or_a_reason(vadose_data: Path) -> None:
    found = hawaii_triplets(vadose_data)
    assert len(found["product"].unique()) == 14
    assert found["status"].ne("").all()
    invalid = ~found["status"].isin(["ok", "dependent_errors"])
    assert found.loc[invalid, "error_std"].isna().all()
    assert found.loc[~invalid, "error_std"].gt(0).all()
    one = found[found["point"].eq("COSMOS/SilverSword") & found["triplet"].eq("SMAP_V9+ASCAT119+ERA5")]
    assert set(one["n"]) == {232}


def test_stability_of_the_long_records_has_an_interval_or_says_why_not(vadose_data: Path) -> None:
    trends, breaks = cci_stability(vadose_data)
    assert trends["series"].nunique() == 16
    ok = trends[trends["status"].eq("ok")]
    assert (ok["ci_low"] <= ok["slope"]).all()
    assert (ok["slope"] <= ok["ci_high"]).all()
    assert set(ok["verdict"]) <= {"stable", "drifting", "undecided"}
    assert ok["detectable"].gt(0).all()
    assert len(breaks) > 0
    # The two copies of a point agree where their records do.
    first = trends[trends["series"].isin(["SMECVGPI431790", "data_431790"])].set_index(["series", "pair"])["slope"]
    np.testing.assert_allclose(first["SMECVGPI431790", "cci-gldas"], first["data_431790", "cci-gldas"], atol=1e-6)


@pytest.mark.slow
def test_one_smap_granule_meets_gldas_and_era5_on_its_own_grid(vadose_data: Path) -> None:
    scores = granule_maps(vadose_data)[0].set_index(["product", "metric"])["value"]
    assert 0.4 < scores["gldas", "spatial_r"] < 0.9
    assert 0.4 < scores["era5", "spatial_r"] < 0.9
    assert scores["era5", "cells"] > 10_000
    assert abs(scores["gldas", "spatial_bias"]) < 0.1
