"""Writes granules: a header made once by netCDF4, then chunks by zlib-ng and HDF5, or by netCDF4 itself."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import numpy.typing as npt
from zlib_ng import zlib_ng

from vadose.common import InputError, whole_file
from vadose.producer.granules.flags import OUTSIDE_DOMAIN, WITHOUT_VALUE
from vadose.producer.granules.header import (
    DEFLATE_LEVEL,
    FILL,
    Header,
    Identity,
    VariableHeader,
    field_names,
    granule_header,
    granule_name,
    period_attributes,
    period_values,
)
from vadose.producer.granules.periods import product_periods
from vadose.producer.granules.rounding import KEPT_BITS, bitround
from vadose.producer.recipe import Recipe

Floats = npt.NDArray[np.float32]

# Noise beyond the kept bits leaves nothing to find but runs of equal bytes: with runs alone zlib-ng is three times as
# fast as libdeflate at equal size, and without a table of hashes its stream depends on the data alone, which that of
# ISA-L does not (levels 1 and 2).
ZLIB_LEVEL, WINDOW_BITS, MEMORY_LEVEL = 1, 15, 9
IMAGE_GROWTH_BYTES = 1 << 18


@dataclass(frozen=True)
class Cells:
    """The values of one day or month in the gathered cells of a window; every other cell is outside the domain.

    Attributes
    ----------
    index
        Flat index in C order of each cell in the window, ascending, (cell,).
    sm, sm_uncertainty
        m3 m-3, (cell,); NaN where there is no value.
    flag
        Bit field, (cell,), int16. A value is missing exactly where bit 1, 2 or 256 is set.
    number_of_observations
        Months only: days, (cell,), int16.
    """

    index: npt.NDArray[np.int64]
    sm: Floats
    sm_uncertainty: Floats
    flag: npt.NDArray[np.int16]
    number_of_observations: npt.NDArray[np.int16] | None = None

    def __post_init__(self) -> None:
        missing = (self.flag & WITHOUT_VALUE) != 0
        for name in ("sm", "sm_uncertainty"):
            wrong = np.isfinite(getattr(self, name)) == missing
            if wrong.any():
                raise ValueError(
                    f"{name} must be missing exactly where the flag says; {int(wrong.sum())} cells are not"
                )

    def strip(self, first_row: int, last_row: int, columns: int) -> dict[str, npt.NDArray[Any]]:
        """The stored fields of the rows `first_row:last_row`, each (rows, columns), rounded and filled."""
        low, high = np.searchsorted(self.index, [first_row * columns, last_row * columns])
        place = self.index[low:high] - first_row * columns
        size = (last_row - first_row) * columns
        flag = np.full(size, OUTSIDE_DOMAIN, np.int16)
        flag[place] = self.flag[low:high]
        fields: dict[str, npt.NDArray[Any]] = {"flag": flag.reshape(-1, columns)}
        for name, kept in KEPT_BITS.items():
            values = bitround(getattr(self, name)[low:high], kept)
            field = np.full(size, FILL, np.float32)
            field[place] = np.where(np.isnan(values), FILL, values)
            fields[name] = field.reshape(-1, columns)
        if self.number_of_observations is not None:
            number = np.zeros(size, np.int16)
            number[place] = self.number_of_observations[low:high]
            fields["number_of_observations"] = number.reshape(-1, columns)
        return fields


class GranuleWriter:
    """Writes the granules of one recipe, model and set of inputs, one a day or month.

    The header is made once; what differs between periods has the same length everywhere, so that a granule is the
    same header with `PER_PERIOD`, time and fields put in.
    """

    def __init__(self, recipe: Recipe, identity: Identity, threads: int = 1) -> None:
        self.recipe = recipe
        self.identity = identity
        self.grid = recipe.product.grid.grid()
        self.fields = field_names(recipe.product)
        self._threads = threads
        self._template = template(granule_header(recipe, identity, product_periods(recipe.product)[0]))

    def write(self, folder: Path, day: np.datetime64, cells: Cells) -> Path:
        """Write the granule that begins on `day` to its place in the version folder; it appears whole or not at all."""
        target = folder / granule_name(self.recipe.product, day).path
        with whole_file(target) as part:
            if self.recipe.build.writer == "zlib-ng":
                part.write_bytes(self.image(day, cells))
            else:
                part.write_bytes(self._template)
                self._append_netcdf4(part, day, cells)
        return target

    def image(self, day: np.datetime64, cells: Cells) -> bytes:
        """The bytes of a granule by the writer `zlib-ng`: HDF5 in memory, which holds compressed chunks only."""
        # HDF5 takes two images of one name for the same file: each day in flight has its own.
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_fapl_core(IMAGE_GROWTH_BYTES, False)
        access.set_file_image(self._template)
        file = h5py.h5f.open(str(day).encode(), h5py.h5f.ACC_RDWR, fapl=access)
        try:
            for name, text in period_attributes(self.recipe.product, day).items():
                # netCDF-C stores text without a closing zero byte; any other memory type would cut the last character.
                attribute = h5py.h5a.open(file, name.encode())
                attribute.write(np.array(text.encode("ascii")), mtype=attribute.get_type())
            for name, values in period_values(self.recipe.product, day).items():
                h5py.h5d.open(file, name.encode()).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
            sets = {name: h5py.h5d.open(file, name.encode()) for name in self.fields}
            for offset, name, data in self._chunks(cells):
                sets[name].write_direct_chunk((0, *offset), data, 0)
            del sets
            h5py.h5f.flush(file)
            return bytes(file.get_file_image())
        finally:
            file.close()

    def _strips(self, cells: Cells) -> Iterator[tuple[int, dict[str, npt.NDArray[Any]]]]:
        rows, columns = self.grid.shape
        for first in range(0, rows, self.grid.chunk[0]):
            yield first, cells.strip(first, min(first + self.grid.chunk[0], rows), columns)

    def _chunks(self, cells: Cells) -> Iterator[tuple[tuple[int, int], str, bytes]]:
        chunk = self.grid.chunk
        columns = range(0, self.grid.shape[1], chunk[1])

        def packed(key: tuple[str, int, dict[str, npt.NDArray[Any]]]) -> bytes:
            name, column, fields = key
            return deflate(padded(fields[name][:, column : column + chunk[1]], chunk))

        if self._threads == 1:
            for first, fields in self._strips(cells):
                for name in self.fields:
                    for column in columns:
                        yield (first, column), name, packed((name, column, fields))
            return
        with ThreadPoolExecutor(self._threads) as pool:
            for first, fields in self._strips(cells):
                keys = [(name, column, fields) for name in self.fields for column in columns]
                for (name, column, _), data in zip(keys, pool.map(packed, keys), strict=True):
                    yield (first, column), name, data

    def _append_netcdf4(self, part: Path, day: np.datetime64, cells: Cells) -> None:
        with netcdf_errors(part), netCDF4.Dataset(part, "r+") as file:
            file.set_auto_mask(False)
            for name, text in period_attributes(self.recipe.product, day).items():
                file.setncattr(name, text)
            for name, values in period_values(self.recipe.product, day).items():
                file[name][:] = values
            for first, fields in self._strips(cells):
                for name in self.fields:
                    file[name][0, first : first + fields[name].shape[0]] = fields[name]


def padded(values: npt.NDArray[Any], chunk: Sequence[int]) -> npt.NDArray[Any]:
    """A whole chunk; cells beyond the grid's edge are zero and never read."""
    if values.shape == tuple(chunk):
        return values
    whole = np.zeros(chunk, values.dtype)
    whole[: values.shape[0], : values.shape[1]] = values
    return whole


