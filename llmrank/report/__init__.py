"""What people read: tables of Runs and comparisons."""

from llmrank.report.terminal import console, show_metrics, show_worst, verdict

__all__ = ["console", "show_metrics", "show_worst", "verdict"]
