"""What people read: tables of Runs and comparisons, and a page about Runs."""

from llmrank.report.page import page, write_page
from llmrank.report.terminal import console, show_metrics, show_worst, verdict

__all__ = ["console", "page", "show_metrics", "show_worst", "verdict", "write_page"]
