"""compliance-checker over the first and last granules and every new header, with the exact list of allowed messages."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import Granule, read_granule
from vadose.producer.release.survey import Surveyed

SUITES = ("cf:1.11", "acdd:1.3")
# In a process of its own: the checker prints, warns and loads a second set of libraries.
PROGRAM = f"""
import sys
from compliance_checker.runner import CheckSuite, ComplianceChecker
CheckSuite.load_all_available_checkers()
ComplianceChecker.run_checker(sys.argv[1:], {list(SUITES)}, 0, "strict", output_filename="-", output_format="json_new")
"""
PROJECTION_WORD = "longitude_of_central_meridian"
_POSSIBLE = re.compile(r"\(\{(.*?)\}\)")


def chosen(surveyed: Sequence[Surveyed]) -> list[str]:
    """First and last granule of each stream, one per year, and one of each header."""
    streams: dict[str, list[Surveyed]] = {}
    firsts: dict[tuple[str, str], str] = {}
    for item in surveyed:
        name = parse_name(Path(item.path).name)
        streams.setdefault(name.stream, []).append(item)
        firsts.setdefault((name.stream, name.when[:4]), item.path)
        firsts.setdefault(("header", str(item.entry["header_sha256"])), item.path)
    ends = [item.path for items in streams.values() for item in (items[0], items[-1])]
    return sorted({*ends, *firsts.values()})


def check(folder: Path, paths: Sequence[str]) -> Iterator[str]:
    """Every message that is not expected, and every expected one that is missing.

    Parameters
    ----------
    folder
        The version folder.
    paths
        Granules inside it.
    """
    if importlib.util.find_spec("compliance_checker") is None:
        yield "compliance-checker is not installed; install vadose[gate]"
        return
    for path, found in run([folder / path for path in paths]).items():
        expected = Counter(allowed(read_granule(path)))
        for (suite, message), count in sorted((found - expected).items()):
            yield f"{path.name}: {suite}: {message} ({count} too many)"
        for (suite, message), count in sorted((expected - found).items()):
            yield f"{path.name}: {suite}: expected message is missing: {message} ({count})"


def run(paths: Sequence[Path]) -> dict[Path, Counter[tuple[str, str]]]:
    """Messages of both suites by file, each a pair of suite and text."""
    command = [sys.executable, "-c", PROGRAM, *map(str, paths)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    start = answer.stdout.find("{")
    if start < 0:
        raise RuntimeError(f"compliance-checker gave no result: {answer.stderr[-500:]}")
    document = json.loads(answer.stdout[start:])
    return {path: Counter(_messages(document[str(path)])) for path in paths}


def _messages(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for suite in SUITES:
        for group in results[suite]["all_priorities"]:
            passed, total = group["value"]
            for message in group["msgs"] if passed < total else ():
                yield suite, _in_order(message)


def _in_order(message: str) -> str:
    """The message with the listed variables in the order of their names."""
    return _POSSIBLE.sub(lambda match: f"({{{', '.join(sorted(match[1].split(', ')))}}})", message)


def allowed(granule: Granule) -> Iterator[tuple[str, str]]:
    """The known wrong messages about a right granule, with its numbers.

    The checker wants two-dimensional bounds of a scalar (CF 7.1 says one), compares cell centres with edges, and
    walks through the letters of `longitude_of_central_meridian`.
    """
    cf, acdd = SUITES
    yield (
        cf,
        (
            "Boundary variable depth_bnds specified by depth should have at least two dimensions "
            "to enclose the base case of a one dimensionsal variable"
        ),
    )
    if "y" in granule.dims:
        for letter in PROJECTION_WORD:
            yield cf, f"{letter} is a required attribute for grid mapping lambert_cylindrical_equal_area"
    for side, word, names in (("lat", "latitude", ("lat", "y")), ("lon", "longitude", ("lon", "x"))):
        for end in ("min", "max"):
            found = {name: getattr(granule.values[name], end)() for name in names if name in granule.values}
            listed = ", ".join(f"'{name}': np.float64({float(value)!r})" for name, value in sorted(found.items()))
            value = float(granule.attributes[f"geospatial_{side}_{end}"])
            variables = f"Data for possible {word} variables ({{{listed}}})"
            yield acdd, f"{variables} did not match geospatial_{side}_{end} value ({value!r})"
    low, high = (float(granule.attributes[f"geospatial_vertical_{end}"]) for end in ("min", "max"))
    yield acdd, f"geospatial_vertical_min != geospatial_vertical_max for scalar depth values, {low!r} != {high!r}"
    yield acdd, f"geospatial_vertical_max != depth values, {high!r} != {float(granule.values['depth'])!r}"
    minutes = np.timedelta64(round(float(granule.values["time"][0]) * 1440), "m")
    middle = f"{np.datetime64('1970-01-01T00:00:00') + minutes}+00:00"
    for end, index in (("start", "0"), ("end", "N")):
        edge = str(granule.attributes[f"time_coverage_{end}"]).replace("Z", "+00:00")
        yield (
            acdd,
            (
                f"Date time mismatch between time_coverage_{end} and actual time values "
                f"{edge} (time_coverage_{end}) != {middle} (time[{index}])"
            ),
        )
