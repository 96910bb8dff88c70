"""Audits: each asks one question about a method and answers with a number, its interval, and a sentence.

`position`, `popularity` and `consistency` read any Runs; the others those that `llmrank.evaluation.auditing` makes."""

from llmrank.audit.consistency import consistency
from llmrank.audit.finding import Audit, AuditRow, Variants, read_audit
from llmrank.audit.history import history, history_variants
from llmrank.audit.identifiers import identifiers
from llmrank.audit.injection import injection, injection_variants
from llmrank.audit.memorisation import Dated, Recall, memorisation, without_titles
from llmrank.audit.paraphrase import paraphrase
from llmrank.audit.popularity import popularity
from llmrank.audit.position import position
from llmrank.audit.prior import prior, prior_variants
from llmrank.audit.thinking import thinking
from llmrank.audit.variance import Component, Design, Source, variance, variance_components

__all__ = [
    "Audit",
    "AuditRow",
    "Component",
    "Dated",
    "Design",
    "Recall",
    "Source",
    "Variants",
    "consistency",
    "history",
    "history_variants",
    "identifiers",
    "injection",
    "injection_variants",
    "memorisation",
    "paraphrase",
    "popularity",
    "position",
    "prior",
    "prior_variants",
    "read_audit",
    "thinking",
    "variance",
    "variance_components",
    "without_titles",
]
