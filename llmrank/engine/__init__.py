"""The engine: between rankers, which ask nobody, and backends, which know no ranker."""

from llmrank.engine.budget import Bounds, Budget, Metered
from llmrank.engine.caller import Caller, Exchange
from llmrank.engine.clock import Clock
from llmrank.engine.driver import Ranked, rank_all, rank_case, run_alone
from llmrank.engine.dry_run import Estimate, estimate
from llmrank.engine.retry import RetryPolicy

__all__ = [
    "Bounds",
    "Budget",
    "Caller",
    "Clock",
    "Estimate",
    "Exchange",
    "Metered",
    "Ranked",
    "RetryPolicy",
    "estimate",
    "rank_all",
    "rank_case",
    "run_alone",
]