def deflate(chunk: npt.NDArray[Any]) -> bytes:
    """Bytes shuffled as HDF5 does, then a zlib stream by zlib-ng."""
    little = np.ascontiguousarray(chunk, chunk.dtype.newbyteorder("<"))
    planes = little.view(np.uint8).reshape(-1, little.dtype.itemsize)
    packer = zlib_ng.compressobj(ZLIB_LEVEL, zlib_ng.DEFLATED, WINDOW_BITS, MEMORY_LEVEL, zlib_ng.Z_RLE)
    packed: bytes = packer.compress(planes.T.tobytes())
    return packed + packer.flush()


def template(header: Header) -> bytes:
    """A file of the header alone, as bytes: netCDF-4 classic model, fields without a written chunk.

    The first granule's own values stand in the per-day attributes and in time.
    """
    # Files that netCDF-C makes in memory lack the order of creation and cannot be opened for appending.
    with tempfile.TemporaryDirectory() as folder, netcdf_errors(Path(folder)):
        path = Path(folder, "template.nc")
        with netCDF4.Dataset(path, "w", format="NETCDF4_CLASSIC") as file:
            for name, size in header.dims.items():
                file.createDimension(name, size)
            for variable in header.variables:
                define(file, variable)
            file.setncatts(dict(header.attributes))
            for variable in header.variables:
                if variable.values is not None:
                    file[variable.name][...] = variable.values
        # netCDF4 gives the fields a time only when a value is written.
        with h5py.File(path, "r+") as hdf:
            for variable in header.variables:
                if variable.values is None:
                    hdf[variable.name].id.set_extent(tuple(header.dims[dim] or 1 for dim in variable.dims))
        return path.read_bytes()


@contextlib.contextmanager
def netcdf_errors(path: Path) -> Iterator[None]:
    """Turn netCDF-C's way of saying that a file cannot be written into an `InputError`."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(
            f"cannot write: {error}", where=str(path), next="free space and run the same command again"
        ) from error


def define(file: netCDF4.Dataset, variable: VariableHeader) -> None:
    """Make a variable with its attributes and storage."""
    attributes = dict(variable.attributes)
    options: dict[str, Any] = {}
    if variable.deflated:
        options = {"compression": "zlib", "complevel": DEFLATE_LEVEL, "shuffle": True}
    made = file.createVariable(
        variable.name, variable.dtype, variable.dims, fill_value=attributes.pop("_FillValue", None),
        chunksizes=variable.chunk, contiguous=variable.chunk is None and bool(variable.dims), **options,
    )  # fmt: skip
    made.set_auto_mask(False)
    made.setncatts(attributes)
