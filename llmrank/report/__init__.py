"""Reports: tables of Runs and comparisons, an HTML page about Runs, and its figures as files."""

from llmrank.report.figures import figures, write_figures
from llmrank.report.page import page, write_page
from llmrank.report.terminal import console, show_finished, show_metrics, show_story, show_worst

__all__ = [
    "console",
    "figures",
    "page",
    "show_finished",
    "show_metrics",
    "show_story",
    "show_worst",
    "write_figures",
    "write_page",
]
