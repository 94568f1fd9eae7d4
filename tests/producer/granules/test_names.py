import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.common import InputError
from vadose.producer.granules.names import NAME, GranuleName, parse_name

tokens = st.from_regex(r"[A-Z][A-Z0-9]{1,15}", fullmatch=True)
grids = st.sampled_from(["0P05DEG", "0P25DEG", "10P00DEG", "EASE2M36", "EASE2M09"])
numbers = st.integers(0, 999)


@given(tokens, grids, st.dates(), st.sampled_from(["CDR", "ICDR", "NRT"]), numbers, numbers, numbers)
def test_what_is_written_is_read_back(product, grid, day, stream, major, minor, patch):
    version = f"{major}.{minor}.{patch}"
    name = GranuleName(
        product=product,
        grid=grid,
        step="DAILY",
        when=day.strftime("%Y%m%d").rjust(8, "0"),
        stream=stream,
        version=version,
    )
    assert parse_name(name.text) == name
    assert NAME.match(name.text)
    assert name.day == day


def test_a_month_and_a_static_file_have_their_places():
    month = parse_name("VADOSE-AVHRR-L4-0P05DEG-MONTHLY-200107-CDR-v1.0.0.nc")
    static = parse_name("VADOSE-AVHRR-L4-0P05DEG-STATIC-v1.2.0.nc")
    assert month.path.as_posix() == f"CDR/MONTHLY/2001/{month.text}"
    assert static.path.as_posix() == f"static/{static.text}"


@pytest.mark.parametrize("name", [
    "VADOSE-AVHRR-L4-0P05DEG-DAILY-20010715-v1.0.0.nc", "VADOSE-AVHRR-L4-0P05DEG-STATIC-CDR-v1.0.0.nc",
    "VADOSE-AVHRR-L4-0P05DEG-DAILY-20010732-CDR-v1.0.0.nc", "VADOSE-AVHRR-L4-0P05DEG-DAILY-20010715-CDR-v1.0.00.nc",
    "VADOSE-AVHRR-L4-EASE2M25-DAILY-20010715-CDR-v1.0.0.nc", "VADOSE-a-L4-0P05DEG-STATIC-v1.0.0.nc", "other.nc",
])  # fmt: skip
def test_any_other_name_is_refused(name):
    with pytest.raises(InputError):
        parse_name(name)
