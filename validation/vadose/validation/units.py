"""Units of soil moisture: the declared rules that bring a product to m3 m-3, and nothing guessed."""

from __future__ import annotations

from typing import Any

import numpy as np

from vadose.common import InputError

FRACTION_UNITS = frozenset(
    ("m3 m-3", "m3/m3", "m^3 m^-3", "m^3/m^3", "m**3 m**-3", "m**3/m**3", "m3.m-3", "cm3 cm-3", "cm3/cm3",
     "cm**3/cm**3", "cm^3/cm^3", "1")
)  # fmt: skip
PERCENT_UNITS = frozenset(("percent", "%"))
WATER_UNITS = frozenset(("kg m-2", "kg/m2", "kg/m^2", "kg m**-2", "kg m^-2", "mm"))
WATER_KG_PER_M3 = 1000.0
_TIME_UNITS = {"days": 1.0, "hours": 24.0, "minutes": 1440.0, "seconds": 86400.0}


def to_fraction(
    own: str, stated: str | None, layer: tuple[float, float], where: str, *, of_saturation: bool = False
) -> tuple[float, tuple[str, ...]]:
    """Factor from stored units to m3 m-3, and what a card states otherwise than the file.

    Parameters
    ----------
    own, stated
        Units of the file, and those of a card, which win.
    layer
        Upper and lower bound in m; layer water in kg m-2 needs both.
    where
        File and variable, for messages.
    of_saturation
        Whether a percentage is one of saturation, which no factor turns into a volume fraction.

    Raises
    ------
    InputError
        If no declared rule applies.
    """
    own = own.strip()
    declared = stated or own
    differs = (f"units: file {own!r}, card {declared!r}",) if own and own != declared else ()
    if declared in FRACTION_UNITS:
        return 1.0, differs
    if declared in PERCENT_UNITS and not of_saturation:
        return 0.01, differs
    thickness = layer[1] - layer[0]
    if declared in WATER_UNITS and np.isfinite(thickness) and thickness > 0:
        return 1.0 / (WATER_KG_PER_M3 * thickness), differs
    raise InputError(
        f"units {declared!r} cannot be converted to 'm3 m-3'", where=where, why=_reason(declared),
        next="state units (and layer_m) in a product card",
    )  # fmt: skip


def _reason(declared: str) -> str:
    if declared in WATER_UNITS:
        return "layer water in kg m-2 needs the bounds of its layer"
    if declared in PERCENT_UNITS:
        return "percent of saturation needs porosity"
    return "no declared rule"


def contradiction(values: Any, low: float = -0.05, high: float = 1.0) -> str:
    """Why values contradict m3 m-3, "" if they do not: more than half of them lie outside `low`..`high`."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return ""
    outside = float(((finite < low) | (finite > high)).mean())
    if outside <= 0.5:
        return ""
    return f"{outside:.0%} of them lie outside 0..1 m3 m-3, median {np.median(finite):g}"


def steps_in_a_day(units: str) -> float:
    """Units of a time coordinate, such as `hours since 1970-01-01`, in a day; NaN for units that are not known."""
    return _TIME_UNITS.get(units.partition(" since ")[0].strip().lower().rstrip("s") + "s", np.nan)
