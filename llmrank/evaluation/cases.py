"""Where Cases come from: a dataset through a split and a recall model, a candidate file, a table, or a list."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import starmap
from math import inf, isfinite
from numbers import Real
from pathlib import Path
from typing import Any, cast, get_args, overload

import numpy as np

from llmrank.data.candidates import ArrowTable, CandidateFile, DataFrame, TableSource, falls, not_oldest_first
from llmrank.data.cases import held_out, histories, rating_cases, sample_users
from llmrank.data.dataset import Split, without_title
from llmrank.data.rows import scale_of
from llmrank.data.splits import check_no_futures, parse_split, validation_split
from llmrank.errors import InputError, count_of
from llmrank.evaluation.settings import DEFAULT_CANDIDATES, DEFAULT_USERS, CaseSettings, changed, gather, role_texts
from llmrank.evaluation.training_data import TrainingData, asked_for, earlier_events
from llmrank.files import FROM_A_PIPE, check_no_device
from llmrank.progress import Reporter, Say, reporter_of, sign_of_life, silent
from llmrank.rankers.calls import at_places
from llmrank.run.metrics import WHOLE_CATALOGUE
from llmrank.types import USUAL_SCALE, Case, Event, Item, Task

FILE_SUFFIXES = (".jsonl", ".parquet", ".gz", ".json", ".csv", ".tsv", ".txt", ".xlsx")

LARGEST = 2**63
"""Arrow keeps no larger integer."""


@dataclass(frozen=True)
class CaseSet(Sequence[Case]):
    """The Cases of an evaluation, with everything needed to interpret its results."""

    cases: tuple[Case, ...]
    """Sorted by case id, whatever the order of the input."""
    training: TrainingData
    """Events before the cut-off, including those of users who were not sampled."""
    evaluation: str
    """`full`, `recall-limited(…)`, `sampled(n, sampler, seed)`, or `ratings`. Different kinds are not comparable."""
    task: Task
    target_forced: bool
    notes: tuple[str, ...]
    """Caveats that are shown with the results."""
    settings: Mapping[str, object]
    """Everything that can change the Cases, for the manifest."""
    seed: int = 0
    domain: str | None = None
    """The kind of items, such as `movies`; None: unknown."""
    split: Split | None = None
    """The split dataset that the Cases come from; None if they come from a file or a list."""
    proposed: CaseSettings | None = None
    """The settings of the recall stage that proposed the candidates; None without one."""
    available: int = 0
    """Number of users that could be sampled and have a Case with a known truth; 0: unknown."""

    def __len__(self) -> int:
        return len(self.cases)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> CaseSet: ...
    def __getitem__(self, index: int | slice) -> Case | CaseSet:
        """Return one Case; or, for a slice, a CaseSet of those Cases that keeps everything else and is noted as a
        part."""
        return self._part(self.cases[index]) if isinstance(index, slice) else self.cases[index]

    def where(self, condition: Callable[[Case], bool]) -> CaseSet:
        """Return a CaseSet of the Cases for which the condition holds, like a slice.

        `cases.where(lambda case: len(case.history) >= 20)`
        """
        if not callable(condition):
            hint = "pass one, such as `lambda case: len(case.history) >= 20`"
            raise InputError(f"expected a function, got {condition!r:.80}", field="condition", hint=hint)
        return self._part(tuple(filter(condition, self.cases)))

    def _part(self, chosen: tuple[Case, ...]) -> CaseSet:
        if len(chosen) == len(self):
            return replace(self, cases=chosen)
        part = f"{len(chosen):,} of {count_of(len(self), 'Case')}"
        counts = {*counted_notes(self.cases), *_doubts(self.cases), *untitled(self)}
        return replace(
            self,
            cases=chosen,
            notes=(
                *(note for note in self.notes if note not in counts),
                f"{part}, chosen by the caller.",
                *counted_notes(chosen),
                *(_doubts(chosen) if self.split is None else untitled(replace(self, cases=chosen))),
            ),
            # The hash gives each part a Run folder of its own.
            settings={**self.settings, "part": part, "part_sha256": cases_hash(chosen)},
        )

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def __repr__(self) -> str:
        return f"CaseSet({count_of(len(self), 'Case')} of {self.settings['data']}, {self.evaluation})"


CaseSource = CaseSet | CaseSettings | str | Path | Iterable[Case] | ArrowTable | DataFrame
"""Anything that can be evaluated: Cases, their settings, a dataset name, a candidate file's path, or a table."""


