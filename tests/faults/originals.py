"""The whole inputs that the trial damages: small files of every kind that the program reads."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import xarray as xr

HERE = Path(__file__).parent
SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
DAYS = np.arange("2015-12-20", "2016-01-20", dtype="datetime64[D]")

Command = Callable[[Path, Path], list[str]]


def _ingest_stations(here: Path, out: Path) -> list[str]:
    return ["ingest", "stations", str(here / "stations"), "--name", "s", "--workspace", str(out), "--quiet"]


def _table(here: Path, out: Path) -> list[str]:
    words = ["ingest", "stations", str(here / "table.csv"), "--mapping", str(here / "mapping.yaml"), "--name", "s"]
    return [*words, "--workspace", str(out), "--quiet"]


def _validate(here: Path, out: Path) -> list[str]:
    words = ["validate", "--product", f"p={here / 'product.nc'}", "--stations", str(here / "stations.nc")]
    return [*words, "--out", str(out / "run"), "--quiet"]


def _smap(here: Path, out: Path) -> list[str]:
    file = next(iter(sorted((here / "smap").iterdir())))
    return ["ingest", "smap", str(file), "--name", "x", "--workspace", str(out), "--quiet"]


def _gldas(here: Path, out: Path) -> list[str]:
    file = next(iter(sorted((here / "gldas").iterdir())))
    return ["ingest", "gldas", str(file), "--name", "x", "--steps", "1", "--workspace", str(out), "--quiet"]


def _recipe(here: Path, out: Path) -> list[str]:
    return ["ingest", str(here / "recipe.yaml"), "--native", str(here), "--workspace", str(out), "--quiet"]


def _verify(here: Path, out: Path) -> list[str]:
    version = next(iter(here.glob("releases/*/v*")))
    return ["verify", str(version), "--workspace", str(out), "--quiet"]


def _gate(here: Path, out: Path) -> list[str]:
    return [*_verify(here, out), "--gate"]


def _extract(here: Path, out: Path, *words: str) -> list[str]:
    version = next(iter(here.glob("releases/*/v*")))
    words = (*words, "--from", "2016-01-01", "--to", "2016-01-03", "--out", str(out / "series.csv"))
    return ["extract", str(version), *words, "--workspace", str(out), "--quiet"]


def _areas(here: Path, out: Path) -> list[str]:
    return _extract(here, out, "--polygon", str(here / "areas.geojson"))


def _points(here: Path, out: Path) -> list[str]:
    return _extract(here, out, "--points", str(here / "points.csv"))


COMMANDS: dict[str, Command] = {
    "recipe": _recipe,
    "netcdf": _validate,
    "stations_netcdf": _validate,
    "hdf5": _smap,
    "gldas": _gldas,
    "ismn": _ingest_stations,
    "table": _table,
    "manifest": _verify,
    "stac": _gate,
    "areas": _areas,
    "points": _points,
}
KINDS = tuple(COMMANDS)
# The kinds in turn; the whole gate takes seconds, so it comes seldom.
ROUND = (
    "recipe", "netcdf", "manifest", "hdf5", "ismn", "table", "gldas", "stations_netcdf", "recipe", "manifest", "ismn",
    "table", "netcdf", "manifest", "table", "ismn", "recipe", "gldas", "hdf5", "stac", "areas", "points",
)  # fmt: skip


@dataclass(frozen=True)
class Original:
    """One kind of input: its folder, which of its files are damaged, whether they are text, and the command."""

    folder: Path
    targets: tuple[str, ...]
    text: bool
    command: Command

    @classmethod
    def load(cls, base: Path, kind: str) -> Original:
        """What `originals` made."""
        folder = base / "originals" / kind
        known = json.loads((base / "originals" / f"{kind}.json").read_text())
        return cls(folder, tuple(known["targets"]), known["text"], COMMANDS[kind])


def originals(base: Path) -> None:
    """Make every kind of input below `base/originals`, once."""
    for kind in KINDS:
        note = base / "originals" / f"{kind}.json"
        if note.is_file():
            continue
        folder = base / "originals" / kind
        folder.mkdir(parents=True, exist_ok=True)
        targets, text = MAKERS[kind](folder)
        note.write_text(json.dumps({"targets": targets, "text": text}))


def _made_recipe(folder: Path) -> tuple[list[str], bool]:
    from vadose.producer.recipefile import packaged_recipes

    (folder / "recipe.yaml").write_bytes(packaged_recipes()["simulated-atlstm"].read_bytes())
    return ["recipe.yaml"], True


def _made_product(folder: Path) -> tuple[list[str], bool]:
    generator = np.random.default_rng(0)
    lat, lon = np.linspace(41.75, 40.25, 7), np.linspace(-100.75, -99.25, 7)
    values = generator.uniform(0.05, 0.4, (DAYS.size, 7, 7)).astype("f4")
    field = {"standard_name": SOIL_MOISTURE, "units": "m3 m-3", "cell_methods": "time: mean"}
    xr.Dataset(
        {"sm": (("time", "lat", "lon"), values, field)},
        {
            "time": DAYS.astype("M8[ns]"),
            "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("lon", lon, {"standard_name": "longitude", "units": "degrees_east"}),
        },
    ).to_netcdf(folder / "product.nc", engine="netcdf4")
    xr.Dataset(
        {"sm": (("station", "time"), values[:, 1:4, 2].T, field)},
        {
            "time": DAYS.astype("M8[ns]"), "station": ("station", ["A", "B", "C"], {"cf_role": "timeseries_id"}),
            "lat": ("station", lat[1:4], {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("station", np.full(3, lon[2]), {"standard_name": "longitude", "units": "degrees_east"}),
        },
        {"featureType": "timeSeries"},
    ).to_netcdf(folder / "stations.nc", engine="netcdf4")  # fmt: skip
    return ["product.nc"], False


def _made_stations(folder: Path) -> tuple[list[str], bool]:
    _made_product(folder)
    return ["stations.nc"], False


def _made_smap(folder: Path) -> tuple[list[str], bool]:
    generator = np.random.default_rng(1)
    (folder / "smap").mkdir()
    name = "smap/SMAP_L3_SM_P_20160101_R19240_001.h5"
    rows, columns = 406, 964
    with h5py.File(folder / name, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data_AM")
        moisture = np.full((rows, columns), -9999.0, "f4")
        moisture[100:110, 200:220] = generator.uniform(0.05, 0.4, (10, 20))
        flag = np.full((rows, columns), 7, "u2")
        flag[100:110, 200:220] = 0
        row, column = np.mgrid[0:rows, 0:columns]
        for key, values in (
            ("soil_moisture", moisture), ("retrieval_qual_flag", flag), ("surface_flag", flag),
            ("EASE_row_index", row.astype("u2")), ("EASE_column_index", column.astype("u2")),
            ("latitude", np.full((rows, columns), -9999.0, "f4")),
        ):  # fmt: skip
            made = group.create_dataset(key, data=values, compression="gzip")
            if key == "soil_moisture":
                made.attrs.update({"_FillValue": np.float32(-9999.0), "units": "cm**3/cm**3"})
    return [name], False


def _made_gldas(folder: Path) -> tuple[list[str], bool]:
    (folder / "gldas").mkdir()
    name = "gldas/GLDAS_NOAH025_3H.A20160101.0300.021.nc4"
    generator = np.random.default_rng(2)
    field = {"units": "kg m-2", "standard_name": "soil_moisture_content", "missing_value": np.float32(-9999.0)}
    xr.Dataset(
        {"SoilMoi0_10cm_inst": (("time", "lat", "lon"), generator.uniform(5, 40, (1, 8, 8)).astype("f4"), field)},
        {
            "time": np.array(["2016-01-01T03:00:00"], "M8[ns]"),
            "lat": ("lat", 40.125 + 0.25 * np.arange(8), {"units": "degrees_north"}),
            "lon": ("lon", -100.875 + 0.25 * np.arange(8), {"units": "degrees_east"}),
        },
        {"conventions": "CF-1.6"},
    ).to_netcdf(folder / name, engine="netcdf4")
    return [name], False


def _made_ismn(folder: Path) -> tuple[list[str], bool]:
    place = folder / "stations" / "NET" / "Site-1"
    place.mkdir(parents=True)
    name = "NET_NET_Site-1_sm_0.050000_0.050000_Probe_20160101_20160110.stm"
    lines = ["NET NET Site-1 41.00000 -100.00000 500.00 0.0500 0.0500 Probe"]
    lines += [f"2016/01/{d:02d} {h:02d}:00 {0.2 + 0.001 * h:.4f} G M" for d in range(1, 11) for h in range(24)]
    (place / name).write_text("\n".join(lines) + "\n")
    return [f"stations/NET/Site-1/{name}"], True


def _made_table(folder: Path) -> tuple[list[str], bool]:
    rows = ["id,lat,lon,depth_cm,date,sm"]
    rows += [f"s{k},{40 + k},-100,5,2016-01-{d:02d},{0.2 + 0.01 * k:.3f}" for k in range(3) for d in range(1, 29)]
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    (folder / "mapping.yaml").write_text(
        "network: TEST\nlicence: CC0-1.0\nredistributable: true\nstation_column: id\nlat: lat\nlon: lon\n"
        "time: {column: date, utc_offset: 0}\n"
        "values: [{column: sm, units: m3 m-3, depth_m: [0.0, 0.05]}]\n"
    )
    return ["table.csv", "mapping.yaml"], True


def _made_release(folder: Path, targets: tuple[str, ...]) -> tuple[list[str], bool]:
    tools = _module("release_tools", HERE.parent / "producer" / "release" / "conftest.py")
    worlds = _module("small_world", HERE.parent / "producer" / "small_world.py")
    _, version, _ = tools.make(worlds, folder)
    return [str(path.relative_to(folder)) for name in targets for path in sorted(version.glob(name))], True


def _made_areas(folder: Path) -> tuple[list[str], bool]:
    _made_release(folder, ())
    rings = [[[-54.6, 46.6], [-51.3, 46.9], [-52.2, 49.7], [-54.6, 46.6]], [[-55, 49], [-54, 49], [-54, 50], [-55, 49]]]
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"basin {k}"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for k, ring in enumerate(rings)
    ]
    (folder / "areas.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return ["areas.geojson"], True


def _made_points(folder: Path) -> tuple[list[str], bool]:
    _made_release(folder, ())
    (folder / "points.csv").write_text("name,lat,lon\nA,47.1,-52.6\nB,48.3,-53.4\n")
    return ["points.csv"], True


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


MAKERS: dict[str, Callable[[Path], tuple[list[str], bool]]] = {
    "recipe": _made_recipe,
    "netcdf": _made_product,
    "stations_netcdf": _made_stations,
    "hdf5": _made_smap,
    "gldas": _made_gldas,
    "ismn": _made_ismn,
    "table": _made_table,
    "manifest": lambda folder: _made_release(folder, ("manifest.json", "SHA256SUMS", "CITATION.cff")),
    "stac": lambda folder: _made_release(folder, ("stac/*.json", "datacite.json", "dataset.jsonld", "gate.json")),
    "areas": _made_areas,
    "points": _made_points,
}
