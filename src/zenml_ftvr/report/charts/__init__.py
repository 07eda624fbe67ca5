"""Charts as inline SVG, each for a page and for a phone. Their numbers stand in the tables too."""

from zenml_ftvr.report.charts.bars import pair_chart
from zenml_ftvr.report.charts.frame import drawn
from zenml_ftvr.report.charts.growth import Growth, growth_chart
from zenml_ftvr.report.charts.intervals import Interval, interval_chart
from zenml_ftvr.report.charts.lines import Series, line_chart
from zenml_ftvr.report.charts.map import map_chart
from zenml_ftvr.report.charts.pareto import Place, pareto_chart
from zenml_ftvr.report.charts.reliability import ReliabilityPoint, reliability_chart
from zenml_ftvr.report.charts.scatter import scatter_chart

__all__ = [
    "Growth",
    "Interval",
    "Place",
    "ReliabilityPoint",
    "Series",
    "drawn",
    "growth_chart",
    "interval_chart",
    "line_chart",
    "map_chart",
    "pair_chart",
    "pareto_chart",
    "reliability_chart",
    "scatter_chart",
]