def load_cases(
    data: Any = None,  # noqa: ANN401 - also any table that speaks Arrow
    *,
    task: Task | tuple[Task, ...] = ("ranking", "rating"),
    catalogue: bool = False,
    progress: bool | Reporter = True,
    **settings: Any,
) -> CaseSet:
    """Return the Cases of a dataset, a candidate file, a table, or a list of Cases.

    Args:
        data: Dataset name, folder, `hf:owner/name`, path of a candidate file, a table with its columns (pandas, polars,
            pyarrow), or a list of Case. None: MovieLens-100K.
        task: `rating` makes Cases with a target item whose rating is to be predicted. Of several tasks, the first that
            the data support is used; a dataset supports both.
        catalogue: Whether every item that the user has not had is a candidate.
        progress: Whether to report downloads and model fitting; or a Reporter that receives the reports.
        settings: Fields of `CaseSettings`, such as `recall="ease"`, `k=20`, `users=200`, `seed=1`.

    Raises:
        InputError: the data do not exist or are invalid.
        MissingError: the data cannot be downloaded.
    """
    tasks = (task,) if isinstance(task, str) else task
    if not (isinstance(tasks, Sequence) and tasks and all(one in get_args(Task) for one in tasks)):  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = "pass 'ranking', 'rating', or both in a list"
        raise InputError(f"expected a task, got {task!r}", field="task", hint=hint)
    say = reporter_of(progress).message
    return cases_of(data, gather(CaseSettings, settings), tasks, catalogue=catalogue, say=say)


def cases_of(
    data: Any,  # noqa: ANN401 - see `load_cases`
    settings: CaseSettings,
    tasks: tuple[Task, ...],
    *,
    catalogue: bool = False,
    say: Say = silent,
) -> CaseSet:
    """Return the Cases of `data` (None: the data that the settings name); see `load_cases`."""
    if isinstance(data, CaseSet):
        _refuse_unused(settings, changed(settings), "pass it to load_cases, which makes the Cases")
        return data
    if isinstance(data, CaseSettings):
        data, settings = None, data
    if isinstance(data, str | Path):
        data, settings = None, replace(settings, data=data)
    if data is None and not names_file(settings):
        return _from_dataset(settings, tasks[0], catalogue=catalogue, say=say)
    _refuse_unused(settings)
    source = Path(settings.data) if data is None else data
    if isinstance(source, Path | ArrowTable | DataFrame):
        return _from_file(source, settings, tasks)
    # Cases that ask for another task are taken: the caller refuses them.
    every: tuple[Task, ...] = (*tasks, *(task for task in get_args(Task) if task not in tasks))
    return _drawn(checked_cases(source), settings, every, name="cases", path=None)


def checked_cases(candidates: object) -> list[Case]:
    """Return the Cases as a list. Raises InputError unless case ids are unique and no Case has duplicate candidates."""
    hint = "give Cases, a DataFrame, an Arrow table, or the path of a candidate file"
    if not isinstance(candidates, Iterable):
        raise InputError(f"expected a list of Cases, got {type(candidates).__name__}", hint=hint)
    cases = dict[str, Case]()
    for case in cast("Iterable[object]", candidates):
        if not isinstance(case, Case):
            raise InputError(f"expected a Case, got {type(case).__name__}", hint=hint)
        _refuse_wrong_types(case)
        _refuse_wrong_values(case)
        if case.case_id in cases:
            problem, give = f"duplicate case_id {case.case_id!r}", "give each Case a unique case_id"
            raise InputError(problem, field="case_id", user=case.user_id, hint=give)
        if len({item.item_id for item in case.candidates}) < len(case.candidates):
            problem, give = "duplicate candidate", "keep each item once, at its best rank"
            raise InputError(problem, field="candidates", user=case.user_id, hint=give)
        refuse_broken(case)
        cases[case.case_id] = case
    return list(cases.values())


