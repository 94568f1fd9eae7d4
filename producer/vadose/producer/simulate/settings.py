"""What decides a simulated world: region, days, seed, climate, error sizes, stations."""

from __future__ import annotations

from datetime import date

import pydantic

from vadose.producer import grids


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Climate(_Strict):
    """Climate of the middle of the box; gradients across it are added to these."""

    wet_day_fraction: float = pydantic.Field(default=0.30, gt=0.01, lt=0.8)
    wet_day_amount_mm: float = pydantic.Field(default=7.5, gt=0.5, lt=40.0)
    storm_length_km: float = pydantic.Field(default=220.0, gt=10.0)
    shower_length_km: float = pydantic.Field(default=55.0, gt=5.0)
    warmer_by_k: float = 0.0


class MoistureError(_Strict):
    """Linear error model of a soil-moisture product: gain x truth + offset + random error.

    `bias` is the standard deviation of the offset between cells, `std` that of the random error,
    `memory_days` its e-folding time (0 is white), all in m3 m-3 and days.
    """

    gain: float = 1.0
    offset: float = 0.0
    bias: float = pydantic.Field(default=0.0, ge=0.0)
    std: float = pydantic.Field(default=0.03, ge=0.0)
    memory_days: float = pydantic.Field(default=0.0, ge=0.0)


class Errors(_Strict):
    """Error sizes of the observed products; `rho` is the error correlation of the two land models."""

    rho: float = pydantic.Field(default=0.6, ge=-0.95, le=0.95)
    radiometer: MoistureError = MoistureError(gain=0.95, offset=0.0, bias=0.015, std=0.018)
    scatterometer: MoistureError = MoistureError(gain=0.9, offset=0.02, bias=0.02, std=0.045, memory_days=2.0)
    merged: MoistureError = MoistureError(gain=0.85, offset=0.02, bias=0.01, std=0.032, memory_days=1.5)
    land_model_a: MoistureError = MoistureError(gain=0.75, offset=0.07, bias=0.02, std=0.036, memory_days=4.0)
    land_model_b: MoistureError = MoistureError(gain=0.9, offset=0.04, bias=0.03, std=0.044, memory_days=4.0)
    precipitation: float = pydantic.Field(
        default=0.35, ge=0.0, description="standard deviation of the log error of wet days"
    )
    precipitation_missed: float = pydantic.Field(
        default=0.08, ge=0.0, le=0.5, description="share of light wet days not seen"
    )
    temperature_k: float = pydantic.Field(default=0.8, ge=0.0)
    surface_temperature_k: float = pydantic.Field(default=1.2, ge=0.0)
    index: float = pydantic.Field(default=0.02, ge=0.0, description="noise of vegetation indices")
    albedo: float = pydantic.Field(default=0.008, ge=0.0)


class Network(_Strict):
    """In-situ sensors: scattered stations, dense clusters (core sites), cosmic-ray probes."""

    stations: int = pydantic.Field(default=22, ge=0, le=400)
    clusters: int = pydantic.Field(default=2, ge=0, le=20)
    cluster_stations: int = pydantic.Field(default=8, ge=2, le=40)
    cosmic_ray: int = pydantic.Field(default=2, ge=0, le=40)
    noise: float = pydantic.Field(default=0.006, ge=0.0)
    representativeness: float = pydantic.Field(
        default=0.045, ge=0.0, description="point against cell, varying in time, m3 m-3"
    )
    offset: float = pydantic.Field(default=0.045, ge=0.0, description="point against cell, constant, m3 m-3")
    drift_per_year: float = pydantic.Field(default=0.004, ge=0.0)
    spikes_per_year: float = pydantic.Field(default=12.0, ge=0.0)
    outages_per_year: float = pydantic.Field(default=2.0, ge=0.0)


class Settings(_Strict):
    """Everything that decides a simulated world; equal settings give equal bytes.

    Parameters
    ----------
    name
        Name of the world and of its folder.
    box
        West, south, east, north in degrees.
    token
        Grid of the land surface, `0P25DEG` or `EASE2M36` and the like.
    start, end
        First and last UTC day, both included.
    land_share
        Share of the box above the sea.
    """

    name: str = pydantic.Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    box: tuple[float, float, float, float]
    token: str = "0P25DEG"  # noqa: S105 - a grid, no password
    start: date
    end: date
    seed: int = pydantic.Field(default=0, ge=0)
    spin_up_days: int = pydantic.Field(default=365, ge=0, le=3660)
    land_share: float = pydantic.Field(default=0.87, gt=0.05, le=1.0)
    climate: Climate = Climate()
    errors: Errors = Errors()
    network: Network = Network()

    @pydantic.model_validator(mode="after")
    def _possible(self) -> Settings:
        west, south, east, north = self.box
        if not (-180.0 <= west < east <= 180.0 and -85.0 <= south < north <= 85.0):
            raise ValueError(f"box must be west < east within ±180 and south < north within ±85, got {self.box}")
        if self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        grids.global_shape(self.token)
        return self

    @property
    def grid(self) -> grids.Grid:
        """The window of the global grid that covers the box."""
        return grids.box(self.token, *self.box)


# An invented land in the middle of the North Atlantic, where no real value can be mistaken for it.
DEMO = Settings(name="demo", box=(-46.0, 36.0, -34.0, 48.0), start=date(2015, 4, 1), end=date(2020, 12, 31), seed=412)

# Four degrees of the same land at 0.05 degrees, 6,400 cells.
FINE = Settings(
    name="fine",
    box=(-42.0, 40.0, -38.0, 44.0),
    token="0P05DEG",  # noqa: S106
    start=date(2015, 4, 1),
    end=date(2017, 9, 30),
    seed=412,
)
WORLDS = {known.name: known for known in (DEMO, FINE)}
