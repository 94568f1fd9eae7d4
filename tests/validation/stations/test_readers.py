"""Every reader knows the files of its network by their content, and no others."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vadose.common import InputError
from vadose.validation.stations import READERS, read_stations, sources
from vadose.validation.stations.sources import members

FILES = {
    "ismn": ("x.txt", "NET NET S 40 -100 300 0.05 0.05 P\n2015/01/01 00:00 0.2 G M\n"),
    "smap_cvs": ("x.txt", "title\nID, Yr, Mo, Day, Hr, Min, WASM, SM-1\n1, 2015, 4, 1, 12, 5, 0.2, 0.2\n"),
    "uscrn": ("x.txt", "WBANNO,LST_DATE,LONGITUDE,LATITUDE,SOIL_MOISTURE_5_DAILY\n3061,20200101,-96,39,0.2\n"),
    "cosmos": ("x.txt", "DATE_TIME,SITE_ID,COSMOS_VWC\n2016-01-01,ALIC1,20\n"),
}


def test_each_reader_has_a_file_here() -> None:
    assert [reader.name for reader in READERS] == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_known_to_its_own_reader_alone(tmp_path: Path, name: str) -> None:
    file, text = FILES[name]
    (tmp_path / file).write_text(text)
    (member,) = members(tmp_path)
    assert [reader.name for reader in READERS if reader.knows(member, member.head())] == [name]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 5000, b"PAR1\0\0", b"\x1f\x8bnot gzip", b"date,value\n2015-01-01,2\n", b"%PDF-1.4"]
)
def test_other_files_are_known_to_no_reader_and_never_crash(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.dat").write_bytes(content)
    with pytest.raises(InputError, match="no station series found"):
        read_stations([tmp_path])


def test_a_table_of_another_kind_in_parquet_is_no_station_file(tmp_path: Path) -> None:
    pd.DataFrame({"a": np.arange(3)}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no station series found"):
        read_stations([tmp_path])


def test_a_netcdf_file_is_sent_to_the_verb_that_reads_it(tmp_path: Path) -> None:
    (tmp_path / "x.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match="vadose validate --stations"):
        read_stations([tmp_path / "x.nc"])


@pytest.mark.parametrize("name", ["uscrn", "cosmos"])
def test_a_quote_that_is_never_closed_costs_its_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.txt").write_text(FILES[name][1] + '"' + "a,b\n" * 60_000)
    with pytest.raises(InputError, match=r"x\.txt.*a quote is never closed"):
        read_stations([tmp_path])


def test_a_gzip_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_MEMBER", 1_000_000)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(FILES["cosmos"][1].encode() + b"\n" * 2_000_000))
    with pytest.raises(InputError, match=r"unpacks to more than 1 MB.*x\.csv\.gz"):
        read_stations([tmp_path])


def test_a_truncated_gzip_file_is_named(tmp_path: Path) -> None:
    raw = gzip.compress(("\n".join([FILES["cosmos"][1], *["2016-01-02,ALIC1,20"] * 9000])).encode())
    (tmp_path / "x.csv.gz").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputError, match=r"cannot read.*x\.csv\.gz"):
        read_stations([tmp_path])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(list(FILES)), at=st.floats(0, 1), gone=st.integers(0, 9), junk=st.binary(max_size=9))
def test_a_damaged_file_is_read_or_refused_and_never_crashes(
    tmp_path: Path, name: str, at: float, gone: int, junk: bytes
) -> None:
    raw = (FILES[name][1] + FILES[name][1].splitlines()[-1]).encode()
    cut = int(at * len(raw))
    (tmp_path / "x.txt").write_bytes(raw[:cut] + junk + raw[cut + gone :])
    refused, days = "", 0
    try:
        days = read_stations([tmp_path], accept_unflagged=True).sizes["time"]
    except InputError as error:
        refused = str(error)
    assert "Error:" not in refused, "a reader met something that it did not foresee"
    # Two centuries at most, whatever year a damaged stamp says.
    assert days < 75_000
