"""Reading an ISMN archive: 330 sensors of three years of hours in one zip, against the network's own package.

Ours reads, checks flags, counts every row and averages to days; the rival collects its metadata, reads every sensor,
keeps the good hours and averages them. `VADOSE_BENCH_SENSORS` takes a smaller archive.
"""

import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vadose.validation.stations import read_stations

SENSORS = int(os.environ.get("VADOSE_BENCH_SENSORS", "330"))
HOURS = np.datetime64("2017-01-01T00", "h") + np.arange(24 * 1096)
HOUR_NAMES = [f"{text[:10].replace('-', '/')} {text[11:]}:00" for text in HOURS.astype(str)]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip in the layout that the network sends, header and values."""
    path = tmp_path_factory.mktemp("ismn") / "archive.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(SENSORS):
            wave = 0.25 + 0.1 * np.sin(np.arange(HOURS.size) / 700 + number)
            values = np.clip(wave + 0.01 * rng.standard_normal(HOURS.size), 0.02, 0.55)
            flags = rng.choice(["G", "D01", "D03,D05"], HOURS.size, p=[0.9, 0.05, 0.05])
            network, station = f"NET{number % 7}", f"S{number}"
            lines = [
                f"{network} {network} {station} {30 + number / 50:.4f} {-110 + number / 40:.4f} 300.0 0.05 0.05 Probe"
            ]
            lines += [
                f"{hour}   {value:.4f} {flag} M" for hour, value, flag in zip(HOUR_NAMES, values, flags, strict=True)
            ]
            name = f"{network}_{network}_{station}_sm_0.050000_0.050000_Probe_20170101_20191231.stm"
            file.writestr(f"{network}/{station}/{name}", "\n".join(lines) + "\n")
    return path


def theirs(archive: Path, metadata: Path) -> int:
    """Days of all sensors, by the package of the network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interface = pytest.importorskip("ismn.interface")
        source = interface.ISMN_Interface(str(archive), meta_path=str(metadata), parallel=False)
        days = 0
        for _, _, sensor in source.collection.iter_sensors():
            data = sensor.read_data()
            days += data.loc[data["soil_moisture_flag"] == "G", "soil_moisture"].resample("1D").mean().size
    return days


@pytest.mark.parametrize("role", ["ours", "ismn package"])
def bench_stations(benchmark, archive: Path, tmp_path: Path, role: str) -> None:
    """All sensors to days."""
    benchmark.group = "stations"
    benchmark.extra_info.update({"role": role, "work": SENSORS * HOURS.size, "unit": "hourly rows"})
    calls = iter(range(100))

    def rival() -> None:
        folder = tmp_path / str(next(calls))
        folder.mkdir()
        assert theirs(archive, folder) > 0

    run = (lambda: read_stations([archive])) if role == "ours" else rival
    rounds = 3 if role == "ours" else 1
    benchmark.pedantic(run, rounds=rounds, iterations=1, warmup_rounds=1 if role == "ours" else 0)
