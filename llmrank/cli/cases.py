"""Where a command's Cases come from: a dataset through a split and a recall model, or a candidate file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from llmrank.cli.options import CaseOptions, column_role
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item

if TYPE_CHECKING:
    from llmrank.data.dataset import Split
    from llmrank.prompting import ShotPool
    from llmrank.rankers.baselines import RatingMeans

DEFAULT_K = 50
Task = Literal["ranking", "rating"]


@dataclass(frozen=True)
class CaseSet:
    """The Cases of a command, and what must be known about them to believe the numbers."""

    cases: tuple[Case, ...]
    """By user id, whatever the order of the input."""
    histories: Mapping[str, tuple[Event, ...]]
    """Training events of every user there is, also of those not drawn: for popularity, means and shots."""
    evaluation: str
    """`full`, `recall-limited(…)`, or `sampled(n, sampler, seed)`: numbers of different labels don't compare."""
    target_forced: bool
    notes: tuple[str, ...]
    """What a reader of the numbers must know; printed with them."""
    settings: Mapping[str, object]
    """Everything that can change the Cases, for the manifest."""
    scale: tuple[float, float] = (1.0, 5.0)

    @cached_property
    def popularity(self) -> Mapping[str, int]:
        """How many training events each item has."""
        return Counter(event.item.item_id for history in self.histories.values() for event in history)

    @cached_property
    def rating_means(self) -> RatingMeans:
        """The means of the training ratings."""
        from llmrank.rankers.baselines import RatingMeans

        return RatingMeans.of_histories([Case(user_id, history) for user_id, history in self.histories.items()])

    @cached_property
    def shot_pool(self) -> ShotPool:
        """The training histories that solved examples are drawn from."""
        from llmrank.prompting import ShotPool

        return ShotPool.of([Case(user_id, history) for user_id, history in self.histories.items()])


def load_cases(options: CaseOptions, task: Task = "ranking", *, catalogue: bool = False) -> CaseSet:
    """Return the Cases that the options describe.

    Args:
        options: Of the command line.
        task: What the prompt is for; a rating task has a target in place of candidates.
        catalogue: Whether the prompt names items freely, so that all the user has not seen are candidates.
    """
    path = Path(options.data)
    if path.is_file():
        return _from_file(path, options, task)
    if path.suffix in (".jsonl", ".parquet", ".gz", ".json"):
        raise InputError("there is no such file", path=path, field="--data", hint="name a candidate file that is there")
    return _from_dataset(options, task, catalogue=catalogue)


def _from_file(path: Path, options: CaseOptions, task: Task) -> CaseSet:
    from llmrank.data.candidates import read_cases
    from llmrank.data.cases import sample_users

    everyone = {case.case_id: case for case in read_cases(path)}
    fitting = {user: case for user, case in everyone.items() if (case.target is not None) == (task == "rating")}
    if not fitting:
        asks, needs = ("a rating", "target") if task == "rating" else ("a ranking", "candidates")
        raise InputError(
            f"the prompt asks for {asks}, and no row has {needs}",
            path=path,
            field=needs,
            hint="choose a prompt of the other task (`llmrank prompts list`), or add the field to the rows",
        )
    cases = [
        _cut(fitting[user], options.k) for user in sample_users(fitting, options.users or len(fitting), options.seed)
    ]
    histories = {user: case.history for user, case in everyone.items()}
    if options.force_target:
        known = {event.item.item_id: event.item for history in histories.values() for event in history}
        known |= {item.item_id: item for case in everyone.values() for item in case.candidates}
        cases = [_force_target(case, known) for case in cases]
    return CaseSet(
        cases=tuple(cases),
        histories=histories,
        evaluation=f"recall-limited({path.name})" if task == "ranking" else "ratings",
        target_forced=options.force_target,
        notes=tuple(_notes(cases, len(fitting), options)),
        settings=_settings(options) | {"data": path.name, "data_sha256": _hash(everyone.values())},
    )


