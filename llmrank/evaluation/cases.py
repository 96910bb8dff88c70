"""Where Cases come from: a dataset through a split and a recall model, a candidate file, a table, or a list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Any, cast, get_args, overload

from llmrank.data.candidates import ArrowTable, CandidateFile, DataFrame, TableSource, falls, not_oldest_first
from llmrank.data.cases import held_out, histories, rating_cases, sample_users
from llmrank.data.dataset import Split, without_title
from llmrank.data.rows import scale_of
from llmrank.data.splits import check_no_futures, parse_split, validation_split
from llmrank.errors import InputError, count_of
from llmrank.evaluation.given import checked_cases
from llmrank.evaluation.settings import DEFAULT_CANDIDATES, DEFAULT_USERS, CaseSettings, changed, gather, role_texts
from llmrank.evaluation.training_data import TrainingData, asked_for, earlier_events
from llmrank.files import FROM_A_PIPE, check_no_device
from llmrank.progress import Reporter, Say, reporter_of, sign_of_life, silent
from llmrank.rankers.calls import at_places
from llmrank.run.metrics import WHOLE_CATALOGUE
from llmrank.types import USUAL_SCALE, Case, Item, Task

FILE_SUFFIXES = (".jsonl", ".parquet", ".gz", ".json", ".csv", ".tsv", ".txt", ".xlsx")


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
    task, fitting = _fitting(everyone, tasks, path)
    notes: list[str] = []
    if unfit := len(everyone) - len(fitting):
        notes = [f"Left out, because they ask for a {_other(task)}: {count_of(unfit, 'Case')}."]
    users = {case.user_id for case in fitting}
    drawn = set(sample_users(users, settings.users or len(users), settings.seed))
    cases = sorted((case for case in fitting if case.user_id in drawn), key=lambda case: case.case_id)
    # The top k by recall, in their original order.
    cases = [at_places(case, sorted(case.recall_places[: settings.k])) for case in cases]
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
        notes=(*notes, *_notes(cases, len(drawn), len(users), settings), *_doubts(cases)),
        settings=_manifest(settings, len(drawn)) | {"data": name, "data_sha256": cases_hash(everyone)},
        seed=settings.seed,
        available=len({case.user_id for case in fitting if case.relevant or case.rating is not None}),
    )


def _fitting(everyone: Sequence[Case], tasks: tuple[Task, ...], path: Path | None) -> tuple[Task, list[Case]]:
    """Return the first of these tasks that Cases ask for, and the Cases. Raises InputError if none asks for it."""
    by_task: dict[Task, list[Case]] = {
        "ranking": [case for case in everyone if case.target is None],
        "rating": [case for case in everyone if case.target is not None],
    }
    asked: list[Task] = [one for one in tasks if by_task[one]]
    task = asked[0] if asked else tasks[0]
    if not by_task[task]:
        asks, needs = ("a rating", "target") if task == "rating" else ("a ranking", "candidates")
        list_of = f"`llmrank prompts list --task {_other(task)}`; in Python, task={_other(task)!r}"
        hint = f"choose a prompt for a {_other(task)} ({list_of}), or add the field to the rows"
        raise InputError(f"{asks} is asked for, but no row has {needs}", path=path, field=needs, hint=hint)
    return task, by_task[task]


def _other(task: Task) -> Task:
    return "ranking" if task == "rating" else "rating"


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
        # A Case per user. No lambda, since a CaseSet can be pickled.
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
