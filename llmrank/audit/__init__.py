"""Audits: each asks one question about a method and answers with a number, its interval, and a sentence."""

from llmrank.audit.consistency import consistency
from llmrank.audit.finding import Audit, AuditRow
from llmrank.audit.popularity import popularity
from llmrank.audit.position import position

__all__ = ["Audit", "AuditRow", "consistency", "popularity", "position"]
