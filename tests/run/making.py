"""Runs made without a model: real folders, from Rankings that are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from llmrank.engine import CaseResult, Exchange
from llmrank.run import CaseRecord, MetricSettings, Run, RunFolder
from llmrank.run.metrics import case_measures, measures_of, metrics
from llmrank.types import Case, Event, Failure, Item, Outcome, Ranking, Response, Usage

MEASURES = measures_of(None, "ranking")
SETTINGS = {"data": "made", "prompt": "mine", "split": "leave-last-out", "seed": 0, "template": "first\nsecond\n"}


def case(user: str, n: int = 20, relevant: int = 1, *, seed: int = 0, case_id: str = "") -> Case:
    """A Case whose relevant items are drawn; one more that recall missed for every fifth user."""
    draw = Random(f"{seed}:{user}:{case_id}")
    items = tuple(Item(f"i{at}", f"Film {at}") for at in draw.sample(range(200), n))
    chosen = [item.item_id for item in draw.sample(items, relevant)]
    if draw.random() < 0.2:
        chosen.append("missed")
    history = tuple(Event(Item(f"h{at}", f"Seen {at}")) for at in draw.sample(range(50), 3))
    return Case(user, history, items, tuple(float(n - at) for at in range(n)), tuple(chosen), case_id=case_id)


def shuffled(case: Case, seed: int, **more: Any) -> Ranking:
    order = [item.item_id for item in case.candidates]
    Random(f"{seed}:{case.case_id}").shuffle(order)
    return Ranking(tuple(order), **more)


def record(case: Case, ranking: Ranking, text: str | None = "an answer") -> CaseRecord:
    reply = Failure("503") if text is None else Response(text, usage=Usage(100, 20, 10))
    ranked = CaseResult(case, ranking, (Exchange("key", reply, stored=False),), seconds=0.5)
    return CaseRecord.of(ranked, case_measures(case, ranking, MEASURES))


def how(evaluation: str = "recall-limited(ease@20)", **more: Any) -> MetricSettings:
    return MetricSettings(evaluation, False, more.pop("measures", MEASURES), more.pop("popularity", {}), **more)


def make_run(
    path: Path,
    cases: Sequence[Case],
    rankings: Sequence[Ranking],
    *,
    settings: Mapping[str, object] = SETTINGS,
    metric_settings: MetricSettings | None = None,
    finish: bool = True,
) -> Run:
    """Return a Run folder as `eval` leaves it."""
    found = metric_settings or how()
    with RunFolder(path, settings) as folder:
        folder.keep_inputs(cases, found)
        for one, ranking in zip(cases, rankings, strict=False):
            folder.add(record(one, ranking))
        if finish:
            folder.finish(metrics(cases, folder.records, found), {"calls": len(cases)})
    return Run(path)


UNPARSED = {"named": 0, "outcome": Outcome.UNPARSED, "reason": "refusal"}
