"""Is a large language model a better ranker for your recommender than what you have?

>>> import llmrank as lr
>>> cases = lr.load_cases("ml-100k", recall="ease", k=20, users=200)  # doctest: +SKIP
>>> run = lr.evaluate(cases, prompt="palr", model="smollm2-135m-instruct")  # doctest: +SKIP
>>> run.metrics["NDCG@10"].value  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module

# As in `typing`, whose import would take half as long as all of this.
TYPE_CHECKING = False
__version__ = "0.2.0"

if TYPE_CHECKING:
    from llmrank import measures
    from llmrank.audit.run_audit import run_audit
    from llmrank.errors import LlmrankError
    from llmrank.evaluation.cases import load_cases
    from llmrank.evaluation.convert import convert
    from llmrank.evaluation.evaluate import evaluate
    from llmrank.evaluation.method import load_prompt, make_ranker
    from llmrank.evaluation.plan import plan
    from llmrank.evaluation.rerank import rerank
    from llmrank.evaluation.reranker import Reranker
    from llmrank.evaluation.score import score
    from llmrank.evaluation.session import open_store
    from llmrank.run.compare import compare
    from llmrank.run.run import Run, load_run
    from llmrank.types import Case, Event, Item, Outcome, Ranking

__all__ = [
    "Case",
    "Event",
    "Item",
    "LlmrankError",
    "Outcome",
    "Ranking",
    "Reranker",
    "Run",
    "compare",
    "convert",
    "evaluate",
    "load_cases",
    "load_prompt",
    "load_run",
    "make_ranker",
    "measures",
    "open_store",
    "plan",
    "rerank",
    "run_audit",
    "score",
]

_MODULES = {
    "llmrank.errors": ("LlmrankError",),
    "llmrank.types": ("Case", "Event", "Item", "Outcome", "Ranking"),
    "llmrank.audit.run_audit": ("run_audit",),
    "llmrank.evaluation.cases": ("load_cases",),
    "llmrank.evaluation.convert": ("convert",),
    "llmrank.evaluation.evaluate": ("evaluate",),
    "llmrank.evaluation.method": ("load_prompt", "make_ranker"),
    "llmrank.evaluation.plan": ("plan",),
    "llmrank.evaluation.rerank": ("rerank",),
    "llmrank.evaluation.reranker": ("Reranker",),
    "llmrank.evaluation.score": ("score",),
    "llmrank.evaluation.session": ("open_store",),
    "llmrank.run.compare": ("compare",),
    "llmrank.run.run": ("Run", "load_run"),
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562), so that `import llmrank` loads nothing heavy."""
    if name == "measures":
        return import_module("llmrank.measures")
    for module, names in _MODULES.items():
        if name in names:
            return vars(import_module(module))[name]
    raise AttributeError(f"module 'llmrank' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
