"""One session of work on a Run: rank the Cases that remain to be done, and keep each as it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmrank.engine import Caller, CaseResult, rank_all
from llmrank.measures import Measure
from llmrank.run.folder import RunFolder
from llmrank.run.metrics import case_measures
from llmrank.run.record import CaseRecord
from llmrank.types import Case, Ranker


async def work(
    folder: RunFolder,
    cases: Sequence[Case],
    ranker: Ranker,
    caller: Caller,
    *,
    arrange: Callable[[Case], Case],
    measures: Sequence[Measure],
    done: Callable[[CaseRecord], None],
) -> None:
    """Rank every Case that is not in the folder, or is there as failed; each is in the file when `done` is called."""

    def keep(ranked: CaseResult) -> None:
        record = CaseRecord.of(ranked, case_measures(ranked.case, ranked.ranking, measures))
        folder.add(record)
        done(record)

    wanted = (case for case in cases if folder.wants(case.case_id))
    await rank_all(wanted, ranker, caller, arrange=arrange, done=keep)
