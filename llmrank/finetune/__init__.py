"""Fine-tuning: training data without leakage from the future, LoRA adapters, and files for other trainers.

`finetune` and `export_sft` are the entry points, from the name of a dataset to an adapter or a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any, get_args

import numpy as np

from llmrank.backends.adapter import NEXT_TITLE, check_split, read_card
from llmrank.backends.models import DEFAULT_MODEL, resolve_model
from llmrank.backends.titles import TitleShape, find_adapter
from llmrank.backends.vllm import VllmBackend
from llmrank.data.cases import held_out, histories, sample_users
from llmrank.data.dataset import Split
from llmrank.data.splits import validation_split
from llmrank.errors import InputError, as_path, count_of, expect
from llmrank.evaluation.cases import CaseSet, cases_of, names_file, prepare, reachable, untitled, validation_cases
from llmrank.evaluation.evaluate import note_domain
from llmrank.evaluation.fusing import Validation
from llmrank.evaluation.method import Composer, Method, tasks_of, template_task
from llmrank.evaluation.session import Session, is_here
from llmrank.evaluation.settings import EVAL_ONLY, CaseSettings, ModelSettings, PromptSettings, changed, flat, gather
from llmrank.evaluation.setup import Setup
from llmrank.evaluation.training_data import TrainingData
from llmrank.files import check_free, check_place
from llmrank.finetune.export import SftFormat, check_answer, sft_examples, write_sft
from llmrank.finetune.sequences import title_sequences
from llmrank.finetune.settings import LEAST_VALIDATION, PromptTraining, TitleTraining, Training
from llmrank.progress import Say, silent
from llmrank.prompting import PromptTemplate
from llmrank.rankers.options import check_choice
from llmrank.types import Task

__all__ = ["PromptTraining", "TitleTraining", "export_sft", "finetune"]

VALIDATION_USERS = 1000


def finetune(
    data: str | Path | CaseSettings,
    out: str | Path,
    *,
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    model: str | ModelSettings = DEFAULT_MODEL,
    validation_users: int = VALIDATION_USERS,
    settings: Training | None = None,
    say: Say = silent,
    **others: Any,
) -> Mapping[str, Any]:
    """Train an adapter, and return its card.

    Without a prompt, the adapter continues sequences of titles, and its fusion with the recall stage is chosen on
    validation Cases. Use it with `evaluate(…, ranker="next_title", adapter=out)`. With a prompt, it learns the
    log-probabilities of the labels that the method reads. Use it with `evaluate(…, prompt=prompt, adapter=out)`.

    Training uses the training side of the split without each user's last training event. That event is the validation
    target, among candidates of a recall stage that has not seen it either. With a prompt, the data may also be a file
    of Cases with known answers; some of its users are held out for validation. Repeating the call continues a stopped
    training.

    Args:
        data: Name of a dataset, or a folder; with a prompt, also a candidate file; or a `CaseSettings`.
        out: Folder for the adapter.
        prompt: Name or path of a template, a template, or a `PromptSettings`.
        model: Base model.
        validation_users: Number of users to sample for choosing the best weights, at least 20; 0: all. For a file, at
            most a fifth.
        settings: A `TitleTraining`, or with a prompt a `PromptTraining`; None: the defaults.
        say: Receives progress messages.
        others: Fields of `CaseSettings` for reading and splitting the data and proposing candidates: `split`, `recall`,
            `k`, `k_core`, `columns`, `file_order`, `skip_bad_rows`; with a prompt, also fields of `PromptSettings`.

    Raises:
        InputError: see `train_titles` and `train_prompt`.
        MissingError: a package, a model or a dataset is missing.
    """
    folder = as_path(out, "out")
    check_place(folder)  # before the data are read
    for name in ("seed", "users"):
        if name in others:
            hint = "set the seed and the users in the training settings"
            raise InputError("training data have no such setting", field=name, hint=hint)
    if isinstance(prompt, PromptSettings) and prompt.options.fuse and not (prompt.prompt or prompt.ranker):
        problem = "training on titles chooses a weight itself, so this has no effect"
        raise InputError(problem, field="fuse", hint="omit it; it is for eval")
    prompted = prompt is not None or isinstance(settings, PromptTraining)
    kind, remedy = (PromptTraining, "omit the prompt") if prompted else (TitleTraining, "add a prompt")
    training = settings or kind()
    if not isinstance(training, kind):
        problem = f"expected a {kind.__name__}, got {type(training).__name__}"
        raise InputError(problem, field="settings", hint=f"give a {kind.__name__}, or {remedy}")
    if isinstance(training, TitleTraining):
        expect(training.shape, TitleShape, "a TitleShape", "shape")
    training = gather(kind, flat(training))
    expect(validation_users, Integral, "a number of users", "validation_users")
    if validation_users and validation_users < LEAST_VALIDATION:
        problem = f"{count_of(validation_users, 'user')} for validation; at least {LEAST_VALIDATION} are needed"
        raise InputError(problem, field="validation_users", hint="sample more, or all: 0")
    if isinstance(training, TitleTraining):
        base = model if isinstance(model, ModelSettings) else gather(ModelSettings, {"model": model})
        cases = gather(as_settings(data), others | {"seed": training.seed})
        return _finetune_titles(cases, folder, base, validation_users, training, say)
    setup, (read,) = Setup.of(as_settings(data), prompt=prompt, model=model, **others)
    _refuse_eval_only(setup.prompt)
    return _finetune_prompt(setup, replace(read, seed=training.seed), folder, validation_users, training, say)


def _finetune_titles(
    cases: CaseSettings, out: Path, model: ModelSettings, validation_users: int, settings: TitleTraining, say: Say
) -> Mapping[str, Any]:
    from llmrank.finetune.titles import choose_title_fusion, train_titles

    if names_file(cases):
        hint = "give a dataset or a folder; to train on a file of Cases, add a --prompt"
        raise InputError("training on titles needs all events of the users", path=cases.data, hint=hint)
    if settings.start is not None:
        settings = replace(settings, start=find_adapter(settings.start))
    split = prepare(cases, default_users=0, say=say).split
    inner = validation_split(split)
    # Fail early on leakage from the future, and on too little data.
    if settings.start is not None:
        _check_start(settings.start, split)
    sequences = title_sequences(inner, settings.users, settings.seed)
    validation = Validation(validation_cases(split, cases, validation_users, say))
    base = resolve_model(model.model, revision=model.revision, say=say)
    card = train_titles(base, sequences, validation.asked, out, settings, say=say)
    return card if "fusion" in card else choose_title_fusion(out, base, validation, cases.recall, say=say)


def _check_start(folder: Path, split: Split) -> None:
    """Raise InputError if the adapter has seen events of the test side: `eval` would refuse what is trained from it."""
    past, dataset = histories(split), split.dataset
    asked = [
        (user, item_id)
        for user, events in held_out(split).items()
        for item_id in sorted({one.item.item_id for one in events} - {one.item.item_id for one in past[user]})
    ]
    check_split(read_card(folder, NEXT_TITLE), dataset.sha256, split.name, dataset.whole_sha256, asked)


def _finetune_prompt(
    setup: Setup, read: CaseSettings, out: Path, validation_users: int, settings: PromptTraining, say: Say
) -> Mapping[str, Any]:
    from llmrank.finetune.prompts import AskedCases, train_prompt

    _task(setup)
    # Fail before the recall stage is fitted, once for each target.
    made = Composer(setup.prompt, TrainingData(lambda: ())).method(setup.template)
    _check_asked_once(setup, made, 2)
    check_answer(made, regression=settings.regression)
    learned, validation = _solved_cases(setup, read, validation_users, settings, say)
    model = resolve_model(setup.model.model, revision=setup.model.revision, say=say)
    with Session(setup.model, say=say) as session:
        if not isinstance(session.backend, VllmBackend):
            raise InputError("only an in-process model can be trained", field="backend", hint="use --backend vllm")
        asked = [AskedCases(cases, _asked_once(setup, session, cases)) for cases in (*learned, validation)]
        return train_prompt(model, session.backend, asked[:-1], asked[-1], out, settings, say=say)


def _solved_cases(
    setup: Setup, read: CaseSettings, validation_users: int, settings: PromptTraining, say: Say
) -> tuple[list[CaseSet], CaseSet]:
    """Return the training Cases and the validation Cases."""
    task = _task(setup)
    if names_file(read):
        return parted(_from_file(setup, read, say), validation_users, settings)
    split = prepare(read, default_users=0, say=say).split
    validation = validation_cases(split, read, validation_users, say, task)
    # Of the training events of a user, the last is for validation, and something precedes the first target.
    most = int(np.bincount(split.train.user).max()) - 2
    if settings.targets > most:
        problem = f"the longest history has only {count_of(max(most, 0), 'event')} to learn"
        hint = f"use at most {most}" if most > 0 else "use data with longer histories"
        raise InputError(problem, field="targets", hint=hint)
    learned: list[CaseSet] = []
    for _ in range(settings.targets):
        split = validation_split(split)
        learned.append(validation_cases(split, read, settings.users, say, task))
    _note(setup, learned[0], say)
    return learned, validation


def _note(setup: Setup, cases: CaseSet, say: Say) -> None:
    """Say what an evaluation would note about these prompts, whose wording the model learns."""
    note_domain(setup, cases.domain, say)
    for note in untitled(cases):
        say(note)


def _from_file(setup: Setup, read: CaseSettings, say: Say) -> CaseSet:
    """Return the Cases of a file. Raises InputError for a target without a rating: it would count as not liked."""
    assert setup.template is not None
    found = cases_of(read, read, tasks_of(setup.prompt, setup.template), say=say)
    if found.task == "rating" and (unrated := [case for case in found if case.rating is None]):
        problem = f"{len(unrated):,} of {count_of(len(found), 'target')} have no rating to learn"
        hint = "add the ratings, or leave these rows out"
        raise InputError(problem, path=read.data, user=unrated[0].user_id, field="rating", hint=hint)
    for note in found.notes:
        say(note)
    note_domain(setup, found.domain, say)
    return found


def parted(cases: CaseSet, validation_users: int, settings: PromptTraining) -> tuple[list[CaseSet], CaseSet]:
    """Divide the Cases of a file by user into training Cases and validation Cases."""
    if settings.targets != 1:
        hint = "omit it, or add a Case for each event to the file"
        raise InputError("this has no effect on a file of Cases", field="targets", hint=hint)
    users = {case.user_id for case in cases}
    most = len(users) // 5
    kept = set(sample_users(users, min(validation_users or most, most), settings.seed))
    if not kept:
        hint = "add more users to the file; a fifth of them is held out for validation"
        problem = f"the file has {count_of(len(users), 'user')}, too few for validation"
        raise InputError(problem, field="data", hint=hint)
    learned = set(sample_users(users - kept, settings.users or len(users), settings.seed))
    parts = (replace(cases, cases=tuple(case for case in cases if case.user_id in part)) for part in (learned, kept))
    first, validation = parts
    return [first], validation


def as_settings(data: str | Path | CaseSettings) -> CaseSettings:
    """Return the settings, or those of the named dataset."""
    expect(data, (str, Path, CaseSettings), "the name of a dataset, a folder, a file, or a CaseSettings", "data")
    return data if isinstance(data, CaseSettings) else CaseSettings(data)


def export_sft(
    data: str | Path | CaseSettings,
    out: str | Path,
    *,
    form: SftFormat = "trl",
    overwrite: bool = False,
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    model: str | ModelSettings | None = None,
    say: Say = silent,
    **settings: Any,
) -> Mapping[str, object]:
    """Write prompts with their correct answers for another trainer, and return the file's card (see `write_sft`).

    The prompts are byte-identical to those of an evaluation with the same settings. Each user's last training event is
    the correct answer, the recall stage is fitted without these events, and the file contains no test data. For a
    candidate file, its own Cases are written. A prompt about a single item gets two examples per user: the event's item
    and another candidate. A rating prompt gets the event's rating. Without `prompt`, the default prompt is written
    without a profile (`no_profile`), with a message.

    Args:
        data: Name of a dataset, a folder, or a candidate file; or a `CaseSettings`, whose `users` None means all.
        out: JSON Lines file to write.
        form: `trl` or `openai`.
        overwrite: Whether to replace an existing file.
        prompt: Name or path of a template, a template, or a `PromptSettings`.
        model: The model to be trained. It decides which identifiers are single tokens, and how much history fits. A
            model that is not on this machine is not downloaded, and neither is then checked.
        say: Receives progress messages.
        settings: Any field of `CaseSettings`, `PromptSettings` and `ModelSettings`, by name.

    Raises:
        InputError: invalid settings; a prompt with several calls or a profile; missing ratings; an answer format
            without a known correct answer; or a file that cannot be written.
    """
    check_choice("form", form, get_args(SftFormat))
    setup, (read,) = Setup.of(as_settings(data), prompt=prompt, model=model, **settings)
    _refuse_eval_only(setup.prompt)
    path = as_path(out, "out")
    check_free(path, overwrite=overwrite)
    task = _task(setup)
    if prompt is None or (isinstance(prompt, PromptSettings) and prompt.prompt is None):
        setup = _without_profile(setup, say)
    if names_file(read):
        drawn = _from_file(setup, read, say)
    else:
        split = prepare(read, default_users=0, say=say).split
        drawn = validation_cases(split, read, read.users or 0, say, task)
        _note(setup, drawn, say)
    cases = drawn.cases if drawn.task == "rating" else reachable(drawn)
    if not cases:
        problem = f"none of {count_of(len(drawn), 'Case')} has a relevant candidate"
        field, hint = "k", "show more candidates, or use another recall model"
        if drawn.split is None:
            field, hint = "relevant", "add the relevant items to the rows"
        raise InputError(problem, field=field, hint=hint)
    with Session(setup.model, say=say) if is_here(setup.model) else Session.without_model() as session:
        method = _asked_once(setup, session, drawn)
        assert method.prompt is not None
        return write_sft(sft_examples(cases, method.prompt, method.order.arrange), path, form, drawn)


def _refuse_eval_only(prompt: PromptSettings) -> None:
    """Raise InputError for a setting that would have no effect."""
    for name in filter(EVAL_ONLY.__contains__, changed(prompt)):
        problem = "a training learns the correct answer of a single call for each list, so this has no effect"
        raise InputError(problem, field=name, hint="omit it; it is for eval")


def _task(setup: Setup) -> Task:
    """Return the task of the prompt. Raises InputError for a ranker without one."""
    if setup.template is None:
        raise InputError("this method has no prompt to learn", field="ranker", hint="omit it, and give a --prompt")
    return template_task(setup.template)


def _without_profile(setup: Setup, say: Say) -> Setup:
    """Return the setup without a profile, since a training file contains no answers of a model."""
    if setup.template is None or setup.template.front.profile is None or setup.prompt.no_profile:
        return setup
    say(f"{setup.template.name} is written without its profile: evaluate the trained model with --no-profile")
    return replace(setup, prompt=replace(setup.prompt, no_profile=True))


def _asked_once(setup: Setup, session: Session, cases: CaseSet) -> Method:
    """Return the method for these Cases. Raises InputError if it makes several calls per Case."""
    method = setup.method(session, cases.training, cases.seed, cases.domain)
    _check_asked_once(setup, method, max((len(case.candidates) for case in cases), default=0))
    return method


def _check_asked_once(setup: Setup, method: Method, longest: int) -> None:
    """Raise InputError if the method makes several calls for a list of `longest`, or shows what a training must not."""
    assert method.prompt is not None
    template = method.prompt.template
    if method.prompt.profile is not None:
        hint = "add --no-profile, here and in the `eval` of the trained model"
        raise InputError(f"{template.name} needs a first call for a profile", field="prompt", hint=hint)
    if method.order.mode == "target-at":
        problem = "this order always shows the relevant item at the same position"
        raise InputError(problem, field="order", hint="use shuffled")
    if not template.front.about_one_item and (calls := method.ranker.needs(longest).calls) > 1:
        problem = f"{method.ranker.name} makes up to {calls} calls for a list of {longest}"
        hint = "use a method with a single call (listwise, first_token), or fewer candidates (-k)"
        raise InputError(problem, field="ranker", hint=hint)
