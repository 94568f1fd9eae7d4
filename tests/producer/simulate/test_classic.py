from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.producer.simulate.classic import NotClassicError, Variable, make_template, parse_header

DIMS = {"time": 1, "y": 3, "x": 5}


def example(dtype: str = "f4", attributes: dict[str, Any] | None = None) -> tuple[bytes, np.ndarray]:
    variables = {
        "x": Variable("f8", ("x",), {"units": "m"}),
        "crs": Variable("i4", ()),
        "v": Variable(dtype, ("time", "y", "x"), attributes or {}),
    }
    template = make_template(DIMS, variables, {"x": np.arange(5.0), "crs": np.asarray(0)}, {"title": "odd"})
    values = np.arange(15).reshape(1, 3, 5).astype(dtype)
    return template.render({"v": values}), values


def test_netcdf4_reads_what_was_written(tmp_path: Path) -> None:
    data, values = example("i2", {"flag_masks": np.array([1, 2], np.int16), "long_name": "ä"})
    (tmp_path / "a.nc").write_bytes(data)
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert file.data_model == "NETCDF3_CLASSIC"
        np.testing.assert_array_equal(file["v"][:], values)
        np.testing.assert_array_equal(file["v"].flag_masks, [1, 2])
        assert file["v"].long_name == "ä"
        assert file.title == "odd"


def test_parser_reads_what_netcdf4_wrote(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "b.nc", "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("x", 7)
        file.createVariable("a", "i2", ("x",))[:] = np.arange(7)
        variable = file.createVariable("b", "f4", ("x",), fill_value=np.float32(-9999))
        variable.units = "K"
        variable[:] = np.linspace(0, 1, 7)
    data = (tmp_path / "b.nc").read_bytes()
    header = parse_header(data)
    np.testing.assert_array_equal(header.variables["a"].read(data), np.arange(7))
    np.testing.assert_allclose(header.variables["b"].read(data), np.linspace(0, 1, 7), rtol=1e-6)
    assert header.variables["b"].attributes["units"] == "K"
    assert header.size <= len(data)


@given(
    dtype=st.sampled_from(["i2", "i4", "f4", "f8"]),
    name=st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=9),
    text=st.text(max_size=9),
)
@settings(max_examples=60, deadline=None)
def test_any_type_name_and_text_comes_back(dtype: str, name: str, text: str) -> None:
    template = make_template({"n": 3}, {name: Variable(dtype, ("n",), {"note": text})}, {}, {})
    data = template.render({name: np.array([1, 2, 3])})
    placed = parse_header(data).variables[name]
    assert placed.read(data).tolist() == [1, 2, 3]
    assert placed.attributes["note"] == text


@pytest.mark.parametrize("length", [3, 30, 100])
def test_cut_header_is_refused(length: int) -> None:
    with pytest.raises(NotClassicError):
        parse_header(example()[0][:length])


def test_other_formats_are_refused() -> None:
    with pytest.raises(NotClassicError, match="not a CDF-1 file"):
        parse_header(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)


def test_values_of_a_wrong_size_are_refused() -> None:
    template = make_template({"n": 3}, {"v": Variable("f4", ("n",))}, {}, {})
    with pytest.raises(ValueError, match="v needs 3 values, got 4"):
        template.render({"v": np.zeros(4)})
