"""Writes all in-situ references of a world: the ISMN tree, cosmic-ray probes, core sites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from vadose.common import Progress, silent, write_text
from vadose.producer.simulate.cosmos import write_cosmos
from vadose.producer.simulate.ismn import write_ismn
from vadose.producer.simulate.observed import LICENCE, PRODUCER
from vadose.producer.simulate.sensors import Sensor, core_cell, place_sensors
from vadose.producer.simulate.simulation import World


def write_stations(world: World, folder: Path, progress: Progress = silent) -> None:
    """Write `ismn/`, `cosmos/` and `core_sites/` below `folder`."""
    sensors = place_sensors(world)
    write_ismn(world, sensors, folder / "ismn", progress)
    # Readers take series in ISMN files for not redistributable unless a card says otherwise.
    card = {"producer": PRODUCER, "licence": LICENCE, "passing_on": True}
    write_text(folder / "ismn" / "card.yaml", yaml.safe_dump(card, sort_keys=False))
    write_cosmos(world, folder / "cosmos", progress)
    for site in range(world.settings.network.clusters):
        members = [sensor for sensor in sensors if sensor.site == site]
        write_core_site(world, f"SIM{site + 1:02d}", members, folder / "core_sites")


def write_core_site(world: World, name: str, members: Sequence[Sensor], folder: Path) -> None:
    """Write `<name>.yaml`, the site, and `<name>_stations.csv`, its stations; the series are those of the ISMN tree."""
    token, row, column = core_cell(world, members[0].cell)
    weight = 1.0 / len(members)
    site = {
        "site": name,
        "name": f"Simulated core site {name}",
        "cell": {"token": token, "row": row, "column": column},
        "weighting": "arithmetic",
        "period": [str(world.days[0]), str(world.days[-1])],
        "depth_m": [members[0].depth_m[0], members[0].depth_m[1]],
        "contact": "contact@vadose.example.org",
        "producer": PRODUCER,
        "licence": LICENCE,
        "redistributable": True,
        "stations": [
            {"network": sensor.network, "station": sensor.station, "lat": sensor.lat, "lon": sensor.lon}
            for sensor in members
        ],
    }
    write_text(folder / f"{name}.yaml", yaml.safe_dump(site, sort_keys=False))
    header = "network,station,sensor,lat,lon,depth_from_m,depth_to_m,weight\n"
    rows = [
        f"{item.network},{item.station},{item.probe},{item.lat:.5f},{item.lon:.5f},{item.depth_m[0]:.2f},{item.depth_m[1]:.2f},{weight:.6f}\n"
        for item in members
    ]
    write_text(folder / f"{name}_stations.csv", header + "".join(rows))
