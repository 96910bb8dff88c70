"""The engine connects rankers, which make no calls, with backends, which know no rankers."""

from llmrank.engine.budget import Bounds, Budget, Metered
from llmrank.engine.caller import Caller, Exchange
from llmrank.engine.clock import Clock
from llmrank.engine.driver import (
    CaseResult,
    drive,
    not_ranked,
    rank_all,
    rank_alone,
    rank_case,
    rank_without_model,
)
from llmrank.engine.dry_run import (
    ESTIMATED,
    Estimate,
    Workload,
    estimate,
    estimated_tokens,
    planned_calls,
    refuse_large_plan,
)
from llmrank.engine.retry import RetryPolicy
from llmrank.engine.stop import STOP_SECONDS, StopSignal

__all__ = [
    "ESTIMATED",
    "STOP_SECONDS",
    "Bounds",
    "Budget",
    "Caller",
    "CaseResult",
    "Clock",
    "Estimate",
    "Exchange",
    "Metered",
    "RetryPolicy",
    "StopSignal",
    "Workload",
    "drive",
    "estimate",
    "estimated_tokens",
    "not_ranked",
    "planned_calls",
    "rank_all",
    "rank_alone",
    "rank_case",
    "rank_without_model",
    "refuse_large_plan",
]
