"""How each metric is shown: label, unit, number of decimals, sign. One table for every page."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

# The key of scores.parquet, in its order.
KEY = (
    "product", "version", "method", "seed", "fold", "reference", "stratum_kind", "stratum",
    "subset", "split", "signal", "scaling", "aggregate", "metric",
)  # fmt: skip

VOLUME = "m³ m⁻³"


@dataclass(frozen=True)
class Display:
    """How the values of one metric are written."""

    label: str
    unit: str
    decimals: int
    signed: bool = False


METRICS: dict[str, Display] = {
    "bias": Display("bias", VOLUME, 4, signed=True),
    "mae": Display("MAE", VOLUME, 4),
    "rmse": Display("RMSE", VOLUME, 4),
    "ubrmsd": Display("ubRMSD", VOLUME, 4),
    "ubrmsd_corrected": Display("ubRMSD, corrected", VOLUME, 4),
    "nrmsd": Display("NRMSD", "1", 3),
    "mse": Display("MSE", "m⁶ m⁻⁶", 6),
    "mse_bias": Display("MSE, bias part", "m⁶ m⁻⁶", 6),
    "mse_variance": Display("MSE, variance part", "m⁶ m⁻⁶", 6),
    "mse_correlation": Display("MSE, correlation part", "m⁶ m⁻⁶", 6),
    "r": Display("R", "1", 3),
    "rho": Display("Spearman ρ", "1", 3),
    "tau": Display("Kendall τ", "1", 3),
    "r2_explained": Display("explained variance", "1", 3),
    "kge": Display("KGE", "1", 3),
    "slope": Display("slope", "1", 3),
    "intercept": Display("intercept", VOLUME, 4, signed=True),
    "std_ratio": Display("ratio of standard deviations", "1", 3),
    "memory_ratio": Display("ratio of memory", "1", 2),
    "coverage_50": Display("50 % interval covers", "1", 3),
    "coverage_80": Display("80 % interval covers", "1", 3),
    "coverage_90": Display("90 % interval covers", "1", 3),
    "coverage_95": Display("95 % interval covers", "1", 3),
    "crps": Display("CRPS", VOLUME, 4),
    "interval_width": Display("mean width of the 90 % interval", VOLUME, 4),
}
SIGNALS: dict[str, str] = {
    "raw": "",
    "anomaly_35d": "anomaly, 35 days",
    "anomaly_climatology": "anomaly, climatology",
}
OUTCOMES: dict[str, str] = {
    "better": "▲ better",
    "worse": "▼ worse",
    "equal": "= equal",
    "undecided": "· undecided",
}
NOT_TESTED = "– not tested"
STATUS: dict[str, str] = {
    "few_samples": "too few days",
    "few_stations": "too few stations",
    "few_years": "too few years",
    "few_effective": "too few independent days for an interval",
    "constant_series": "constant series",
    "not_applicable": "not applicable",
    "anticorrelated": "anticorrelated",
    "no_overlap": "no common days",
    "no_cell": "no cell",
    "no_reference": "no reference",
    "day_mismatch": "days differ",
    "scaling_failed": "scaling failed",
    "unreadable": "unreadable",
    "failed": "failed",
}


def display(metric: str) -> Display:
    """How `metric` is shown; an unknown metric keeps its id and gets four decimals."""
    return METRICS.get(metric, Display(metric, "", 4))


def metric_label(metric: str, signal: str = "raw") -> str:
    """The name of a metric on pages: `ubRMSD`, `anomaly R (35 days)`."""
    label = display(metric).label
    if signal in ("", "raw"):
        return label
    kind = SIGNALS.get(signal, signal).removeprefix("anomaly, ")
    return f"anomaly {label} ({kind})"


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with fixed decimals and a true minus sign; zero carries no sign."""
    text = f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"
    if float(text) == 0.0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def score_text(metric: str, value: float) -> str:
    """A score as it stands on every page."""
    how = display(metric)
    return number(value, how.decimals, signed=how.signed)


def interval_text(metric: str, low: float | None, high: float | None) -> str:
    """An interval in brackets, empty where there is none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{score_text(metric, low)}, {score_text(metric, high)}]"


def percent(share: float | None) -> str:
    """A share as per cent with one decimal."""
    return "not known" if share is None or not math.isfinite(share) else f"{100 * share:.1f} %"


def count(value: float | None) -> str:
    """A whole number with thin blanks between thousands."""
    return "0" if value is None or not math.isfinite(value) else f"{int(value):,}".replace(",", "\u202f")


def size(number_of_bytes: int) -> str:
    """A file size in decimal units."""
    value = float(number_of_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def status_text(status: str, n: float | None) -> str:
    """Why a score has no value, in words: never empty, never 0."""
    words = STATUS.get(status, status or "no value")
    return f"{words} ({count(n)})" if status.startswith("few_") and n is not None and math.isfinite(n) else words


def row_id(row: Mapping[str, object]) -> str:
    """Twelve hexadecimal digits that name one row of scores.parquet: a hash of its key columns."""
    key = json.dumps([str(row[name]) for name in KEY], ensure_ascii=False)
    return hashlib.sha256(key.encode()).hexdigest()[:12]
