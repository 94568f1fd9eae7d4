"""Filled against hidden values: a training under P6 hides observations and fills them; stations judge both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from vadose.common import InputError, Progress, UsageError
from vadose.validation import comparisons
from vadose.validation.comparisons import Pair
from vadose.validation.gates import Hidden
from vadose.validation.matching import Matched, match, read_cells
from vadose.validation.months import MONTHLY
from vadose.validation.network import Network
from vadose.validation.options import Options
from vadose.validation.placing import clusters
from vadose.validation.products import Product, open_product
from vadose.validation.references import Reference, trimmed
from vadose.validation.settings import Settings
from vadose.validation.suite import Suite

# Variables of the file: our filled value, the hidden observation, and DCT-PLS filling where it was made.
FILLED, HIDDEN, DCT = "filled", "hidden", "dct_pls"


def hidden_values(
    settings: Settings, suite: Suite, references: Sequence[Reference], progress: Progress
) -> Hidden | None:
    """Compare filled with hidden values at the first station reference, paired by day; None without the file."""
    if settings.hidden is None:
        return None
    if not references:
        raise InputError("filled values need stations to be judged", where=str(settings.hidden), next="add --stations")
    step = suite.product.step
    products = [_opened(name, settings, step) for name in (FILLED, HIDDEN)]
    try:
        products.append(_opened(DCT, settings, step))
    except InputError:
        progress.say(f"no variable {DCT} in {settings.hidden}: filling by DCT-PLS is not compared")
    read = {product.name: read_cells(product, references[:1], progress) for product in products}
    days = read[HIDDEN].series.days
    matched = match(trimmed(references[0], days[0], days[-1]), products, read=read, allow_day_mismatch=True)
    matched = _usable(matched, settings.options.allow_day_mismatch)
    network = Network(clusters(matched.reference, [suite.product]), (), seed=settings.options.seed)
    row = _ubrmsd(matched, 1, network, settings.options)
    return Hidden(
        stations=int(row["n"]), difference=float(row["difference"]), ci_low=float(row["ci_low"]),
        ci_high=float(row["ci_high"]),
        against_dct=str(_ubrmsd(matched, 2, network, settings.options)["outcome"]) if len(products) > 2 else "",
    )  # fmt: skip


def _opened(name: str, settings: Settings, step: str) -> Product:
    try:
        found = open_product(name, f"{settings.hidden}::{name}")
    except UsageError as error:
        raise InputError(f"no readable variable {name!r}: {error}", where=str(settings.hidden)) from error
    return replace(found, as_months=found.step != step and step == MONTHLY)


def _usable(matched: Matched, allow_day_mismatch: bool) -> Matched:
    """The same without frozen days, and without stations of another day convention unless they are allowed."""
    reference = matched.reference
    lost = np.broadcast_to((matched.mismatch & (not allow_day_mismatch))[:, None], reference.values.shape)
    if "frozen" in reference.daily:
        lost = lost | (reference.daily["frozen"] == 1)
    values = np.where(lost, np.float32(np.nan), reference.values)
    return replace(matched, reference=replace(reference, values=values))


def _ubrmsd(matched: Matched, other: int, network: Network, options: Options) -> pd.Series[Any]:
    """Ours, the filled values, minus another series, over all stations."""
    values = matched.values.astype(float)
    pair = Pair.of(values[0], values[other], matched.reference.values.astype(float))
    compared = comparisons.differences(pair, network)
    found = next(one for one in compared if (one.metric.name, one.signal) == ("ubrmsd", "raw"))
    stations = matched.reference.table["station_id"].to_numpy(str)
    names = {"ours": FILLED, "rival": matched.names[other], "reference": matched.reference.name, "subset": "common"}
    return comparisons.rows(found, network, stations, names, stations_too=False, options=options).iloc[0]
