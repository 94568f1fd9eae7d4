"""The analysis-ready store: daily variables of land cells, gathered, as a CF dataset in Zarr v3."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from vadose.common import InputError, whole_directory
from vadose.producer.grids import Grid
from vadose.producer.vocabulary import variable

Floats = npt.NDArray[np.float32]
Days = npt.NDArray[np.datetime64]
Mask = npt.NDArray[np.bool_]
ZarrArray = zarr.Array[Any]

CHUNK_DAYS = 92
CHUNK_CELLS = 4096
EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True)
class Cube:
    """A cube opened for reading.

    Arrays are `(time, cell)` or, for static variables, `(cell)`, float32, missing is NaN.
    Days are UTC days.

    Attributes
    ----------
    hidden
        Daily variables of which some values are kept from the reader: masks (time, cell), see `hiding`.
    added
        Daily variables that are not in the store: values (time, cell), see `having`.
    """

    path: Path
    group: zarr.Group
    hidden: Mapping[str, Mask] = field(default_factory=dict)
    added: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def grid(self) -> Grid:
        """The grid whose cells are gathered."""
        return Grid(**self._attributes["vadose_grid"])

    @cached_property
    def index(self) -> npt.NDArray[np.int64]:
        """Flat index in C order of each cell in the window of the grid, (cell,), ascending."""
        return np.asarray(self._array("cell")[:]).astype(np.int64)

    @cached_property
    def days(self) -> Days:
        """UTC days, (time,), without gaps."""
        since: Days = EPOCH + np.floor(np.asarray(self._array("time")[:])).astype("timedelta64[D]")
        return since

    @cached_property
    def lat(self) -> npt.NDArray[np.float64]:
        """Latitude of the cell centres, (cell,)."""
        return np.asarray(self._array("lat")[:])[self.index // self.grid.shape[1]]

    @cached_property
    def lon(self) -> npt.NDArray[np.float64]:
        """Longitude of the cell centres, (cell,)."""
        return np.asarray(self._array("lon")[:])[self.index % self.grid.shape[1]]

    @property
    def names(self) -> list[str]:
        """Names of all variables of the vocabulary in the cube."""
        return [*self._attributes["vadose_variables"], *self.added]

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """Every input file with name, bytes, sha256, producer, version and licence."""
        return list(self._attributes["vadose_provenance"])

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """The funnel of ingest for each variable: read, missing, outside_range, flagged, kept."""
        return dict(self._attributes["vadose_counts"])

    @property
    def content_hash(self) -> str:
        """SHA-256 over the hashes of all input files, variables and grid; equal cubes have equal hashes."""
        return str(self._attributes["vadose_content_hash"])

    def read(self, name: str, days: slice = slice(None), cells: slice = slice(None)) -> Floats:
        """A daily variable, (time, cell)."""
        self._require(name)
        stored = self.added[name] if name in self.added else self._array(name)
        values = np.asarray(stored[days, cells])
        return np.where(self.hidden[name][days, cells], np.float32(np.nan), values) if name in self.hidden else values

    def hiding(self, name: str, mask: Mask) -> Cube:
        """The same cube in which a daily variable is missing where `mask` says so, (time, cell).

        Whoever is given this cube cannot learn from the hidden values, whatever it reads.
        """
        self._require(name)
        shape = (self.days.size, self.index.size)
        if mask.shape != shape:
            raise ValueError(f"a mask of {mask.shape} for a cube of {shape}")
        return dataclasses.replace(self, hidden={**self.hidden, name: mask | self.hidden.get(name, False)})

    def having(self, name: str, values: Floats) -> Cube:
        """The same cube with one more daily variable, (time, cell), that is in no file, such as gridded stations."""
        variable(name)
        shape = (self.days.size, self.index.size)
        if values.shape != shape:
            raise ValueError(f"values of {values.shape} for a cube of {shape}")
        return dataclasses.replace(self, added={**self.added, name: values.astype(np.float32, copy=False)})

    def read_static(self, name: str, cells: slice = slice(None)) -> Floats:
        """A static variable, (cell,)."""
        self._require(name)
        return np.asarray(self._array(name)[cells])

    def day_index(self, day: np.datetime64) -> int:
        """Position of a day; a day outside is an `InputError`."""
        position = int((day - self.days[0]).astype(int))
        if not 0 <= position < self.days.size:
            raise InputError(
                f"{day} is not in the cube, which holds {self.days[0]}..{self.days[-1]}", where=str(self.path)
            )
        return position

    @property
    def _attributes(self) -> dict[str, Any]:
        return dict(self.group.attrs)

    def _array(self, name: str) -> ZarrArray:
        array = self.group[name]
        assert isinstance(array, zarr.Array), f"{name} is not an array"
        return array

    def _require(self, name: str) -> None:
        if name not in self.group and name not in self.added:
            raise InputError(
                f"no variable {name!r}; the cube holds {', '.join(self.names)}",
                where=str(self.path),
                next="ingest the source that holds it, or choose another predictor",
            )


def open_cube(path: Path) -> Cube:
    """Open a cube; a missing or broken store is an `InputError`."""
    if not path.exists():
        raise InputError("no such cube", where=str(path), next="vadose ingest RECIPE")
    try:
        group = zarr.open_group(str(path), mode="r")
        group.attrs["vadose_grid"]
    except (FileNotFoundError, KeyError, ValueError, json.JSONDecodeError) as error:
        raise InputError(f"not a vadose cube: {error}", where=str(path), next="vadose ingest RECIPE") from error
    return Cube(path, group)


class CubeWriter:
    """Writes the variables of a cube under way; made by `new_cube`."""

    def __init__(self, group: zarr.Group, days: Days, cells: int) -> None:
        self._group = group
        self._days = days
        self._cells = cells
        self._names: list[str] = []
        self._counts: dict[str, dict[str, int]] = {}
        self._provenance: dict[str, dict[str, Any]] = {}

    def add(self, name: str, values: Floats, *, attributes: dict[str, Any] | None = None) -> None:
        """Write a whole variable, (time, cell) or for static ones (cell,)."""
        self.declare(name, attributes=attributes)[...] = values.astype(np.float32)

    def declare(self, name: str, *, attributes: dict[str, Any] | None = None) -> ZarrArray:
        """Make an empty (all missing) variable and return its array for writing slab by slab."""
        spec = variable(name)
        shape = (self._cells,) if spec.static else (self._days.size, self._cells)
        chunk = (
            (min(CHUNK_CELLS, self._cells),)
            if spec.static
            else (min(CHUNK_DAYS, self._days.size), min(CHUNK_CELLS, self._cells))
        )
        array = self._group.create_array(
            name, shape=shape, chunks=chunk, dtype="float32", fill_value=np.float32(np.nan),
            dimension_names=("cell",) if spec.static else ("time", "cell"),
            compressors=ZstdCodec(level=1),
        )  # fmt: skip
        known = {"standard_name": spec.standard_name, "long_name": spec.long_name, "units": spec.units}
        array.attrs.update(
            {key: value for key, value in known.items() if value} | {"grid_mapping": "crs"} | (attributes or {})
        )
        self._names.append(name)
        return array

    def attribute(self, name: str, value: Any) -> None:
        """Set an attribute of the store, such as the cells' numbers in their source."""
        self._group.attrs[name] = value

    def count(self, name: str, **counts: int) -> None:
        """Add to the funnel of a variable: read, missing, outside_range, flagged, kept."""
        funnel = self._counts.setdefault(name, {})
        for reason, number in counts.items():
            funnel[reason] = funnel.get(reason, 0) + int(number)

    def source(
        self, *, name: str, bytes: int, sha256: str, producer: str, version: str, licence: str, **more: Any
    ) -> None:
        """Record an input file."""
        self._provenance[name] = {
            "name": name,
            "bytes": bytes,
            "sha256": sha256,
            "producer": producer,
            "version": version,
            "licence": licence,
            **more,
        }

    def finish(self) -> None:
        """Write the store's attributes; called by `new_cube`."""
        provenance = [self._provenance[name] for name in sorted(self._provenance)]
        identity = {
            "files": [(entry["name"], entry["sha256"]) for entry in provenance],
            "variables": sorted(self._names),
            "grid": dict(self._group.attrs)["vadose_grid"],
            "days": [str(self._days[0]), str(self._days[-1])],
        }
        self._group.attrs.update({
            "vadose_variables": self._names,
            "vadose_counts": self._counts,
            "vadose_provenance": provenance,
            "vadose_content_hash": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        })  # fmt: skip


