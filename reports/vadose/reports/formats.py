"""How each metric is shown: label, unit, number of decimals, sign. One table for every page."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

# The key of scores.parquet, in its order.
KEY = (
    "product", "version", "method", "seed", "fold", "reference", "stratum_kind", "stratum",
    "subset", "split", "signal", "scaling", "aggregate", "metric",
)  # fmt: skip

VOLUME = "m³ m⁻³"
_EXPONENT = re.compile(r"(?<=[A-Za-z])(-?[0-9]+)\b")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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
    "interval_score": Display("interval score at 90 %", VOLUME, 4),
    "spread_skill_slope": Display("slope of error on spread", "1", 2),
    "spread_skill_r": Display("R of error and spread", "1", 2),
    "tc_error": Display("error standard deviation", VOLUME, 4),
    "tc_r2": Display("R² with the truth", "1", 3),
    "tc_snr": Display("signal to noise", "dB", 1),
    "budget_bias2": Display("bias²", "m⁶ m⁻⁶", 6),
    "budget_gain2": Display("gain²", "m⁶ m⁻⁶", 6),
    "budget_product2": Display("product error²", "m⁶ m⁻⁶", 6),
    "budget_reference2": Display("station and scale error²", "m⁶ m⁻⁶", 6),
    "bias2": Display("bias²", "m⁶ m⁻⁶", 6),
    "gain2": Display("gain²", "m⁶ m⁻⁶", 6),
    "product2": Display("product error²", "m⁶ m⁻⁶", 6),
    "reference2": Display("station and scale error²", "m⁶ m⁻⁶", 6),
    "spatial_r": Display("spatial R", "1", 3),
    "spatial_ubrmsd": Display("spatial ubRMSD", VOLUME, 4),
    "spatial_bias": Display("spatial bias", VOLUME, 4, signed=True),
    "trend": Display("slope of the difference", f"{VOLUME} per decade", 4, signed=True),
    "trend_ubrmsd": Display("slope of yearly ubRMSD", f"{VOLUME} per decade", 4, signed=True),
    "trend_r": Display("slope of yearly R", "per decade", 3, signed=True),
    "detectable": Display("told from zero", f"{VOLUME} per decade", 4),
    "detectable_drift": Display("called drifting", f"{VOLUME} per decade", 4),
    "difference": Display("difference", VOLUME, 4, signed=True),
    "drydown_log_ratio": Display("log ratio of dry-down times", "1", 2, signed=True),
    "wetup_hit_rate": Display("wet-ups hit", "1", 2),
    "wetup_false_alarm_ratio": Display("false wet-ups", "1", 2),
    "wetup_lag_days": Display("wet-ups late by", "days", 1, signed=True),
    "rise_with_rain": Display("wet days on which it rises", "1", 2),
    "fall_without_rain": Display("dry days on which it falls", "1", 2),
    "pod": Display("found", "1", 2),
    "far": Display("false", "1", 2),
    "csi": Display("CSI", "1", 2),
    "sedi": Display("SEDI", "1", 2),
    "lag_days": Display("late by", "days", 2, signed=True),
    "std_below_coarse_cell": Display("standard deviation below the coarse cell", VOLUME, 4),
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
METRICS |= {
    f"drought_{percentile}_{name}": Display(f"{label}, below the {percentile}th percentile", "1", 2)
    for percentile in (20, 10, 5)
    for name, label in (("pod", "droughts found"), ("far", "false droughts"), ("csi", "CSI"), ("sedi", "SEDI"))
}
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
    "negative_covariance": "negative covariance",
    "weak_correlation": "correlation too weak",
    "negative_error_variance": "negative error variance",
    "r2_out_of_range": "R² out of range",
    "dependent_errors": "errors not independent",
    "day_shift": "a shifted day is suspected",
}
# What stands beside a value of such a status.
MARKS: dict[str, str] = {
    "short": "approximate",
    "few_effective": "few independent days",
    "few_stations": "few places",
    "dependent_errors": "errors not independent",
    "day_shift": "a shifted day is suspected",
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


def sentence_start(label: str) -> str:
    """A label as the first word of a sentence; a name with capitals of its own, such as ubRMSD, stays."""
    return label[:1].upper() + label[1:] if label.partition(" ")[0].islower() else label


def unit_signs(unit: str) -> str:
    """A unit with true exponents: `m3 m-3` becomes `m³ m⁻³`."""
    return _EXPONENT.sub(lambda match: match[1].translate(_RAISED), unit)


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
