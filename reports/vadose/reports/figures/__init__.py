"""Figures as plotly specifications: built here, saved as JSON, drawn by site.js."""

from vadose.reports.figures.bars import interval_figure
from vadose.reports.figures.curves import (
    coverage_figure,
    curve_figure,
    curve_panels,
    density_figure,
    reliability_figure,
    seasonal_figure,
)
from vadose.reports.figures.maps import field_figure, station_map
from vadose.reports.figures.series import series_skeleton
from vadose.reports.figures.spec import Figure

__all__ = [
    "Figure",
    "coverage_figure",
    "curve_figure",
    "curve_panels",
    "density_figure",
    "field_figure",
    "interval_figure",
    "reliability_figure",
    "seasonal_figure",
    "series_skeleton",
    "station_map",
]
