"""Reparse: parse the stored answers of a Run again with the current parser, without model calls, and show changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmrank.errors import InputError
from llmrank.evaluation.stored_method import NotAnsweredError, stored_method
from llmrank.run import CaseRecord, Metrics, Run, RunFolder, read_manifest, run_of
from llmrank.run.metrics import case_measures, metrics
from llmrank.run.record import canonical


@dataclass(frozen=True, slots=True)
class Change:
    """A Case whose record changed."""

    before: CaseRecord
    after: CaseRecord

    @property
    def first_position(self) -> int | None:
        """The first position, from 1, at which the items differ; None if the order is the same."""
        pairs = zip(self.before.ranking.order, self.after.ranking.order, strict=True)
        return next((position for position, (old, new) in enumerate(pairs, 1) if old != new), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the ids of the Case, `first_position`, and the old and new value of each changed field."""
        old, new = (json.loads(record.to_json()) for record in (self.before, self.after))
        named = {"case_id": old["case_id"], "user_id": old["user_id"], "first_position": self.first_position}
        return named | {name: [old[name], new[name]] for name in old if old[name] != new[name]}


@dataclass(frozen=True, slots=True)
class Reparsed:
    """The result of reparsing a Run."""

    run: Path
    records: Mapping[str, CaseRecord]
    """The old records, by case id."""
    left: int
    """Number of Cases without a record. `metrics.json` is written only when there are none."""
    changes: tuple[Change, ...]
    """The Cases that changed, by case id."""
    unreadable: Mapping[str, str]
    """Why a Case cannot be parsed again, by case id. It keeps its old record."""
    before: Metrics
    after: Metrics
    kept: Path | None = None
    """File of the old records; None if nothing was written."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-compatible values."""
        return {
            "run": str(self.run),
            "cases": len(self.records),
            "changed": len(self.changes),
            "outcomes": {"before": dict(self.before.outcomes), "after": dict(self.after.outcomes)},
            "repairs": {"before": dict(self.before.repairs), "after": dict(self.after.repairs)},
            "measures": {
                name: {"before": summary.value, "after": self.after[name].value}
                for name, summary in self.before.measures.items()
            },
            "changes": [change.to_dict() for change in self.changes],
            "unreadable": dict(self.unreadable),
        }


def reparse(run: Run | str | Path, *, write: bool = False) -> Reparsed:
    """Parse the stored answers of a Run again with the current parser, and return what changes.

    Uses the template and settings stored in the Run, even if they have been edited since.

    Args:
        run: A Run, or its folder.
        write: Whether to write the new records into the Run. The old ones are kept beside them.

    Raises InputError for a Run without Cases or model calls, and if it cannot be written.
    """
    found = run_of(run)
    records, cases = found.records, {case.case_id: case for case in found.done}
    if not records:
        raise InputError("the Run has no Cases yet", path=found.path, hint="repeat the command that made it")
    again, how = stored_method(found), found.metric_settings
    after, unreadable = dict(records), dict[str, str]()
    for case_id, record in records.items():
        try:
            ranking = canonical(again.rank(cases[case_id], record), record.candidates)
        except NotAnsweredError as error:
            unreadable[case_id] = str(error)
            continue
        measures = case_measures(cases[case_id], ranking, how.measures)
        after[case_id] = replace(record, ranking=ranking, measures=measures)
    changes = tuple(
        Change(records[case_id], after[case_id]) for case_id in sorted(records) if records[case_id] != after[case_id]
    )
    numbers = [metrics(found.done, which, how) for which in (records, after)]
    left = len(found.cases) - len(found.done)
    done = Reparsed(found.path, records, left, changes, unreadable, numbers[0], numbers[1])
    return replace(done, kept=_write(found, done, after)) if write else done


def _write(run: Run, done: Reparsed, after: Mapping[str, CaseRecord]) -> Path | None:
    with RunFolder(run.path, read_manifest(run.path)["settings"]) as folder:
        if folder.records != done.records:
            raise InputError("the Run changed in the meantime", path=run.path, hint="repeat the command")
        kept = folder.replace(after) if done.changes else None
        if not done.left:
            started = datetime.now(UTC).isoformat(timespec="seconds")
            usage = run.metrics.usage
            session = {"started": started, "reparsed": len(done.records), "changed": len(done.changes)}
            folder.finish(replace(done.after, usage=usage), session)
    return kept
