"""Audits: each answers one question about a method with a number, its interval, and a sentence.

The audits named here read finished Runs. `run_audit` evaluates variants of the same Cases, and reads their Runs."""

from llmrank.audit.consistency import consistency
from llmrank.audit.finding import Audit, AuditRow, Variants, read_audit
from llmrank.audit.popularity import popularity
from llmrank.audit.position import position
from llmrank.audit.variance import variance_of_runs

READS_RUNS: tuple[str, ...] = ("consistency", "popularity", "position", "variance")
"""The audits that read finished Runs, by name."""

__all__ = [
    "READS_RUNS",
    "Audit",
    "AuditRow",
    "Variants",
    "consistency",
    "popularity",
    "position",
    "read_audit",
    "variance_of_runs",
]
