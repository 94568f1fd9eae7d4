"""The shared mathematics: sums, metrics, intervals, averages, anomalies, scaling. numpy only, no room imported.

Arrays have time as their last axis, one value a day, NaN where unmatched. Soil moisture is in m3 m-3 and an error
is product minus reference.
"""

from vadose.statistics.aggregates import adjusted, outcome, weighted_mean, weighted_median
from vadose.statistics.anomalies import anomaly_35d, moving_mean, other_years_climatology
from vadose.statistics.intervals import Estimate, Gaps, Pairing, estimate, iid, lag1, tail_model
from vadose.statistics.metrics import METRICS, Metric, evaluate, metric, ranks
from vadose.statistics.scaling import scale
from vadose.statistics.status import STATUS, words
from vadose.statistics.sums import Moments, Sums, moments

__all__ = [
    "METRICS",
    "STATUS",
    "Estimate",
    "Gaps",
    "Metric",
    "Moments",
    "Pairing",
    "Sums",
    "adjusted",
    "anomaly_35d",
    "estimate",
    "evaluate",
    "iid",
    "lag1",
    "metric",
    "moments",
    "moving_mean",
    "other_years_climatology",
    "outcome",
    "ranks",
    "scale",
    "tail_model",
    "weighted_mean",
    "weighted_median",
    "words",
]