def _from_dataset(options: CaseOptions, task: Task, *, catalogue: bool) -> CaseSet:
    from llmrank.data.cases import histories, rating_cases, sample_users
    from llmrank.data.load import load_dataset
    from llmrank.data.splits import parse_split

    columns = dict(column_role(text) for text in options.columns)
    dataset = load_dataset(options.data, columns=columns, k_core=options.k_core, say=_say)
    split = parse_split(options.split)(dataset)
    train = histories(split)
    tested = {dataset.users[index] for index in set(split.test.user.tolist())} & set(train)
    drawn = sample_users(tested, options.users or len(tested), options.seed)
    settings = _settings(options) | {
        "data": dataset.name,
        "data_sha256": dataset.sha256,
        "split": split.name,
        "k_core": options.k_core,
    }
    if task == "rating":
        cases = sorted(rating_cases(split, drawn), key=lambda case: case.user_id)
        evaluation = "ratings"
    elif catalogue:
        cases = _catalogue_cases(split, drawn)
        evaluation = "full"
    else:
        cases, evaluation, recall = _recalled(split, drawn, options)
        settings["recall"] = recall
    if options.force_target:
        cases = [_force_target(case, {item.item_id: item for item in dataset.items}) for case in cases]
    return CaseSet(
        cases=tuple(cases),
        histories=train,
        evaluation=evaluation,
        target_forced=options.force_target,
        notes=(split.note, *_notes(cases, len(tested), options)),
        settings=settings,
        scale=dataset.rating_scale or (1.0, 5.0),
    )


def _recalled(split: Split, users: Sequence[str], options: CaseOptions) -> tuple[list[Case], str, Mapping[str, object]]:
    from llmrank.recall import candidates_for, recall_model, recall_settings

    k = options.k or DEFAULT_K
    model = recall_model(options.recall, **({"seed": options.seed} if options.recall == "random" else {}))
    cases = list(candidates_for(split, model, k, users))
    if options.recall == "random" and options.force_target:
        evaluation = f"sampled({k - 1}, uniform, seed {options.seed})"
    else:
        evaluation = f"recall-limited({model.name}@{k})"
    return cases, evaluation, recall_settings(model, k)


def _catalogue_cases(split: Split, users: Sequence[str]) -> list[Case]:
    """Return Cases whose candidates are all items that the user has not had, in catalogue order."""
    from llmrank.data.cases import held_out, histories

    train, test = histories(split), held_out(split)
    cases: list[Case] = []
    for user in users:
        seen = {event.item.item_id for event in train[user]}
        relevant = tuple(dict.fromkeys(event.item.item_id for event in test[user]))
        unseen = tuple(item for item in split.dataset.items if item.item_id not in seen)
        cases.append(Case(user, train[user], candidates=unseen, relevant=relevant))
    return cases


def _force_target(case: Case, items: Mapping[str, Item]) -> Case:
    """Return the Case with its first relevant item in the place of the last candidate, unless one is there."""
    if not case.relevant or not case.candidates:
        return case
    if {item.item_id for item in case.candidates} & set(case.relevant):
        return case
    item = items.get(case.relevant[0])
    if item is None:
        raise InputError(
            f"the title of {case.relevant[0]!r} is not in the file, so it cannot be shown",
            user=case.user_id,
            field="relevant",
            hint="add the item to the candidates of a row, or leave out --force-target",
        )
    return replace(case, candidates=(*case.candidates[:-1], item))


def _cut(case: Case, k: int | None) -> Case:
    scores = case.recall_scores
    return replace(case, candidates=case.candidates[:k], recall_scores=None if scores is None else scores[:k])


def _notes(cases: Sequence[Case], available: int, options: CaseOptions) -> Iterable[str]:
    if len(cases) < available:
        yield f"{len(cases)} of {available} users, drawn by seed {options.seed}."
    if options.force_target:
        yield "What the user did next was put into every list: this is no measure of the whole system."
    seen = sum(bool({e.item.item_id for e in c.history} & {i.item_id for i in c.candidates}) for c in cases)
    if seen:
        yield f"{seen} users are offered items that they already have."
    unjudged = sum(not case.relevant and case.target is None for case in cases)
    if unjudged:
        yield f"{unjudged} users have no relevant item: they are ranked, and no measure counts them."


def _settings(options: CaseOptions) -> dict[str, object]:
    return {"users": options.users, "seed": options.seed, "k": options.k, "force_target": options.force_target}


def _hash(cases: Iterable[Case]) -> str:
    """Return a hash of the Cases that does not depend on the order of the rows."""
    digest = hashlib.sha256()
    for line in sorted(repr(case) for case in cases):
        digest.update(line.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _say(line: str) -> None:
    click.echo(line, err=True)
