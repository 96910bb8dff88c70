"""Quality of the top ten against the number of calls, if answers are right only on the whole.

`python -m tests.benchmarks.call_saving`

The model is simulated: each item has a true relevance from a normal distribution; the recall stage and every answer
order the items by that relevance, each with its own normal error. The method, its prompt and the parser are real.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import numpy as np

from llmrank.measures import NDCG, Judgements
from llmrank.rankers.acurank import AcuRank
from llmrank.rankers.baselines import RecallOrder
from llmrank.rankers.setwise import Setwise
from llmrank.rankers.sliding_window import SlidingWindow
from llmrank.rankers.tournament import Tournament
from llmrank.stats import mean_interval
from llmrank.types import Case, Ranker, Request
from tests.benchmarks.machine import heading, table
from tests.rankers.oracle import OracleBackend, case, drive, prompt

LISTS = 100
TOP = 10
ERRORS = {"sure": 0.2, "unsure": 0.7}
"""Standard deviation of an answer's error; that of the items' relevance is 1."""
RECALL_ERROR = 1.0


@dataclass(frozen=True)
class Unsure(OracleBackend):
    """Orders what is shown by the true relevance and an error that is drawn for each answer."""

    relevance: Mapping[str, float] | None = None
    error: float = 0.0

    def words(self, text: str, request: Request, best_first: list[str], labels: dict[str, str]) -> str:
        assert self.relevance is not None
        draw = Random(f"{self.seed}:{request.repeat}:{request.messages}")
        seen = {title: self.relevance[title] + draw.gauss(0, self.error) for title in sorted(best_first)}
        return super().words(text, request, sorted(seen, key=lambda title: -seen[title]), labels)


def lists(n: int, seed: int) -> tuple[Case, dict[str, float]]:
    """Return a list in a recall order that errs, and the relevance by title; its ten best are relevant."""
    draw = Random(f"list:{n}:{seed}")
    items = case(n, seed=seed).candidates
    relevance = {item.title: draw.gauss(0, 1) for item in items}
    score = {item: relevance[item.title] + draw.gauss(0, RECALL_ERROR) for item in items}
    recalled = tuple(sorted(items, key=lambda item: -score[item]))
    best = sorted(items, key=lambda item: -relevance[item.title])[:TOP]
    gains = {item.item_id: float(TOP - place) for place, item in enumerate(best)}
    return Case(
        f"u{seed}",
        case(0).history,
        recalled,
        tuple(score[item] for item in recalled),
        tuple(gains),
        gains=tuple(gains.values()),
    ), relevance


def main() -> None:
    rankgpt, tourrank, setwise = prompt("rankgpt"), prompt("tourrank"), prompt("setwise")
    methods: dict[str, Ranker] = {
        "recall order": RecallOrder(),
        "sliding_window": SlidingWindow(rankgpt),
        "tournament --rounds 1": Tournament(tourrank, rounds=1),
        "tournament": Tournament(tourrank),
        "setwise": Setwise(setwise),
        "setwise --sort insertion": Setwise(setwise, "insertion"),
        "acurank": AcuRank(rankgpt),
        "acurank --tolerance 0.1": AcuRank(rankgpt, tolerance=0.1),
        "acurank --most-calls 10": AcuRank(rankgpt, most_calls=10),
    }
    rows: list[tuple[str, ...]] = []
    for n in (50, 100):
        for kind, error in ERRORS.items():
            for name, ranker in methods.items():
                values, calls = [], []
                for seed in range(LISTS):
                    one, relevance = lists(n, seed)
                    ranking, batches = drive(ranker, one, Unsure(seed=seed, relevance=relevance, error=error))
                    measured = NDCG(TOP).per_case(Judgements.from_rankings([ranking], [one.gain_of]))
                    values.append(float(measured[0]))
                    calls.append(sum(map(len, batches)))
                mean = mean_interval(np.array(values), bounds=(0, 1))
                quality = f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"
                rows.append((str(n), kind, name, quality, f"{sum(calls) / len(calls):.1f}", str(max(calls))))
    print(
        heading(
            f"Simulated answers: {LISTS} lists each, NDCG@{TOP} with graded gains",
            "python -m tests.benchmarks.call_saving",
        )
    )
    print()
    print(table(("candidates", "answers", "method", f"NDCG@{TOP} [95%]", "calls, mean", "most"), rows))


if __name__ == "__main__":
    main()
