"""ERA5: the real files, and look-alikes of the new Climate Data Store."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from vadose.common import InputError, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.ingest import Order, era5
from vadose.producer.ingest.gridded import Placement

NOON = "ERA5_AN_20100101_1200.nc"
MIDNIGHT = "ERA5_AN_20100101_0000.nc"


def make_order(paths: list[Path], folder: Path, **more: object) -> Order:
    return Order(files=tuple(paths), cube=folder / "c.zarr", title="test", origin=era5.ORIGIN, **more)  # type: ignore[arg-type]


def ingest(paths: list[Path], folder: Path, **more: object) -> Cube:
    order = make_order(paths, folder, **more)
    era5.ingest(order, silent)
    return open_cube(order.cube)


def make_file(
    path: Path,
    *,
    time: str = "valid_time",
    east: bool = False,
    south_first: bool = False,
    hours: tuple[int, ...] = (0,),
    expver: bool = False,
    mask: bool = True,
) -> Path:
    """A look-alike of 1 degree; the value is made of latitude, longitude and hour, whatever the order."""
    lat, lon = np.arange(3.0, -4.0, -1.0), np.arange(-5.0, 6.0)
    values = 0.2 + lat[:, None] / 100 + lon[None, :] / 1000 + np.array(hours)[:, None, None] / 10_000
    land = np.broadcast_to((lon > -4).astype(float), (lat.size, lon.size))
    if east:
        order = np.argsort(lon % 360)
        lon, values, land = (lon % 360)[order], values[:, :, order], land[:, order]
    if south_first:
        lat, values, land = lat[::-1], values[:, ::-1], land[::-1]
    names = ("valid_time", "latitude", "longitude") if time == "valid_time" else ("time", "lat", "lon")
    with netCDF4.Dataset(path, "w") as dataset:
        for name, axis in zip(names, (np.array(hours), lat, lon), strict=True):
            dataset.createDimension(name, len(axis))
            dataset.createVariable(name, "f8", (name,))[:] = axis
        dataset[names[0]].units = "hours since 2024-06-01 00:00:00"
        dims = (names[0], "expver", *names[1:]) if expver else names
        if expver:
            dataset.createDimension("expver", 2)
            dataset.createVariable("expver", "i4", ("expver",))[:] = [1, 5]
            final, early = values.copy(), np.full_like(values, np.nan)
            final[-1], early[-1] = np.nan, values[-1]
            values = np.stack([final, early], axis=1)
        moisture = dataset.createVariable("swvl1", "f4", dims, fill_value=np.float32(np.nan))
        moisture.units = "m**3 m**-3"
        moisture[:] = values
        if mask:
            lsm = dataset.createVariable("lsm", "f4", names[1:])
            lsm.units = "(0 - 1)"
            lsm[:] = land
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Cube:
    return ingest([make_file(tmp_path / "plain.nc")], tmp_path / "plain")


def test_native_values_are_those_of_the_data_page(vadose_data: Path, tmp_path: Path) -> None:
    for name, negative, low, high, mean in (
        (MIDNIGHT, 292, -0.00900, 0.7625, 0.24365),
        (NOON, 368, -0.01509, 0.7609, 0.24371),
    ):
        source = era5.Era5Source(make_order([vadose_data / "era5" / name], tmp_path, names=("era5_sm",)))
        cells = np.arange(721 * 1440)
        values, funnel = source.read(np.datetime64("2010-01-01"), cells)["era5_sm"]
        assert funnel.kept == 351_848 == int(source.land(cells).sum())
        assert np.nanmean(values.astype(np.float64)) == pytest.approx(mean, abs=1e-5)
        assert (np.nanmin(values), np.nanmax(values)) == pytest.approx((low, high), abs=5e-5)
        with netCDF4.Dataset(vadose_data / "era5" / name) as dataset:
            sea = np.asarray(dataset["lsm"][:]) <= 0.5
            at_sea = int((np.asarray(dataset["swvl1"][:])[sea] < 0).sum())
        assert int((values < 0).sum()) + at_sea == negative


def test_quarter_degree_cells_are_means_of_their_four_nodes(vadose_data: Path, tmp_path: Path) -> None:
    cube = ingest([vadose_data / "era5" / NOON], tmp_path, names=("era5_sm",), box=(-10.0, 35.0, 30.0, 60.0))
    with netCDF4.Dataset(vadose_data / "era5" / NOON) as dataset:
        native = np.where(np.asarray(dataset["lsm"][:]) > 0.5, np.asarray(dataset["swvl1"][:]), np.nan)
    rows, columns = cube.grid.row0 + cube.index // cube.grid.shape[1], cube.grid.col0 + cube.index % cube.grid.shape[1]
    east = (columns + 720) % 1440
    corners = np.stack([native[rows + i, (east + j) % 1440] for i in (0, 1) for j in (0, 1)])
    inland = np.isfinite(corners).all(axis=0)
    ours = cube.read("era5_sm")[0]
    assert inland.sum() > 8_000
    # Nearly equal weights: the southern pair is larger by the cosine of a quarter degree of latitude.
    np.testing.assert_allclose(ours[inland], corners.mean(axis=0)[inland], atol=1e-3)
    assert np.abs((ours - corners.mean(axis=0))[inland]).mean() < 5e-5


def test_day_is_the_mean_of_its_hours(vadose_data: Path, tmp_path: Path) -> None:
    box = (-100.0, 30.0, -95.0, 35.0)
    day, midnight, noon = (
        ingest([vadose_data / "era5" / name], tmp_path / str(number), box=box).read("era5_sm")
        for number, name in enumerate((".", MIDNIGHT, NOON))
    )
    np.testing.assert_allclose(day, (midnight + noon) / 2, atol=1e-7)


def test_small_negatives_are_kept(vadose_data: Path, tmp_path: Path) -> None:
    cube = ingest([vadose_data / "era5" / NOON], tmp_path, names=("era5_sm",))
    assert cube.counts["era5_sm"]["outside_range"] == 0
    assert cube.read("era5_sm").min() < -0.002


@pytest.mark.parametrize("time", ["time", "valid_time"])
@pytest.mark.parametrize("east", [False, True])
@pytest.mark.parametrize("south_first", [False, True])
def test_every_convention_gives_the_same_cube(
    plain: Cube, tmp_path: Path, time: str, east: bool, south_first: bool
) -> None:
    cube = ingest([make_file(tmp_path / "x.nc", time=time, east=east, south_first=south_first)], tmp_path)
    assert cube.grid == plain.grid
    assert np.array_equal(cube.index, plain.index)
    np.testing.assert_allclose(cube.read("era5_sm"), plain.read("era5_sm"), rtol=1e-6)


def test_preliminary_values_fill_what_the_final_ones_lack(tmp_path: Path) -> None:
    hours = (0, 6, 12, 18)
    mixed = ingest([make_file(tmp_path / "m.nc", hours=hours, expver=True)], tmp_path / "m")
    final = ingest([make_file(tmp_path / "f.nc", hours=hours)], tmp_path / "f")
    np.testing.assert_allclose(mixed.read("era5_sm"), final.read("era5_sm"), rtol=1e-6)


def test_short_days_at_the_ends_are_left_out(tmp_path: Path) -> None:
    cube = ingest([make_file(tmp_path / "x.nc", hours=(12, 18, 24, 30, 36, 42, 48))], tmp_path)
    assert [str(day) for day in cube.days] == ["2024-06-02"]


def test_the_sea_needs_a_mask(tmp_path: Path) -> None:
    path = make_file(tmp_path / "x.nc", mask=False)
    with pytest.raises(InputError, match="no land-sea mask.*5e-6 at sea.*--mask"):
        ingest([path], tmp_path)
    with_mask = make_file(tmp_path / "mask.nc", east=True, south_first=True)
    masked = ingest([path], tmp_path / "a", options={"mask": str(with_mask)})
    whole = ingest([make_file(tmp_path / "y.nc")], tmp_path / "b")
    assert np.array_equal(masked.index, whole.index)


def test_the_mask_of_the_statics_fits(vadose_data: Path, tmp_path: Path) -> None:
    mask = vadose_data / "statics/era5_landmask_0.25.nc"
    order = make_order([vadose_data / "era5" / NOON], tmp_path, options={"mask": str(mask)}, names=("era5_sm",))
    assert int(era5.Era5Source(order).land(np.arange(721 * 1440)).sum()) == 244_450


@pytest.mark.parametrize(("times", "message"), [([0, 6, 6], "06:00 appears twice"), ([0, 12, 6], "06:00 stands after")])
def test_repeated_and_unsorted_times_are_named(tmp_path: Path, times: list[int], message: str) -> None:
    with netCDF4.Dataset(make_file(tmp_path / "x.nc", hours=(0, 6, 12)), "a") as dataset:
        dataset["valid_time"][:] = times
    with pytest.raises(InputError, match=rf"{message}.*x\.nc, variable valid_time"):
        ingest([tmp_path / "x.nc"], tmp_path)


def test_ensemble_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in {"time": 1, "number": 3, "latitude": 2, "longitude": 2}.items():
            dataset.createDimension(name, size)
        for name in ("time", "latitude", "longitude"):
            dataset.createVariable(name, "f8", (name,))[:] = np.arange(dataset.dimensions[name].size)
        dataset["time"].units = "hours since 2024-06-01"
        dataset.createVariable("swvl1", "f4", ("time", "number", "latitude", "longitude"))[:] = 0.2
    with pytest.raises(InputError, match="dimension 'number' has 3 elements"):
        ingest([path], tmp_path)


def test_a_truncated_file_is_refused(vadose_data: Path, tmp_path: Path) -> None:
    (tmp_path / NOON).write_bytes((vadose_data / "era5" / NOON).read_bytes()[:1_000_000])
    with pytest.raises(InputError, match=rf"cannot be read.*{NOON}"):
        ingest([tmp_path / NOON], tmp_path)


def test_weights_of_the_globe_cover_every_cell_once(vadose_data: Path, tmp_path: Path) -> None:
    source = era5.Era5Source(make_order([vadose_data / "era5" / NOON], tmp_path))
    assert source.grid is not None
    weights = Placement(source.lattice, source.grid).weights(smooth=False)
    shares = np.asarray(weights.sum(axis=1)).reshape(source.grid.shape)
    np.testing.assert_allclose(shares, np.broadcast_to(shares[:, :1], shares.shape), rtol=1e-9)
    assert (np.diff(weights.indptr) == 4).all()
