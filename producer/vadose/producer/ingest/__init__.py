"""Readers of native files, one module per provider: native files in, a cube out."""

from __future__ import annotations

from vadose.common import UsageError
from vadose.producer.ingest import conus412, era5, gldas, simulated, smap
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.card import Card, load_card
from vadose.producer.ingest.inputs import make_cube, recipe_orders
from vadose.producer.recipe import unknown_word

__all__ = ["INGESTERS", "Card", "Ingester", "Order", "Origin", "ingester", "load_card", "make_cube", "recipe_orders"]

INGESTERS: tuple[Ingester, ...] = (
    conus412.INGESTER,
    smap.INGESTER,
    gldas.INGESTER,
    era5.INGESTER,
    simulated.INGESTER,
    simulated.DAYFILES,
)


def ingester(name: str) -> Ingester:
    """The ingester called `name`; an unknown name is a `UsageError` with the nearest known one."""
    for known in INGESTERS:
        if known.name == name:
            return known
    raise UsageError(unknown_word(name, [known.name for known in INGESTERS], "reader"))
