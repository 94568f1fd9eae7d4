"""The shared mathematics of every room; numpy and numba only, no room imported.

Arrays have time as their last axis, one value a day, NaN where unmatched. Soil moisture is in m3 m-3 and an error
is product minus reference. A status is a code; `words` gives its word.

- Scores: `moments`, `METRICS`, `evaluate`; `Pairing` and `estimate` with intervals; `spearman` (rho), `kendall`
  (tau) and `memory_ratio`; `bootstrap` for what has no influence series; `Sums` that can be added.
- Intervals rest on `vadose.statistics.longrun`: `tail_model` (default), `lag1`, `ar2`, `hac`, `iid`.
- Averages: `weighted_median`, `weighted_mean`, `weighted_quantile`, `mean_z`, `pooled`.
- Ours minus rival: `difference(metric, ours, rival)` of two pairings on the same days, `on_scale`, `back`, `adjusted`
  (`bh`, `by`), `outcome`.
- Signals and scaling: `anomaly_35d`, `anomaly_climatology`, `moving_mean`, `other_years_climatology`, `scale`; of
  monthly values `anomaly_of_months` and `other_years_of_months`.
- Collocation: `triple(x, y, z)` and `collocate(series (..., N, time), named=, dependent=)` give a `Collocation` with
  error standard deviation, R2, SNR and gain of each member, their intervals and a status for each member;
  `all_triplets` and `spread_of` for many data sets, `error_budget`, `representativeness`.
- Stability: `monthly_means`, `without_month_climatology`, then `trend` (slope per decade, interval, verdict, power);
  breaks by `step_at` (declared dates) and `pettitt` (undeclared).
- One station's events in `vadose.statistics.events` (`drydown_ratio`, `wetups`, `increment_lag`, process signs),
  `vadose.statistics.droughts` (`dry_days`, `contingency` with POD, FAR, CSI, SEDI) and `memory_ratio`.
"""

from vadose.statistics.aggregates import (
    adjusted,
    mean_z,
    outcome,
    pooled,
    weighted_mean,
    weighted_median,
    weighted_quantile,
)
from vadose.statistics.anomalies import (
    anomaly_35d,
    anomaly_climatology,
    anomaly_of_months,
    day_of_year,
    moving_mean,
    other_years_climatology,
    other_years_of_months,
)
from vadose.statistics.budgets import Budget, error_budget, representativeness
from vadose.statistics.collocation import Collocation, collocate, triple
from vadose.statistics.differences import Difference, back, difference, on_scale
from vadose.statistics.intervals import Estimate, Pairing, estimate, kendall, spearman
from vadose.statistics.longrun import Gaps, tail_model
from vadose.statistics.memory import Memory, memory_ratio
from vadose.statistics.metrics import METRICS, Metric, evaluate, metric
from vadose.statistics.ranking import paired_ranks, ranks
from vadose.statistics.resampling import Bootstrapped, bootstrap, figure_interval
from vadose.statistics.scaling import scale
from vadose.statistics.status import STATUS, words
from vadose.statistics.sums import Moments, Sums, moments
from vadose.statistics.trends import (
    Break,
    Step,
    Trend,
    monthly_means,
    pettitt,
    step_at,
    trend,
    without_month_climatology,
)
from vadose.statistics.triplets import all_triplets, spread_of, triplets

__all__ = [
    "METRICS",
    "STATUS",
    "Bootstrapped",
    "Break",
    "Budget",
    "Collocation",
    "Difference",
    "Estimate",
    "Gaps",
    "Memory",
    "Metric",
    "Moments",
    "Pairing",
    "Step",
    "Sums",
    "Trend",
    "adjusted",
    "all_triplets",
    "anomaly_35d",
    "anomaly_climatology",
    "anomaly_of_months",
    "back",
    "bootstrap",
    "collocate",
    "day_of_year",
    "difference",
    "error_budget",
    "estimate",
    "evaluate",
    "figure_interval",
    "kendall",
    "mean_z",
    "memory_ratio",
    "metric",
    "moments",
    "monthly_means",
    "moving_mean",
    "on_scale",
    "other_years_climatology",
    "other_years_of_months",
    "outcome",
    "paired_ranks",
    "pettitt",
    "pooled",
    "ranks",
    "representativeness",
    "scale",
    "spearman",
    "spread_of",
    "step_at",
    "tail_model",
    "trend",
    "triple",
    "triplets",
    "weighted_mean",
    "weighted_median",
    "weighted_quantile",
    "without_month_climatology",
    "words",
]
