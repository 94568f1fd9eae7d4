from datetime import date
from pathlib import Path

import pytest

from vadose.producer import simulate
from vadose.producer.simulate import Network, Settings, World

SMALL = Settings(
    name="small",
    box=(-44.0, 39.0, -40.0, 43.0),
    start=date(2016, 1, 1),
    end=date(2017, 6, 30),
    seed=7,
    spin_up_days=120,
    network=Network(stations=4, clusters=1, cluster_stations=3, cosmic_ray=1),
)


@pytest.fixture(scope="session")
def small_settings() -> Settings:
    return SMALL


@pytest.fixture(scope="session")
def small_world() -> World:
    return simulate.world(SMALL)


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short world written with all products, for reading only."""
    folder = tmp_path_factory.mktemp("worlds") / "short"
    simulate.write_world(SMALL.model_copy(update={"name": "short", "end": date(2016, 3, 31)}), folder)
    return folder
