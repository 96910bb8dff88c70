"""A plugin's ranker, checked against the contract: it yields Requests, and ranks every candidate exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from llmrank.plugin import Plugin
from llmrank.rankers.calls import side_by_side
from llmrank.types import BaseRanker, Case, Needs, Ranker, Ranking, RankingSteps, Request


@dataclass(frozen=True, slots=True)
class PluginRanker(BaseRanker):
    """Runs a plugin's ranker. A breach of the Ranker contract raises an InputError that names the package."""

    plugin: Plugin
    ranker: Ranker

    @classmethod
    def load(cls, plugin: Plugin, *arguments: object) -> PluginRanker:
        """Build the plugin's ranker by calling its entry point with a prompt and the options."""
        build = plugin.load()
        hint = "the entry point must name a function of (prompt, options) that returns a ranker"
        if not callable(build):
            raise plugin.error(f"is not callable, but {build!r:.60}", hint=hint)
        with plugin.blamed("cannot be built", hint=hint):
            ranker = build(*arguments)
        for name in ("rank", "needs", "needs_recall_order"):
            if not hasattr(ranker, name):
                problem = f"does not build a ranker, but {ranker!r:.60}, which has no `{name}`"
                raise plugin.error(problem, hint=f"{hint}; inherit from llmrank.types.BaseRanker")
        return cls(plugin, cast(Ranker, ranker))

    @property
    def name(self) -> str:
        """The entry point's name."""
        return self.plugin.name

    @property
    def needs_recall_order(self) -> bool:
        """Whether the plugin's ranker needs it. (`sees_truth` is always False for plugins.)"""
        return bool(self.ranker.needs_recall_order)

    def needs(self, n: int) -> Needs:
        """Return the needs of the plugin's ranker."""
        with self.plugin.blamed(f"raised in `needs({n})`"):
            needs = cast(object, self.ranker.needs(n))
        if not isinstance(needs, Needs):
            raise self.plugin.error(f"needs {needs!r:.60}", hint="return llmrank.types.Needs")
        return needs

    def rank(self, case: Case) -> RankingSteps:
        """Yield the plugin's Requests, and return its Ranking. Raises InputError if it breaks the contract."""
        with self.plugin.blamed("raised", user=case.user_id):
            [ranking] = yield from side_by_side([self.ranker.rank(case)], lambda _, batch: self._requests(batch, case))
            return self._checked(ranking, case)

    def _requests(self, batch: object, case: Case) -> list[Request]:
        requests = cast("list[object]", batch) if isinstance(batch, list) else []
        if not requests or not all(isinstance(one, Request) for one in requests):
            hint = "yield lists of Requests (see llmrank.rankers.CaseCalls)"
            raise self.plugin.error(f"yields {batch!r:.60}", user=case.user_id, hint=hint)
        return cast("list[Request]", requests)

    def _checked(self, ranking: object, case: Case) -> Ranking:
        shown = {item.item_id for item in case.asked}
        wrong = ""
        if not isinstance(ranking, Ranking):
            wrong = f"does not return a Ranking, but {ranking!r:.60}"
        elif strange := [one for one in ranking.order if not isinstance(one, str)]:  # pyright: ignore[reportUnnecessaryIsInstance]
            wrong = f"ranks {strange[0]!r} of type {type(strange[0]).__name__}: ids are text"
        elif sorted(ranking.order) != sorted(shown):
            once = set(ranking.order)
            wrong = (
                f"does not rank each of the {len(shown)} candidates once: {len(shown - once)} missing, "
                f"{len(once - shown)} unknown, {len(ranking.order) - len(once)} repeated"
            )
        elif ranking.scores is not None and (
            len(ranking.scores) != len(shown) or not all(high >= low for high, low in pairwise(ranking.scores))
        ):
            wrong = "returns scores that do not decrease along its order"
        if wrong:
            hint = "end with `return calls.ranked(ids)` or `.scored(scores)`, which complete the ranking"
            raise self.plugin.error(wrong, user=case.user_id, hint=hint)
        return cast(Ranking, ranking)
