"""The mechanics of one file: units, funnel, days, cards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vadose.common import InputError, UsageError
from vadose.producer.ingest.card import CardVariable, load_card
from vadose.producer.ingest.native import (
    check_days,
    files_below,
    one_file_a_day,
    stated_units,
    to_vocabulary,
)

CARD = """
product: my sensor
producer: my institute
version: "1"
licence: CC-BY-4.0
variables:
  sm:
    name: cci_sm
    units: m3 m-3
    factor: 0.01
    layer_m: [0, 0.05]
    flags: {variable: qc, clear_bits: [0, 1]}
"""

floats = st.floats(-2, 3, width=32) | st.just(float("nan"))


@given(
    hnp.arrays(np.float32, 30, elements=floats.filter(lambda x: x != x or 0 <= x <= 1 or x > 1)), hnp.arrays(bool, 30)
)
def test_every_value_read_is_counted_once(values: np.ndarray, flagged: np.ndarray) -> None:
    values[:16] = 0.3
    kept, funnel = to_vocabulary(values, "cci_sm", "m3 m-3", where="x", flagged=flagged)
    assert funnel.read == funnel.missing + funnel.outside_range + funnel.flagged + funnel.kept == 30
    assert funnel.kept == np.isfinite(kept).sum()
    assert not np.isfinite(kept[flagged]).any()


def test_a_fraction_under_the_name_of_percent_is_refused() -> None:
    with pytest.raises(InputError, match="none of 400 values exceeds 1 %.*looks like a fraction"):
        to_vocabulary(np.linspace(0.1, 0.6, 400), "albedo", "%", where="x.nc, variable Albedo")


def test_layer_water_needs_its_thickness() -> None:
    values, _ = to_vocabulary(np.array([25.0]), "noah_sm", "kg m-2", where="x", layer_thickness_m=0.1)
    assert values == pytest.approx(0.25)
    with pytest.raises(InputError, match="units 'kg m-2' cannot be converted to 'm3 m-3'"):
        to_vocabulary(np.array([25.0]), "noah_sm", "kg m-2", where="x")


def test_units_are_never_guessed() -> None:
    with pytest.raises(InputError, match="states no units.*x.nc, variable sm"):
        stated_units("sm", None, None, None, Path("x.nc"))
    assert stated_units("sm", b"percent", None, None, Path("x.nc")) == "percent"
    card = CardVariable(name="cci_sm", units="m3 m-3")
    assert stated_units("sm", "percent", card, None, Path("x.nc")) == "m3 m-3"


def test_days_must_ascend() -> None:
    days = np.array(["2020-01-02", "2020-01-03", "2020-01-01"], "datetime64[D]")
    with pytest.raises(InputError, match="2020-01-01 stands after 2020-01-03"):
        check_days(days, "x.nc")
    with pytest.raises(InputError, match="2020-01-02 appears twice"):
        check_days(days[[0, 0]], "x.nc")


def test_files_come_in_the_order_of_their_days() -> None:
    files = [(np.datetime64(day), Path(name)) for day, name in (("2020-01-02", "a"), ("2020-01-01", "b"))]
    assert [path.name for _, path in one_file_a_day(files)] == ["b", "a"]


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file or folder.*nowhere"):
        files_below([tmp_path / "nowhere"])
    (tmp_path / ".hidden.nc").write_text("")
    with pytest.raises(InputError, match=r"no \.nc file"):
        files_below([tmp_path], (".nc",))


def test_card_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text(CARD)
    card = load_card(tmp_path / "card.yaml").of("sm")
    assert card is not None
    values, funnel = to_vocabulary(np.array([25.0, 31.0]), "cci_sm", card.units or "", where="x", card=card)
    np.testing.assert_allclose(values, [0.25, 0.31], rtol=1e-6)
    assert funnel.kept == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("licence:", "license:"), r"license: unknown key 'license'; did you mean 'licence'"),
        (("name: cci_sm", "name: cci_smm"), r"variables\.sm\.name: unknown variable 'cci_smm'; did you mean 'cci_sm'"),
        (("[0, 0.05]", "[0.05, 0]"), "a layer runs downwards"),
        (("clear_bits: [0, 1]", "clear_bits: []"), "either clear_bits or keep"),
        (("variables:", "variables: ["), "not valid YAML"),
    ],
)
def test_a_wrong_card_names_the_key(tmp_path: Path, wrong: tuple[str, str], message: str) -> None:
    (tmp_path / "card.yaml").write_text(CARD.replace(*wrong))
    with pytest.raises(UsageError, match=message):
        load_card(tmp_path / "card.yaml")


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the product card.*card\.yaml"):
        load_card(tmp_path / "card.yaml")
