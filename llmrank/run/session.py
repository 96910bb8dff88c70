"""One session of work on a Run: ranks the Cases that are still wanted, and keeps each as it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmrank.engine import Caller, CaseResult, StopSignal, rank_all
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
    stop: StopSignal | None = None,
) -> None:
    """Rank every Case that the folder does not hold, or holds as failed; each is in the file when `done` is called."""

    def keep(ranked: CaseResult) -> None:
        record = CaseRecord.of(ranked, case_measures(ranked.case, ranked.ranking, measures))
        folder.add(record)
        done(record)

    wanted = (case for case in cases if folder.wants(case.user_id))
    await rank_all(wanted, ranker, caller, arrange=arrange, done=keep, stop=stop)
