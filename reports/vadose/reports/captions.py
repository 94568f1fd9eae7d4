"""Captions of committed tables and figures, and the words of their columns, by the names that the experiments give."""

from __future__ import annotations

import re

from vadose.reports.formats import METRICS, VOLUME

# By the name of the table, without that of its experiment where two share it.
TABLES: dict[str, str] = {
    "cci_breaks": "Breaks that the test found, and steps at changes of the sensors, in monthly differences",
    "cci_trends": "Slopes of the monthly differences of each pair at each place, m³ m⁻³ per decade",
    "hawaii_relations": "What each pair of products shares; only pairs that share nothing have independent errors",
    "correction_correlations": (
        "Correlation of each driver with the mean of the stations of a network, day by day: vegetation cover F, "
        "precipitation P, surface temperature L, evapotranspiration E"
    ),
    "correction_differences": (
        "Each corrected product against another: median difference over the cells of a score, with its 95 % interval"
    ),
    "correction_final": (
        "Median RMSE over the cells of a network before and after each correction, stations left out (P2), against the "
        "stations"
    ),
    "correction_hyper": "Settings that the paper states for each of its networks; not used here",
    "correction_scores": "Scores of every contender in every cell, by split, product and reference",
    "correction_search": "Learning rates and epochs tried for stage 1, judged on a part of the training data",
    "correction_stage1": "Stage 1, from drivers to station soil moisture: scores of all values of a network by drivers",
    "correction_summary": (
        "Median scores over the cells of each contender, and its RMSE less that of the original product with the 95 % "
        "interval"
    ),
    "descriptors_differences": (
        "One contender less another: median over the cells of the difference of a cell’s score, with its 95 % interval"
    ),
    "descriptors_gain": "Share of the trees’ gain that falls to descriptors",
    "descriptors_importance": (
        "Growth of a cell’s RMSE in the later year when a feature, or all of a group, is shuffled, with 95 % intervals"
    ),
    "descriptors_scores": (
        "Median scores over the cells; averages over the fits of a contender, whose RMSE differs by the seed spread"
    ),
    "descriptors_selection": "Descriptors that stay where collinear features are removed, and what decided",
    "descriptors_training": (
        "Loss (mean square error over variance) and R² in training and test, all values together as in the paper"
    ),
    "design_inputs": "Data sets of the recipe, and what their licences allow for derived data",
    "design_settings": "Settings of the recipe’s method, and what its variants change; all values, defaults included",
    "design_variables": "Variables of the recipe: the target, the predictors of each day and cell, what sets flags",
    "emulation_differences": (
        "One contender less another: median over the cells of the difference of a cell’s score, with its 95 % interval"
    ),
    "emulation_scores": (
        "R², RMSE and bias of all values together, medians over the cells, and partial correlation given the land model"
    ),
    "gapfilling_ablations": (
        "ubRMSD of hidden days against the truth with its 95 % interval, by how much it differs from the full network "
        "and from the matched land model, and what keeping observations does"
    ),
    "gapfilling_costs": "What each method of filling gaps costs: training, parameters, and a day of the whole grid",
    "gapfilling_edges": (
        "Steps between neighbouring cells at the borders of swaths, inside swaths and inside gaps, of the filled field "
        "and of the truth"
    ),
    "gapfilling_scores": "Scores of every method, split and distance to the nearest visible observation",
    "gapfilling_summary": "Median scores over the cells on hidden days, against the hidden observations and the truth",
    "merging_pairs": "Correlation of each pair of real products, median, least and greatest over the places",
    "merging_scores": (
        "Error standard deviation of the merge, of the plain mean, of the best parent and of weights chosen in "
        "hindsight, at each place that could be judged"
    ),
    "merging_summary": "The same by triplet, and the share of places at which the merge was better",
    "merging_validity": "Whether the triplets could be resolved over the whole record: number of places by outcome",
    "merging_weights": (
        "Weight and error standard deviation of each parent at each place, from the first half of the common days, "
        "and its error in the second"
    ),
    "reconstruction_network": "Layers of the networks as they were trained here: output for one row, weights",
    "reconstruction_scores": (
        "Scores of all values together at the stations on hidden days, the same for every method, and on days of the "
        "radiometer; against the truth in all cells"
    ),
    "parents_differences": (
        "Each field less the merge: median over the cells of the difference of a cell’s score, with its 95 % interval"
    ),
    "parents_errors": (
        "Error, R and weight of each parent by collocation, beside the true ones: medians over the resolved cells, "
        "means of the weights"
    ),
    "parents_pairs": "Correlation of each pair of products on the training days, median and quartiles over the cells",
    "parents_scores": "Merges and parents against the truth of the last year, medians over the cells",
    "parents_seasons": "Weight and error of each parent by season, over the cells that the season resolves",
    "parents_validity": "Cells by the outcome of the collocation, and where their weights come from",
    "predictors_scores": (
        "Scores of the downscaled field without each predictor, and what it loses on the network with all of them"
    ),
    "twin_scores": (
        "Scores of the downscaled field and of its variants against the truth, in the year that the network did not see"
    ),
}  # fmt: skip

