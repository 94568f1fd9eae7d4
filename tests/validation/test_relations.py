"""The audit between products, and between products and stations."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vadose.common import InputError
from vadose.validation.audit import ledger_of, station_labels, upstream_labels
from vadose.validation.cards import Card
from vadose.validation.geometry import Geometry, edges
from vadose.validation.relations import dependent_pairs, relation, relations


def card(product: str, **fields: Any) -> Card:
    return Card(product=product, producer="x", version="1", licence="free", variables={}, **fields)


SMAP = card("SMAP L3", sensors=("SMAP radiometer",), forcing=("GEOS-FP",))
SMOS = card("SMOS-IC", sensors=("SMOS radiometer",), forcing=("ECMWF IFS",))
ASCAT = card("ASCAT", sensors=("ASCAT",), forcing=())
CCI = card("ESA CCI combined", sensors=("ASCAT", "AMSR2"), contains=("SMAP L3", "ASCAT"))
ERA5 = card("ERA5-Land", model="HTESSEL", forcing=("ERA5",))
GLDAS = card("GLDAS", model="Noah", forcing=("Princeton", "GPCP"))
TWIN = card("other Noah", model="Noah 4", forcing=("ERA5",))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (SMAP, ASCAT, "independent"), (SMAP, SMOS, "shared_sensor"), (SMAP, CCI, "contains"), (ASCAT, CCI, "contains"),
        (ERA5, TWIN, "shared_forcing"), (ERA5, GLDAS, "independent"), (SMAP, card("bare"), "unknown"),
        (SMAP, None, "unknown"),
    ],
)  # fmt: skip
def test_two_cards_say_how_products_depend(one: Card, other: Card | None, kind: str) -> None:
    found = relation("one", one, "other", other)
    assert (found.one, found.other, found.kind) == ("one", "other", kind)
    assert relation("other", other, "one", one).kind == kind


def test_an_upstream_product_is_seen_through_another() -> None:
    ours = card("ours", model="lstm", contains=("SMAP L3",), forcing=("SMAP L3", "IMERG"))
    found = {frozenset((one.one, one.other)): one for one in relations({"ours": ours, "smap": SMAP, "smos": SMOS})}
    assert found[frozenset(("ours", "smap"))].kind == "contains"
    # Ours was taught by one L-band radiometer, the rival is another.
    assert found[frozenset(("ours", "smos"))].kind == "shared_sensor"


def test_stations_are_independent_of_every_product_and_unknown_counts_as_dependent() -> None:
    known = relations({"a": SMAP, "b": ASCAT, "c": None})
    assert dependent_pairs(["a", "b", "in situ"], known) == []
    assert dependent_pairs(["a", "c", "in situ"], known) == [(0, 1)]
    assert dependent_pairs(["a", "nobody", "in situ"], known) == [(0, 1)]
    assert len(list(combinations("abc", 2))) == len(known)


def table() -> pd.DataFrame:
    return pd.DataFrame({
        "station_id": ["SCAN/Silver_Sword/0.0500-0.0500/Hydra", "USCRN/Manhattan/0.05/x", "COSMOS/Far/0/p", "X/near/0"],
        "network": ["SCAN", "USCRN", "COSMOS", "X"], "station_name": ["Silver_Sword", "Manhattan", "Far", "near"],
        "lat": [19.765, 39.10, 0.0, 39.30], "lon": [-155.42, -96.61, 0.0, -96.70],
    })  # fmt: skip


def ledger(*stations: Any) -> Any:
    return ledger_of(
        {"ledger": {"split": "P4", "grid": "0P25DEG", "cells": {}, "days": {}, "stations": {"fit": stations}}}, "m"
    )  # type: ignore[arg-type]


def test_stations_are_found_by_id_by_network_alias_and_by_place() -> None:
    assert station_labels(ledger("SCAN/Silver_Sword/0.0500-0.0500/Hydra"), table()).tolist()[0] == "station_seen"
    assert station_labels(ledger("scan/SilverSword"), table()).tolist()[0] == "station_seen"
    found = station_labels(ledger({"lat": 39.1003, "lon": -96.6101}), table()).tolist()
    assert found == ["independent", "station_seen", "independent", "independent"]


def test_a_station_in_the_cell_of_a_used_one_is_cell_seen() -> None:
    lat, lon = np.arange(45.25, 30, -0.5), np.arange(-100.25, -90, 0.5)
    grid = Geometry(lat, lon, edges(lat), edges(lon))
    found = station_labels(ledger("USCRN/Manhattan"), table(), grid).tolist()
    assert found == ["independent", "station_seen", "independent", "cell_seen"]


def test_stations_of_a_rivals_training_are_upstream_seen() -> None:
    rival = card("rival", training_stations=("COSMOS/Far", {"lat": 39.10, "lon": -96.61}))
    assert upstream_labels(rival, table()).tolist() == ["independent", "upstream_seen", "upstream_seen", "independent"]
    assert set(upstream_labels(card("rival"), table())) == {"unknown"}


@pytest.mark.parametrize("model", [{}, {"ledger": {"split": "P4"}}, {"ledger": []}])
def test_a_model_without_a_readable_ledger_is_named(model: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"no ledger in the model.*m\.json"):
        ledger_of(model, "m.json")  # type: ignore[arg-type]