def _refuse_wrong_types(case: Any) -> None:  # noqa: ANN401 - type hints are not enforced
    """Raise InputError if a field of a Case has the wrong type."""
    fault = partial(InputError, user=str(case.user_id))
    for name, value in (("user_id", case.user_id), ("case_id", case.case_id)):
        if not isinstance(value, str):
            raise fault(f"expected text, got {value!r}", field=name, hint="give a str")
    lists: tuple[tuple[str, object, type, str], ...] = (
        ("history", case.history, Event, "an lr.Event"),
        ("candidates", case.candidates, Item, "an lr.Item"),
        ("relevant", case.relevant, str, "a str"),
        ("gains", () if case.gains is None else case.gains, Real, "a number"),
        ("recall_scores", () if case.recall_scores is None else case.recall_scores, Real, "a number"),
    )
    columns = case.columns
    if not isinstance(columns, Mapping) or not all(isinstance(one, str) for pair in columns.items() for one in pair):
        raise fault(f"expected a mapping, got {columns!r:.60}", field="columns", hint="map names to texts")
    for name, values, kind, needed in lists:
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise fault(f"expected a list, got {type(values).__name__}", field=name, hint="give a tuple or a list")
        for one in cast("Sequence[object]", values):
            if not isinstance(one, kind):
                raise fault(f"invalid entry {one!r}", field=name, hint=f"each entry must be {needed}")


def _refuse_wrong_values(case: Any) -> None:  # noqa: ANN401 - type hints are not enforced
    """Raise InputError for an item that is none, and for numbers that do not fit their list or are not finite."""
    items = {"candidates": case.candidates, "history": [event.item for event in case.history]}
    for name, found in (items | ({} if case.target is None else {"target": [case.target]})).items():
        for item in found:
            refuse_unfit(item, name, case.user_id)
    numbers = [(name, one) for e in case.history for name, one in (("rating", e.rating), ("timestamp", e.timestamp))]
    for name, one in (("rating", case.rating), *numbers):
        if one is not None and not _is_number(one):
            hint = "give a finite number, or None if unknown"
            raise InputError(f"expected a number, got {one!r}", field=name, user=case.user_id, hint=hint)
    lists = (
        ("recall_scores", case.recall_scores, "candidates", case.candidates, -inf),
        ("gains", case.gains, "relevant", case.relevant, 0),
    )
    for name, values, of, known, above in lists:
        if values is not None and not (
            len(values) == len(known) and all(_is_number(one) and above < one for one in values)
        ):
            least = f" above {above}" if name == "gains" else ""
            hint = f"give one finite number{least} for each of `{of}`, or None"
            raise InputError(f"does not fit `{of}`: {values!r:.60}", field=name, user=case.user_id, hint=hint)
    if len({*case.relevant}) < len(case.relevant):
        raise InputError("duplicate relevant item", field="relevant", user=case.user_id, hint="give each id once")


def _is_number(one: object) -> bool:
    """Return whether this is a finite number that a Run can keep: no fraction, and no integer of more than 64 bits."""
    return (isinstance(one, float | np.number) and isfinite(one)) or (isinstance(one, int) and abs(one) < LARGEST)


def refuse_unfit(item: object, field: str, user: str | None = None) -> None:
    """Raise InputError unless this is an Item with an id, a title, and text in all its attributes."""
    if isinstance(item, Item):
        about = cast("object", item.attributes)  # type hints are not enforced
        attributes = cast("Mapping[object, object]", about) if isinstance(about, Mapping) else {None: None}
        texts = (item.item_id, item.title, *attributes, *attributes.values())
        if all(isinstance(text, str) for text in texts) and item.item_id.strip() and item.title.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            return
    hint = "give an lr.Item with an item_id and a title; both, and its attributes, must be text"
    raise InputError(f"invalid item {item!r}", field=field, user=user, hint=hint)


