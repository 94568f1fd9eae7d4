"""The model card: what a person should know about a model, out of `model.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROLES = {"fit": "fitted on", "tune": "tuned on", "calibrate": "calibrated on", "test": "never seen, for tests"}


def model_card(model: Mapping[str, Any]) -> str:
    """Markdown text of the card."""
    predictors = model["predictors"]
    ledger = model["ledger"]
    calibration = model["calibration"]
    lines = [
        f"# {model['recipe']}",
        "",
        f"An ensemble of {len(model['seeds'])} members (seeds {', '.join(map(str, model['seeds']))}) "
        f"of the method `{model['method']}`, {model['parameters']} parameters in all.",
        "",
        f"- target: `{model['target']}`",
        f"- daily predictors: {_listed(predictors['daily'])}",
        f"- static predictors: {_listed(predictors['static'])}",
        f"- days read before a prediction: {model['past_days']}",
        "",
        f"## What was used for what (split {ledger['split']}, grid {ledger['grid']})",
        "",
        "| role | cells | days |",
        "|---|---|---|",
        *(f"| {text} | {len(ledger['cells'][role])} | {_days(ledger['days'][role])} |" for role, text in ROLES.items()),
        "",
        "## Uncertainty",
        "",
        "Mean of the members' variances plus the variance of their means, then scaled so that 90 % of the held-out "
        f"calibration values lie within the interval; {calibration['blocks'].get('all', 0)} blocks of 5 degrees and "
        f"90 days, factor {calibration['overall']:.3f} (1.645 would be a Gaussian that needs no calibration).",
        "",
        "## Scores on the calibration blocks",
        "",
        *(f"- {name}: {value:.4g}" for name, value in sorted(model["metrics"].items())),
        "",
        "## Limits",
        "",
        "The model says nothing about other depths than its target's, and marks cells and days whose predictors lie "
        "outside its training. Frozen soil and snow are left to the product's rules.",
        "",
        f"Versions: {', '.join(f'{name} {version}' for name, version in sorted(model['versions'].items()))}.",
        "",
    ]
    return "\n".join(lines)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _days(ranges: list[list[str]]) -> str:
    return ", ".join(f"{first} to {last}" for first, last in ranges) or "none"
