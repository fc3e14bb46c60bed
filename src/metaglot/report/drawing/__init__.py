"""Charts of numbers as SVG text.  The charts do not depend on the meaning of the numbers."""

from metaglot.report.drawing.cells import Cells, cell_chart
from metaglot.report.drawing.dots import Dot, Panel, dot_chart
from metaglot.report.drawing.lines import Series, line_chart
from metaglot.report.drawing.ranks import rank_chart
from metaglot.report.drawing.reliability import Reliability, reliability_chart

__all__ = [
    "Cells",
    "Dot",
    "Panel",
    "Reliability",
    "Series",
    "cell_chart",
    "dot_chart",
    "line_chart",
    "rank_chart",
    "reliability_chart",
]
