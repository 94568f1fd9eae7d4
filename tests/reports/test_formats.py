"""Numbers have fixed decimals, true minus signs and words where there is no value."""

import json
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.reports.formats import (
    KEY,
    METRICS,
    interval_text,
    number,
    percent,
    row_id,
    score_text,
    sentence_start,
    size,
    status_text,
    unit_signs,
)


def test_decimals_stay_when_they_are_zeros() -> None:
    assert score_text("r", 0.7) == "0.700"
    assert score_text("bias", 0.01) == "+0.0100"


def test_a_negative_number_has_a_true_minus_and_zero_has_no_sign() -> None:
    assert number(-0.5, 1) == "−0.5"
    assert number(-0.0001, 2, signed=True) == "0.00"


@given(st.sampled_from(sorted(METRICS)), st.floats(-2, 2))
def test_a_score_reads_back_within_half_of_its_last_digit(metric: str, value: float) -> None:
    decimals = METRICS[metric].decimals
    assert float(score_text(metric, value).replace("−", "-")) == pytest.approx(
        value, abs=0.5 * 10**-decimals * 1.000001
    )


def test_an_interval_without_both_ends_is_left_out() -> None:
    assert interval_text("r", 0.1, float("nan")) == ""
    assert interval_text("r", 0.1, 0.2) == "[0.100, 0.200]"


def test_a_missing_score_says_why() -> None:
    assert status_text("few_samples", 12) == "too few days (12)"
    assert status_text("constant_series", 400) == "constant series"
    assert status_text("", None) == "no value"


def test_the_row_id_hashes_the_key_columns_only() -> None:
    row = {name: f"{name}!" for name in KEY} | {"value": 1.0}
    expected = sha256(json.dumps([f"{name}!" for name in KEY]).encode()).hexdigest()[:12]
    assert row_id(row) == expected == row_id(row | {"value": 2.0})
    assert row_id(row | {"metric": "r"}) != expected


def test_sizes_and_shares_are_rounded_for_people() -> None:
    assert (size(999), size(23_456), size(7_200_000_000)) == ("999 B", "23.5 kB", "7.2 GB")
    assert (percent(0.9375), percent(np.nan)) == ("93.8 %", "not known")


@pytest.mark.parametrize(("unit", "shown"), [("m3 m-3", "m³ m⁻³"), ("mm d-1", "mm d⁻¹"), ("K", "K"), ("1", "1")])
def test_units_have_true_exponents(unit: str, shown: str) -> None:
    assert unit_signs(unit) == shown


@pytest.mark.parametrize(("label", "start"), [("bias", "Bias"), ("anomaly R", "Anomaly R"), ("ubRMSD", "ubRMSD")])
def test_a_name_with_capitals_of_its_own_stays_at_the_start_of_a_sentence(label: str, start: str) -> None:
    assert sentence_start(label) == start
