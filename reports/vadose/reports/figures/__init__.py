"""Figures as plotly specifications: built here, saved as JSON, drawn by site.js."""

from vadose.reports.figures.bars import interval_figure
from vadose.reports.figures.boxes import box_figure
from vadose.reports.figures.budget import MOST_BARS, budget_figure
from vadose.reports.figures.changes import change_map
from vadose.reports.figures.curves import (
    coverage_figure,
    curve_figure,
    curve_panels,
    density_figure,
    reliability_figure,
    seasonal_figure,
)
from vadose.reports.figures.diagrams import target_figure, taylor_figure, violin_figure
from vadose.reports.figures.dots import Dot, dot_figure, paired_figure
from vadose.reports.figures.gaps import calendar_figure, flag_figure, hovmoller_figure, spread_of_days_figure
from vadose.reports.figures.lines import date_figure, monthly_figure, spectrum_figure, zonal_figure
from vadose.reports.figures.maps import field_figure, station_map
from vadose.reports.figures.rasters import Raster, raster, scale_raster
from vadose.reports.figures.series import series_skeleton
from vadose.reports.figures.spec import Figure, middle_range
from vadose.reports.figures.stated import pit_figure, spread_figure

__all__ = [
    "MOST_BARS",
    "Dot",
    "Figure",
    "Raster",
    "box_figure",
    "budget_figure",
    "calendar_figure",
    "change_map",
    "coverage_figure",
    "curve_figure",
    "curve_panels",
    "date_figure",
    "density_figure",
    "dot_figure",
    "field_figure",
    "flag_figure",
    "hovmoller_figure",
    "interval_figure",
    "middle_range",
    "monthly_figure",
    "paired_figure",
    "pit_figure",
    "raster",
    "reliability_figure",
    "scale_raster",
    "seasonal_figure",
    "series_skeleton",
    "spectrum_figure",
    "spread_figure",
    "spread_of_days_figure",
    "station_map",
    "target_figure",
    "taylor_figure",
    "violin_figure",
    "zonal_figure",
]
