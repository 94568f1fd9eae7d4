"""The periods of a product, days or months, each named by its first UTC day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.common import UsageError
from vadose.producer.recipe import Product, Recipe

Days = npt.NDArray[np.datetime64]
Step = Literal["daily", "monthly"]

UNIT = {"daily": "D", "monthly": "M"}
# Where the settings of a method say that it predicts months: the key, and whether it does without one.
NATIVE: dict[str, tuple[str, bool]] = {"downscale": ("step", True), "tcmerge": ("aggregation", False)}


def period_of(days: Days, step: Step) -> Days:
    """First day of the period of each day, datetime64[D]."""
    return np.asarray(days, f"datetime64[{UNIT[step]}]").astype("datetime64[D]")


def period_end(first: np.datetime64, step: Step) -> np.datetime64:
    """First day after the period that begins on `first`."""
    start = np.asarray(first, f"datetime64[{UNIT[step]}]")
    return np.datetime64((start + 1).astype("datetime64[D]").item(), "D")


def period_number(first: np.datetime64, step: Step) -> int:
    """Count of periods since 1970."""
    return int(np.asarray(first, f"datetime64[{UNIT[step]}]").astype(np.int64))


def product_periods(product: Product) -> Days:
    """First days of all periods of the product's record; a record that cuts a month is a `UsageError`."""
    days = np.arange(str(product.days[0]), str(product.days[1] + timedelta(days=1)), dtype="datetime64[D]")
    first = np.unique(period_of(days, product.step))
    if first[0] != days[0] or period_end(first[-1], product.step) != days[-1] + 1:
        raise UsageError(
            f"product.days {days[0]}..{days[-1]} cut a month", next="let them begin and end with a whole month"
        )
    return first


def as_date(first: np.datetime64) -> date:
    """A day as a date of Python."""
    return date.fromisoformat(str(np.asarray(first, "datetime64[D]")))


def is_mean(product: Product) -> bool:
    """Whether a value is a mean over the period, and not one moment of it."""
    return product.step == "monthly" or product.day != "solar06"


def is_native_monthly(recipe: Recipe) -> bool:
    """Whether the method predicts months; else a monthly product is the mean of daily predictions."""
    if recipe.product.step != "monthly" or recipe.method.name not in NATIVE:
        return False
    key, default = NATIVE[recipe.method.name]
    return bool(recipe.method.settings[key] == "monthly") if key in recipe.method.settings else default
