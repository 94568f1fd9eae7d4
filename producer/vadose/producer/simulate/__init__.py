"""The simulated world: known truth, sensors with real gap patterns, stations, rivals."""

from vadose.producer.simulate.files import DEMO_PRODUCTS, write_world
from vadose.producer.simulate.observed import Observed
from vadose.producer.simulate.products import PRODUCTS, observe
from vadose.producer.simulate.settings import DEMO, FINE, WORLDS, Climate, Errors, MoistureError, Network, Settings
from vadose.producer.simulate.simulation import World
from vadose.producer.simulate.simulation import make_world as world
from vadose.producer.simulate.smap_native import write_smap

__all__ = [
    "DEMO",
    "DEMO_PRODUCTS",
    "FINE",
    "PRODUCTS",
    "WORLDS",
    "Climate",
    "Errors",
    "MoistureError",
    "Network",
    "Observed",
    "Settings",
    "World",
    "observe",
    "world",
    "write_smap",
    "write_world",
]