def refuse_broken(case: Case) -> None:
    """Raise InputError if an id or a title cannot be encoded as UTF-8."""
    items = (*case.candidates, *(event.item for event in case.history))
    texts = (case.user_id, *(text for item in items for text in (item.title, item.item_id)), case.case_id)
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        lists = {"candidates": len(case.candidates), "history": len(case.history)}
        listed = [f"{name}[{place}]" for name, count in lists.items() for place in range(count)]
        places = ("user_id", *(f"{one}.{part}" for one in listed for part in ("title", "item_id")), "case_id")
        field = next(place for place, text in zip(places, texts, strict=True) if re.search("[\ud800-\udfff]", text))
        problem, hint = "invalid text: an unpaired surrogate", "decode the text with its original encoding"
        raise InputError(problem, field=field, user=case.user_id or None, hint=hint) from error


_OF_DATA_SETS = ("recall", "split", "k_core", "columns", "file_order")
"""Settings that apply only when Cases are made from a dataset."""


def _refuse_unused(
    settings: CaseSettings,
    names: Iterable[str] = _OF_DATA_SETS,
    hint: str = "omit it, or use a dataset or a folder as the data",
) -> None:
    """Raise InputError if one of these settings is given although the Cases already exist."""
    given = changed(settings)
    if unused := [name for name in names if name in given]:
        problem = "this has no effect on existing Cases, such as those of a candidate file"
        raise InputError(problem, field=unused[0], hint=hint)


def names_file(settings: CaseSettings) -> bool:
    """Return whether the data are a candidate file rather than a dataset. Raises InputError if the file is missing."""
    path = Path(settings.data)
    if path.is_dir() and path.suffix in FILE_SUFFIXES:
        hint = "give one of the files in it; only `llmrank rerank` accepts a folder of candidate files"
        raise InputError(f"expected a candidate file, got a folder: {path}", field="data", hint=hint)
    check_no_device(path, FROM_A_PIPE)
    if not path.is_file() and path.suffix in FILE_SUFFIXES:
        raise InputError(f"no such file: {path}", field="data", hint="give an existing candidate file")
    return path.is_file()


def _from_file(source: TableSource, settings: CaseSettings, tasks: tuple[Task, ...]) -> CaseSet:
    candidates = CandidateFile(source, skip_bad_rows=settings.skip_bad_rows, keep=True)
    name, path = named(source)
    found = _drawn(list(candidates.cases()), settings, tasks, name=name, path=path)
    return replace(found, notes=(*skipped_note(candidates), *found.notes))


def named(source: TableSource) -> tuple[str, Path | None]:
    """Return the name of a file or a table, and the path of a file."""
    return (source.name, source) if isinstance(source, Path) else ("table", None)


def skipped_note(candidates: CandidateFile) -> Iterator[str]:
    """Yield the note on skipped rows, if there are any."""
    if skipped := candidates.summary.skipped_rows:
        yield f"{count_of(skipped, 'invalid row was', 'invalid rows were')} skipped."


def _drawn(
    everyone: Sequence[Case], settings: CaseSettings, tasks: tuple[Task, ...], *, name: str, path: Path | None
) -> CaseSet:
    """Return the Cases that fit the task, for a sample of the users."""
    if not everyone:
        raise InputError("there are no Cases", path=path, hint="give at least one")
    by_task: dict[Task, list[Case]] = {
        "ranking": [case for case in everyone if case.target is None],
        "rating": [case for case in everyone if case.target is not None],
    }
    fits: list[Task] = [one for one in tasks if by_task[one]]
    task = fits[0] if fits else tasks[0]
    other = "ranking" if task == "rating" else "rating"
    if not (fitting := by_task[task]):
        asks, needs = ("a rating", "target") if task == "rating" else ("a ranking", "candidates")
        list_of = f"`llmrank prompts list --task {other}`; in Python, task={other!r}"
        hint = f"choose a prompt for a {other} ({list_of}), or add the field to the rows"
        raise InputError(f"{asks} is asked for, but no row has {needs}", path=path, field=needs, hint=hint)
    users = {case.user_id for case in fitting}
    drawn = set(sample_users(users, settings.users or len(users), settings.seed))
    unfit = [f"Left out, because they ask for a {other}: {count_of(len(by_task[other]), 'Case')}."]
    cases = sorted((case for case in fitting if case.user_id in drawn), key=lambda case: case.case_id)
    cases = [_cut(case, settings.k) for case in cases]
    if settings.force_target:
        known = {event.item.item_id: event.item for case in everyone for event in case.history}
        known |= {item.item_id: item for case in everyone for item in case.candidates}
        cases = [_force_target(case, known) for case in cases]
    return CaseSet(
        cases=tuple(cases),
        training=TrainingData(partial(earlier_events, everyone), true_scale(everyone)),
        evaluation=f"recall-limited({name})" if task == "ranking" else "ratings",
        task=task,
        target_forced=settings.force_target,
        notes=(*(unfit if by_task[other] else ()), *_notes(cases, len(drawn), len(users), settings), *_doubts(cases)),
        settings=_manifest(settings, len(drawn)) | {"data": name, "data_sha256": cases_hash(everyone)},
        seed=settings.seed,
        available=len({case.user_id for case in fitting if case.relevant or case.rating is not None}),
    )


