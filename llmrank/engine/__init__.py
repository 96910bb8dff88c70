"""The engine: between rankers, which ask nobody, and backends, which know no ranker."""

from llmrank.engine.budget import Bounds, Budget, Metered
from llmrank.engine.caller import Caller, Exchange
from llmrank.engine.clock import Clock
from llmrank.engine.driver import CaseResult, rank_all, rank_case, rank_without_model
from llmrank.engine.dry_run import Estimate, estimate
from llmrank.engine.retry import RetryPolicy

__all__ = [
    "Bounds",
    "Budget",
    "Caller",
    "CaseResult",
    "Clock",
    "Estimate",
    "Exchange",
    "Metered",
    "RetryPolicy",
    "estimate",
    "rank_all",
    "rank_case",
    "rank_without_model",
]
