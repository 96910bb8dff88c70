"""One session: the Cases that remain are ranked, and each is in the file when it is reported."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from llmrank.run.session import work

from llmrank.backends.null import NullBackend
from llmrank.engine import Caller
from llmrank.rankers.baselines import RecallOrder
from llmrank.run import CaseRecord, RunFolder
from llmrank.store import Store
from llmrank.types import Case, Outcome, RankingSteps
from tests.run.making import MEASURES, SETTINGS, case, record, shuffled

CASES = [case(f"u{user:02}") for user in range(8)]


@dataclass
class Counted:
    """Recall order, and which Cases it was asked for."""

    seen: list[str]
    name: str = "counted"

    def rank(self, case: Case) -> RankingSteps:
        self.seen.append(case.case_id)
        assert not case.relevant, "a ranker is not shown the truth"
        return (yield from RecallOrder().rank(case))


async def test_only_what_remains_is_done_and_a_failed_case_again(tmp_path: Path) -> None:
    ranker, reported = Counted([]), list[CaseRecord]()
    with RunFolder(tmp_path / "run", SETTINGS) as folder, Store(tmp_path / "s.sqlite") as store:
        for one in CASES[:3]:
            folder.add(record(one, shuffled(one, 1)))
        failed = CASES[3]
        folder.add(record(failed, replace(shuffled(failed, 1), named=0, outcome=Outcome.ERROR), None))

        def done(kept: CaseRecord) -> None:
            lines = (folder.path / "records.jsonl").read_text().splitlines()
            assert json.loads(lines[-1])["case_id"] == kept.case_id
            reported.append(kept)

        caller = Caller(NullBackend(), store)
        await work(folder, CASES, ranker, caller, arrange=lambda one: one, measures=MEASURES, done=done)
        assert sorted(ranker.seen) == [one.case_id for one in CASES[3:]] and len(reported) == 5
        assert folder.records["u03"].ranking.outcome is Outcome.OK and not any(map(folder.wants, folder.records))
        await work(folder, CASES, ranker, caller, arrange=lambda one: one, measures=MEASURES, done=done)
        assert len(reported) == 5