@contextlib.contextmanager
def new_cube(path: Path, grid: Grid, index: npt.NDArray[np.integer], days: Days, *, title: str) -> Iterator[CubeWriter]:
    """Make a cube; it appears under `path` only when the block ends without an error.

    Parameters
    ----------
    path
        `cubes/<name>.zarr`; an existing cube is replaced.
    grid
        The window that the cells belong to.
    index
        Flat index in C order of each kept cell in the window, ascending.
    days
        UTC days, datetime64[D], consecutive.
    """
    days = np.asarray(days, "datetime64[D]")
    if days.size > 1 and not (np.diff(days).astype(int) == 1).all():
        raise ValueError("days of a cube must be consecutive")
    if (np.diff(index) <= 0).any():
        raise ValueError("the cell index of a cube must be ascending")
    with whole_directory(path) as part:
        group = zarr.create_group(str(part), zarr_format=3)
        rows, columns = grid.dims
        group.attrs.update({
            "Conventions": "CF-1.11",
            "title": title,
            "vadose_grid": dataclasses.asdict(grid),
        })  # fmt: skip
        since = (days - EPOCH).astype(float) + 0.5
        units = "days since 1970-01-01 00:00:00"
        _coordinate(group, "time", since, ("time",), standard_name="time", units=units, calendar="standard", axis="T")
        _coordinate(
            group,
            "cell",
            np.asarray(index, np.int64),
            ("cell",),
            compress=f"{rows} {columns}",
            long_name="land cells, gathered",
        )
        _coordinate(group, "lat", grid.lat, (rows,), standard_name="latitude", units="degrees_north")
        _coordinate(group, "lon", grid.lon, (columns,), standard_name="longitude", units="degrees_east")
        if grid.is_ease2:
            _coordinate(group, "y", grid.y, ("y",), standard_name="projection_y_coordinate", units="m", axis="Y")
            _coordinate(group, "x", grid.x, ("x",), standard_name="projection_x_coordinate", units="m", axis="X")
        crs = group.create_array("crs", shape=(), dtype="int32", dimension_names=())
        crs[...] = 0
        crs.attrs.update(
            {
                "grid_mapping_name": "lambert_cylindrical_equal_area" if grid.is_ease2 else "latitude_longitude",
                "epsg_code": f"EPSG:{grid.epsg}",
            }
        )
        writer = CubeWriter(group, days, index.size)
        yield writer
        writer.finish()
        with warnings.catch_warnings():
            # Consolidated metadata is not yet part of the Zarr v3 specification; readers that do not know it ignore it.
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(str(part))


def _coordinate(group: zarr.Group, name: str, values: npt.NDArray[Any], dims: Sequence[str], **attributes: Any) -> None:
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=tuple(dims))
    array[...] = values
    array.attrs.update(attributes)