def true_scale(cases: Iterable[Case]) -> tuple[float, float]:
    """Return the scale of the true ratings of targets (see `scale_of`)."""
    return scale_of(case.rating for case in cases if case.target is not None and case.rating is not None)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A split dataset, and a sample of its users."""

    split: Split
    drawn: Sequence[str]
    available: int
    """Number of users with events on both sides of the split, from whom the sample is drawn."""


def prepare(settings: CaseSettings, *, default_users: int = DEFAULT_USERS, say: Say = silent) -> Prepared:
    """Load and split the dataset that the settings name, and sample its users (0: all)."""
    from llmrank.data.load import load_dataset

    cut = parse_split(settings.split, file_order=settings.file_order)
    columns = column_roles(settings.columns)
    with sign_of_life(say, f"reading {settings.data}", at_once=False):
        dataset = load_dataset(str(settings.data), columns=columns, k_core=settings.k_core, say=say)
    split = cut(dataset)
    tested = held_out(split)  # only users with a history: a split drops the others
    users = default_users if settings.users is None else settings.users
    return Prepared(split, sample_users(tested, users or len(tested), settings.seed), len(tested))


def _from_dataset(settings: CaseSettings, task: Task, *, catalogue: bool, say: Say) -> CaseSet:
    if task == "ranking" and not catalogue:
        from llmrank.recall import recall_class

        recall_class(settings.recall)  # raises if there is none, before the data are read
    prepared = prepare(settings, say=say)
    found = _of_users(prepared.split, prepared.drawn, settings, task, catalogue=catalogue, say=say)
    made = _notes(found, len(prepared.drawn), prepared.available, settings)
    notes = (*prepared.split.dataset.notes, prepared.split.note, *found.notes, *made, *untitled(found))
    return replace(found, notes=notes, available=prepared.available)


def _of_users(
    split: Split, drawn: Sequence[str], settings: CaseSettings, task: Task, *, catalogue: bool = False, say: Say
) -> CaseSet:
    """Return a Case for each of these users, about their events on the test side of the split."""
    dataset = split.dataset
    scale = dataset.rating_scale or USUAL_SCALE
    notes: tuple[str, ...] = ()
    manifest = _manifest(settings, len(drawn)) | {
        "data": dataset.name,
        "data_sha256": dataset.sha256,
        "split": split.name,
        "k_core": settings.k_core,
    }
    if task == "rating":
        cases, evaluation = sorted(rating_cases(split, drawn), key=lambda case: case.case_id), "ratings"
        if unrated := len(drawn) - len(cases):
            notes = (f"Left out, because none of their held-out events has a rating: {count_of(unrated, 'user')}.",)
        tests = held_out(split)
        if later := sum(event.rating is not None for user in drawn for event in tests[user]) - len(cases):
            notes += (f"Each user's first held-out rating is predicted, not the {count_of(later, 'later one')}.",)
    elif catalogue:
        cases, evaluation = _catalogue_cases(split, drawn), WHOLE_CATALOGUE
    else:
        cases, evaluation, manifest["recall"] = _recalled(split, drawn, settings, say)
    return CaseSet(
        cases=tuple(cases),
        training=TrainingData(partial(starmap, Case, histories(split).items()), scale, scale),
        evaluation=evaluation,
        task=task,
        target_forced=settings.force_target,
        notes=notes,
        settings=manifest,
        domain=dataset.domain,
        seed=settings.seed,
        split=split,
        proposed=settings if "recall" in manifest else None,
    )


def validation_cases(
    split: Split, settings: CaseSettings, users: int, say: Say = silent, task: Task = "ranking"
) -> CaseSet:
    """Return validation Cases, in which each user's last training event is relevant, or to be rated.

    They contain no test data. The recall stage is fitted again without these events; otherwise it would rank them
    first.

    Args:
        split: The split whose training side is split again.
        settings: Settings of the recall stage: `recall`, `k`, `seed`, `force_target`.
        users: Number of users to sample with the seed; 0: all.
        say: Receives messages about model fitting, and about users who are left out.
        task: For `rating`, the event's rating is to be predicted, and there is no recall.

    Raises InputError if a training event is also a test event (see `check_no_futures`), if no user has two training
    events, or if ratings are missing.
    """
    check_no_futures(split)
    inner = validation_split(split)
    held = held_out(inner)
    drawn = sample_users(held, users or len(held), settings.seed)
    found = _of_users(inner, drawn, settings, task, say=say)
    for note in found.notes:
        say(note)
    return found


def reachable(cases: Iterable[Case]) -> list[Case]:
    """Return the Cases with a relevant candidate. The others score 0 in any order."""
    return [case for case in cases if not _ids(case).isdisjoint(case.relevant)]


def _recalled(
    split: Split, users: Sequence[str], settings: CaseSettings, say: Say
) -> tuple[list[Case], str, Mapping[str, object]]:
    from llmrank.evaluation.trained import fit, package_of, seed_of
    from llmrank.recall import candidates_for, recall_settings, tuned_model

    k = settings.k or DEFAULT_CANDIDATES
    model = tuned_model(settings.recall, split, **seed_of(settings.recall, settings.seed))
    if settings.k is not None and settings.k > len(split.dataset.items):
        problem = (
            f"{count_of(settings.k, 'candidate')} requested, but {split.dataset.name} has "
            f"{count_of(len(split.dataset.items), 'item')}"
        )
        raise InputError(problem, field="k", hint="request fewer; each prompt contains all candidates")
    fitted = fit(model, split, say)
    with sign_of_life(say, f"proposing candidates with {model.name}", at_once=False):
        cases = list(candidates_for(split, model, k, users, fitted=fitted))
    if settings.force_target:
        known = {item.item_id: item for item in split.dataset.items}
        cases = [_force_target(case, known) for case in cases]
    if settings.recall == "random" and settings.force_target:
        evaluation = f"sampled({k - 1}, uniform, seed {settings.seed})"
    else:
        evaluation = f"recall-limited({model.name}@{k})"
    return cases, evaluation, {**recall_settings(model, k), **package_of(model.name)}


def _catalogue_cases(split: Split, users: Sequence[str]) -> list[Case]:
    """Return Cases whose candidates are all items outside the user's history, in catalogue order."""
    train, test, cases = histories(split), held_out(split), list[Case]()
    for user in users:
        history = train[user]
        seen = {event.item.item_id for event in history}
        relevant = tuple(dict.fromkeys(event.item.item_id for event in test[user]))
        unseen = tuple(item for item in split.dataset.items if item.item_id not in seen)
        cases.append(Case(user, history, candidates=unseen, relevant=relevant))
    return cases


def _force_target(case: Case, items: Mapping[str, Item]) -> Case:
    """If no candidate is relevant, replace the one that recall ranks last with the first relevant item."""
    if not (case.relevant and case.candidates and _ids(case).isdisjoint(case.relevant)):
        return case
    item = items.get(case.relevant[0])
    if item is None:
        problem = f"the file has no title for {case.relevant[0]!r}"
        hint = "add the item to the candidates of a row, or omit --force-target"
        raise InputError(problem, user=case.user_id, field="relevant", hint=hint)
    last = case.recall_places[-1]
    return replace(case, candidates=(*case.candidates[:last], item, *case.candidates[last + 1 :]))


def _cut(case: Case, k: int | None) -> Case:
    """Return the Case with only the top k candidates by recall, in their original order."""
    return at_places(case, sorted(case.recall_places[:k]))


def _ids(case: Case) -> set[str]:
    return {item.item_id for item in case.candidates}


def column_roles(columns: Iterable[str] | Mapping[str, str]) -> dict[str, str]:
    """Return the column name of each role, of texts `ROLE=NAME` or a mapping. Raises InputError for a malformed one."""
    roles: dict[str, str] = {}
    for text in cast("Iterable[str]", role_texts(columns)):
        role, _, name = text.partition("=")
        if not (role and name):
            raise InputError(f"expected ROLE=NAME, got {text!r}", field="columns", hint="for example --column user=uid")
        if roles.setdefault(role, name) != name:
            problem = f"the {role} has two names, {roles[role]} and {name}"
            raise InputError(problem, field="columns", hint="rename the column in one of the tables")
    return roles


def sampled_note(drawn: int, available: int, settings: CaseSettings) -> Iterator[str]:
    """Yield the note that not all users were drawn, or fewer than were asked for."""
    if settings.users is not None and settings.users > available:
        yield f"{count_of(settings.users, 'user')} requested; there are only {available:,}."
    elif drawn < available:
        yield f"{drawn:,} of {count_of(available, 'user')}, sampled with seed {settings.seed}."


def _notes(cases: Sequence[Case], drawn: int, available: int, settings: CaseSettings) -> Iterator[str]:
    yield from sampled_note(drawn, available, settings)
    if settings.force_target:
        yield (
            "Where the recall stage missed all that the user did next, one such item was put in the last place: these "
            "numbers do not measure the whole system, and recall order is no baseline."
        )
    yield from counted_notes(cases)


def counted_notes(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the notes that count these Cases."""
    users = len({case.user_id for case in cases})
    if users < len(cases):
        yield f"{count_of(len(cases), 'Case')} of {count_of(users, 'user')}: intervals and tests are over users."
    if new := sum(not case.history for case in cases):
        yield f"{count_of(new, 'Case has', 'Cases have')} no history."
    if seen := sum(not _ids(case).isdisjoint(event.item.item_id for event in case.history) for case in cases):
        yield f"{count_of(seen, 'Case offers', 'Cases offer')} items that the user already has."
    if missed := sum(bool(case.relevant) and _ids(case).isdisjoint(case.relevant) for case in cases):
        yield f"No candidate is relevant in {count_of(missed, 'Case')} (missed by recall): counted as zero."


def _doubts(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the notes that count given histories, not cut by a split of ours, that may be wrong."""
    if told := sum(not asked_for(case).isdisjoint(event.item.item_id for event in case.history) for case in cases):
        what = f"In {count_of(told, 'Case')} the history holds an item that is asked for"
        yield f"{what}: if that event is the one to predict, the prompt gives the answer away."
    if falling := sum(falls(case.history) for case in cases):
        yield not_oldest_first(falling)


def untitled(cases: CaseSet) -> Iterator[str]:
    """Yield the note that counts the items of these Cases that are shown by their id, if they are from a dataset."""
    unnamed = set[str]() if cases.split is None else without_title(cases.split.dataset.items)
    if unnamed:
        unnamed &= {item.item_id for case in cases for item in (*case.asked, *(event.item for event in case.history))}
        yield from untitled_note(unnamed)


def untitled_note(item_ids: Collection[str]) -> Iterator[str]:
    """Yield the note on items without a title, if there are any."""
    if item_ids:
        yield f"{count_of(len(item_ids), 'item has', 'items have')} no title: the id is shown instead."


def _manifest(settings: CaseSettings, users: int) -> dict[str, object]:
    return {"users": users, "seed": settings.seed, "k": settings.k, "force_target": settings.force_target}


def cases_hash(cases: Iterable[Case]) -> str:
    """Return a hash of the Cases that does not depend on the order of the rows.

    Recall scores are rounded to six digits. The last digits of a fitted model vary with the number of threads, and must
    not keep a training or an audit from continuing.
    """
    digest = hashlib.sha256()
    for line in sorted(map(_in_six_digits, cases)):
        digest.update(line.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _in_six_digits(case: Case) -> str:
    scores = case.recall_scores
    rounded = scores and tuple(float(f"{score:.6g}") for score in scores)
    return repr(replace(case, recall_scores=rounded))
