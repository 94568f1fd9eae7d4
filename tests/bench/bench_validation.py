"""Whole validations, readers included, against one read of the same files by xarray."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

DAYS = 3650
STATIONS, PRODUCTS = 1000, 4
# A tenth of the land cells of a global map of a quarter degree.
ROWS, COLUMNS, MAP_CELLS, MAP_PRODUCTS = 150, 160, 240_000, 3
CELLS = ROWS * COLUMNS
MEMORY_BYTES = 1 << 30
MOST_GIB = 4.0

RUN = """
import json, re, sys, time
from pathlib import Path
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings
folder, out, products, kind = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
files = [(f"p{k}", str(folder / f"p{k}.nc")) for k in range(products)]
references = (("reference", str(folder / "reference.nc")),) if kind == "map" else ()
stations = () if kind == "map" else (folder / "stations.nc",)
given = Settings(product=files[0], rivals=tuple(files[1:]), stations=stations, references=references,
                 memory_bytes=int(sys.argv[5]))
start, processor = time.monotonic(), time.process_time()
run_validation(given, out)
print(json.dumps({"seconds": time.monotonic() - start, "core_seconds": time.process_time() - processor,
                  "bytes": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products and stations as files."""
    out = tmp_path_factory.mktemp("validation")
    spec = importlib.util.spec_from_file_location("networks", Path(__file__).with_name("networks.py"))
    assert spec is not None
    assert spec.loader is not None
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    for name in ("stations", "map"):
        (out / name).mkdir()
    networks.write_network(out / "stations", STATIONS, DAYS, PRODUCTS)
    networks.write_map(out / "map", ROWS, COLUMNS, DAYS, MAP_PRODUCTS)
    return out


def read_all(folder: Path) -> None:
    """Every value of every file once, with xarray."""
    for path in sorted(folder.glob("*.nc")):
        with xr.open_dataset(path) as dataset:
            dataset.load()


def validate(folder: Path, out: Path, products: int, kind: str) -> dict[str, float]:
    """A run in a process of its own, whose memory can be measured."""
    words = [sys.executable, "-c", RUN, str(folder), str(out), str(products), kind, str(MEMORY_BYTES)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("role", ["ours", "reading by xarray"])
@pytest.mark.parametrize(("kind", "products"), [("stations", PRODUCTS), ("map", MAP_PRODUCTS)])
def bench_validate(benchmark, folder: Path, tmp_path: Path, kind: str, products: int, role: str) -> None:
    """1,000 stations by 4 products, and a tenth of a global map by 3 products, of ten years."""
    cells = STATIONS if kind == "stations" else CELLS
    benchmark.group = "map" if kind == "map" else f"validation of {kind}"
    benchmark.extra_info.update({"role": role, "work": cells * products, "unit": "series"})
    if role != "ours":
        benchmark.pedantic(read_all, args=(folder / kind,), rounds=2, iterations=1)
        return
    figures: list[dict[str, float]] = []

    def once() -> None:
        figures.append(validate(folder / kind, tmp_path / f"out{len(figures)}", products, kind))

    benchmark.pedantic(once, rounds=1, iterations=1)
    seconds, cores = figures[-1]["seconds"], figures[-1]["core_seconds"]
    size = figures[-1]["bytes"] / 2**30
    assert size < MOST_GIB, f"{size:.2f} GiB"
    note = f"{cores:.0f} s of one core, {size:.2f} GiB"
    if kind == "map":
        times = MAP_CELLS / CELLS
        note += f"; all {MAP_CELLS} cells, extrapolated: {seconds * times:.0f} s, {cores * times / 60:.0f} core minutes"
    benchmark.extra_info["note"] = note
    print(f"\nvalidation of {kind}: {cells} x {products} series of ten years in {seconds:.0f} s, {note}")
