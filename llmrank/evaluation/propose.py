"""The recall stage alone: propose candidates for the users of a dataset, and write a candidate file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from llmrank.data.candidate_writing import write_cases
from llmrank.data.candidates import file_format
from llmrank.data.dataset import without_title
from llmrank.errors import count_of
from llmrank.evaluation.cases import prepare, sampled_note, untitled_note
from llmrank.evaluation.settings import DEFAULT_CANDIDATES, CaseSettings
from llmrank.evaluation.trained import fit, package_of, seed_of
from llmrank.files import check_free
from llmrank.progress import Reporter, reporter_of, sign_of_life
from llmrank.recall import Coverage, Setting, candidates_for, recall_model, recall_settings, tuned_model
from llmrank.types import Case


@dataclass(frozen=True, slots=True)
class Proposed:
    """A written candidate file, and how many of the relevant items it contains."""

    out: Path
    rows: int
    data: str
    data_sha256: str
    split: str
    note: str
    recall: Mapping[str, object]
    """The model and its settings."""
    measures: Mapping[str, float]
    """`HR@10`, and `recall@k`, which is the ceiling for any ranking of these candidates."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-compatible values."""
        return asdict(self) | {"out": str(self.out)}

    def __str__(self) -> str:
        settings = ", ".join(f"{name} {value}" for name, value in self.recall.items())
        lines = [f"{self.out}: {count_of(self.rows, 'user')} of {self.data}, {settings}"]
        lines += [f"{name:10} {value:.4f}" for name, value in self.measures.items()]
        lines[-1] += "  the ceiling: no ranking of these candidates can find more"
        return "\n".join([*lines, f"{self.split}: {self.note}"])


def propose(
    settings: CaseSettings,
    out: Path,
    *,
    parameters: Mapping[str, Setting] | None = None,
    keep_seen: bool = False,
    overwrite: bool = False,
    progress: bool | Reporter = True,
) -> Proposed:
    """Propose candidates for each user of a dataset, and write them with history and relevant items.

    Args:
        settings: Dataset, split, users and recall model; `users` None: all users.
        out: `.parquet`, `.jsonl` or `.jsonl.gz`.
        parameters: Parameters of the recall model, such as `{"l2": 300.0}`.
        keep_seen: Whether to propose items from the user's history too.
        overwrite: Whether to replace an existing file.
        progress: Whether to show progress; or a Reporter that receives it.

    Raises InputError for an unknown dataset, split, model or parameter, and for a file that exists.
    """
    reporter = reporter_of(progress)
    file_format(out)
    check_free(out, overwrite=overwrite)
    given = {**seed_of(settings.recall, settings.seed), **(parameters or {})}
    recall_model(settings.recall, **given)  # fail early on an invalid name
    k = settings.k or DEFAULT_CANDIDATES
    prepared = prepare(settings, default_users=0, say=reporter.message)
    split, users = prepared.split, prepared.drawn
    sampled = sampled_note(len(users), prepared.available, settings)
    model = tuned_model(settings.recall, split, **given)
    fitted = fit(model, split, reporter.message)
    first, ceiling = Coverage(min(10, k)), Coverage(k)
    reporter.begin(len(users), 0, str)

    def counted() -> Iterator[Case]:
        cases = candidates_for(split, model, k, users, exclude_seen=not keep_seen, fitted=fitted)
        with sign_of_life(reporter.message, f"proposing candidates with {model.name}", at_once=False):
            found = [*islice(cases, 1)]  # thousands at once
        for case in ceiling.watch(first.watch(chain(found, cases))):
            yield case
            reporter.advance("written")

    try:
        rows = write_cases(out, counted(), overwrite=overwrite)
    finally:
        reporter.end()
    return Proposed(
        out,
        rows,
        split.dataset.name,
        split.dataset.sha256,
        split.name,
        " ".join((split.note, *sampled, *split.dataset.notes, *untitled_note(without_title(split.dataset.items)))),
        {**recall_settings(model, k, exclude_seen=not keep_seen), **package_of(model.name)},
        {f"HR@{first.k}": first.hit_rate, f"recall@{k}": ceiling.recall},
    )
