"""Rivals that a run adds by itself."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from vadose.validation.baselines import Nowcast, last_value
from vadose.validation.opening import open_all
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings

LAT, LON = np.arange(40.125, 42, 0.25)[::-1], np.arange(-100.125, -98, 0.25)
RECIPE = "recipe: test\ntarget: sm\ngates:\n  - {name: beats_baselines, level: required}\n"


def test_the_last_value_is_that_of_the_latest_day_early_enough() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random((3, 60)) < 0.6, np.nan, rng.random((3, 60))).astype(np.float32)
    for latency in (0, 1, 3, 100):
        found = last_value(values, latency)
        for row, day in np.ndindex(3, 60):
            early = [value for value in values[row, : max(day - latency + 1, 0)] if np.isfinite(value)]
            np.testing.assert_equal(found[row, day], early[-1] if early else np.float32(np.nan))


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, make: Any) -> Settings:
    """A nowcast that follows the weather, and a satellite that sees every third day with little noise."""
    folder = tmp_path_factory.mktemp("nowcast")
    true = make["truth"](700, LAT.size * LON.size).reshape(700, LAT.size, LON.size)
    rng = np.random.default_rng(1)
    satellite = true + 0.003 * rng.standard_normal(true.shape)
    satellite[np.arange(700) % 3 != 0] = np.nan
    make["file"](folder / "ours.nc", true + 0.004 * rng.standard_normal(true.shape), LAT, LON)
    make["file"](folder / "satellite.nc", satellite, LAT, LON)
    at = np.arange(8)
    make["stations"](folder / "s.nc", true[:, at, at].T + 0.005 * rng.standard_normal((8, 700)), LAT[at], LON[at])
    head = {"product": "ours", "producer": "x", "version": "1", "licence": "free", "variables": {}}
    (folder / "card.yaml").write_text(yaml.safe_dump({**head, "nowcast": {"input": "satellite", "latency_days": 2}}))
    (folder / "recipe.yaml").write_text(RECIPE)
    return Settings(
        product=("ours", str(folder / "ours.nc")), rivals=(("satellite", str(folder / "satellite.nc")),),
        stations=(folder / "s.nc",), cards=(f"ours={folder / 'card.yaml'}",), recipe=str(folder / "recipe.yaml"),
    )  # fmt: skip


def test_a_nowcast_is_held_against_the_last_retrieval_that_it_had(given: Settings, tmp_path: Path) -> None:
    judged = run_validation(given, tmp_path / "out")
    with xr.open_dataset(tmp_path / "out" / "matchups.nc") as opened:
        satellite, persisted = (opened["values"].sel(series=name).values for name in ("satellite", "persistence"))
    day = 301
    np.testing.assert_array_equal(persisted[:, day], satellite[:, 297])
    assert np.isfinite(persisted[:, 2:]).all()
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert set(scores[scores["product"].eq("persistence")]["subset"]) >= {"own", "common"}
    gate = next(one for one in judged["gates"] if one["name"] == "beats_baselines")
    assert gate["passed"]
    assert "persistence: r better" in gate["reason"]


def test_a_nowcast_without_its_input_has_no_evidence(given: Settings, tmp_path: Path) -> None:
    judged = run_validation(replace(given, rivals=()), tmp_path / "out")
    gate = next(one for one in judged["gates"] if one["name"] == "beats_baselines")
    assert not judged["passed"]
    assert "not among the rivals" in gate["reason"]


@pytest.mark.parametrize(("split", "found"), [("P1-nowcast-3", Nowcast(3, "satellite")), ("P1-purged", None)])
def test_the_split_of_the_ledger_says_that_a_product_is_a_nowcast(
    given: Settings, tmp_path: Path, split: str, found: Nowcast | None
) -> None:
    ledger = {"split": split, "grid": "0P25DEG", "cells": {}, "days": {}, "stations": {}}
    (tmp_path / "model.json").write_text(json.dumps({"ledger": ledger}))
    plain = replace(given, cards=(), models=(tmp_path / "model.json",))
    assert open_all(plain).suite.nowcast == found
