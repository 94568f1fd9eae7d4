"""The static variables beside an ISMN station: soil by depth, land cover by epoch, climate."""

from __future__ import annotations

import re

from vadose.validation.stations.lines import decoded
from vadose.validation.stations.sensor import Site, Times

_SOIL = {
    "saturation": "saturation", "clay fraction": "clay", "sand fraction": "sand", "organic carbon": "organic_carbon",
}  # fmt: skip


def static_values(raw: bytes, site: Site, stamps: Times) -> dict[str, str]:
    """Soil of the sensor's depth, land cover of the epoch nearest to the data, and climate.

    `raw` is a `*_static_variables.csv`: separated by `;`, quotes are part of the values (`30"`).
    """
    lines = [line.split(";") for line in re.split(r"[\r\n]+", decoded(raw)[0]) if line.strip()]
    if not lines or "quantity_name" not in lines[0]:
        return {}
    table = [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]
    out = _soil(table, (site.depth_from + site.depth_to) / 2.0)
    covers = [row for row in table if row.get("quantity_name") == "land cover classification" and row.get("value")]
    if covers:
        year = float(stamps.astype("datetime64[Y]").astype(int).mean() + 1970) if stamps.size else 2000.0
        nearest = min(covers, key=lambda row: abs(_epoch(row.get("quantity_source_timerange", "")) - year))
        out["land_cover"] = nearest["value"]
        out["land_cover_epoch"] = nearest.get("quantity_source_name", "")
    climates = [row for row in table if row.get("quantity_name") == "climate classification" and row.get("value")]
    if climates:
        out["climate"] = climates[0]["value"]
        out["climate_map"] = climates[0].get("quantity_source_name", "")
    return out


def _soil(table: list[dict[str, str]], depth: float) -> dict[str, str]:
    """The first row of each quantity whose layer holds the depth; layers may overlap."""
    out: dict[str, str] = {}
    for row in table:
        key = _SOIL.get(row.get("quantity_name", ""))
        if key and key not in out and _number(row, "depth_from[m]") <= depth <= _number(row, "depth_to[m]"):
            out[key] = row.get("value", "")
    return out


def _number(row: dict[str, str], column: str) -> float:
    try:
        return float(row.get(column) or "nan")
    except ValueError:
        return float("nan")


def _epoch(text: str) -> float:
    years = [int(year) for year in re.findall(r"\d{4}", text)]
    return sum(years) / len(years) if years else -9999.0
