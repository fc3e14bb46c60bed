"""Reports on results: summaries, comparisons, tables, charts, and the page."""

from metaglot.report.charts import curve_chart, method_chart
from metaglot.report.page import write_report
from metaglot.report.report_data import ReportData, gather
from metaglot.report.table import markdown, terminal

__all__ = ["ReportData", "curve_chart", "gather", "markdown", "method_chart", "terminal", "write_report"]