# What stands behind the caption that the experiment gives to a figure, whichever experiment it is.
FIGURES: dict[str, str] = {
    "attributions": (
        "windows of days of the training part; bars are 95 % intervals. F vegetation cover, P precipitation, "
        "L surface temperature, E evapotranspiration"
    ),
    "attributions_by_lag": "F vegetation cover, P precipitation, L surface temperature, E evapotranspiration",
    "training": "by optimisation step, with the error on the part of the training data kept aside",
    "skill by distance": "hidden days of the simulated land of 0.25 degree, median over its cells, one seed",
}  # fmt: skip

# What the upright axis of a figure shows, where the experiment does not say it.
AXES: dict[str, str] = {
    "attributions": "contribution",
    "attributions_by_lag": "contribution",
    "training": "loss and error",
    "skill by distance": "ubRMSD",
}

# Columns that are no metric: words and unit.
COLUMNS: dict[str, tuple[str, str]] = {
    "ci_low": ("95 % from", ""),
    "ci_high": ("95 % to", ""),
    "hindsight": ("chosen in hindsight", VOLUME),
    "best_parent": ("best parent", VOLUME),
    "merged": ("merge", VOLUME),
    "mean": ("plain mean", VOLUME),
    "error_std": ("error, first half", VOLUME),
    "later_error_std": ("error, second half", VOLUME),
    "error_std_whole": ("error, whole record", VOLUME),
    "weight_whole": ("weight, whole record", ""),
    "validity_whole": ("whole record", ""),
    "seconds_train": ("training", "s"),
    "seconds_a_day": ("a day of the grid", "s"),
    "inner_split_rmse": ("RMSE kept aside", VOLUME),
    "inner_split_r": ("R kept aside", ""),
    "rmse_less_original": ("RMSE less the original", VOLUME),
    "original": ("original", VOLUME),
    "error": ("error by collocation", VOLUME),
    "true_error": ("true error", VOLUME),
    "error_ratio": ("error over true error", ""),
    "rmse_growth": ("growth of RMSE", VOLUME),
    "ubrmsd_growth": ("growth of ubRMSD", VOLUME),
    "training_loss": ("training loss", ""),
    "training_r2": ("training R²", ""),
    "test_loss": ("test loss", ""),
    "test_r2": ("test R²", ""),
    "seed_spread": ("seed spread of RMSE", VOLUME),
    "ubRMSD": ("ubRMSD", VOLUME),
    "ubRMSD in time": ("ubRMSD in time", VOLUME),
    "ubRMSD in space": ("ubRMSD in space", VOLUME),
    "block mean RMSE": ("RMSE of block means", VOLUME),
}
_STEPS = re.compile(r"(truth_)?(step_\w+|excess)$")
_AGAINST = re.compile(r"(\w+?)_(observation|truth)$")


def table_caption(name: str, otherwise: str) -> str:
    """The caption of a committed table; one that has none keeps its name in words."""
    return TABLES.get(name, otherwise)


def figure_note(name: str) -> str:
    """What stands behind the caption of a figure of an experiment, empty where nothing is known."""
    return FIGURES.get(name, "")


def column_words(name: str) -> tuple[str, str]:
    """The head of a column of a committed table: words and unit.

    >>> column_words("rmse")
    ('RMSE', 'm³ m⁻³')
    >>> column_words("ubrmsd_truth")
    ('ubRMSD, truth', 'm³ m⁻³')
    >>> column_words("best_parent")
    ('best parent', 'm³ m⁻³')
    >>> column_words("place")
    ('place', '')
    """
    if name in COLUMNS:
        return COLUMNS[name]
    if name in METRICS:
        return METRICS[name].label, _unit(METRICS[name].unit)
    against = _AGAINST.match(name)
    if against and against[1] in METRICS:
        return f"{METRICS[against[1]].label}, {against[2]}", _unit(METRICS[against[1]].unit)
    if _STEPS.match(name) or name.startswith("mlstm-"):
        return name.replace("_", " "), VOLUME
    return name.replace("_", " "), ""


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit
