"""Audits: each asks one question about a method and answers with a number, its interval, and a sentence.

`history`, `injection` and `prior` read Runs of changed Cases, which `llmrank.evaluation.auditing` makes."""

from llmrank.audit.consistency import consistency
from llmrank.audit.finding import Audit, AuditRow, Variants, read_audit
from llmrank.audit.history import history, history_variants
from llmrank.audit.injection import injection, injection_variants
from llmrank.audit.popularity import popularity
from llmrank.audit.position import position
from llmrank.audit.prior import prior, prior_variants

__all__ = [
    "Audit",
    "AuditRow",
    "Variants",
    "consistency",
    "history",
    "history_variants",
    "injection",
    "injection_variants",
    "popularity",
    "position",
    "prior",
    "prior_variants",
    "read_audit",
]
