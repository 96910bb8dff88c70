"""Fine-tuning: training data without futures, LoRA adapters of a small model, and files for other trainers.

`finetune` and `export_sft` do the whole of it, from the name of a dataset to a folder or a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from llmrank.backends.models import DEFAULT_MODEL, resolve_model
from llmrank.backends.vllm import VllmBackend
from llmrank.data.candidate_writing import check_free
from llmrank.data.cases import sample_users
from llmrank.data.splits import validation_split
from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, cases_of, names_file, prepare, reachable, validation_cases
from llmrank.evaluation.fusing import Validation
from llmrank.evaluation.method import Method, tasks_of, template_task
from llmrank.evaluation.session import Session, is_here
from llmrank.evaluation.settings import CaseSettings, ModelSettings, PromptSettings, gather
from llmrank.evaluation.setup import Setup
from llmrank.files import cache_folder
from llmrank.finetune.export import SftFormat, sft_examples, write_sft
from llmrank.finetune.sequences import check_no_futures, title_sequences
from llmrank.finetune.settings import PromptTraining, TitleTraining, Training
from llmrank.progress import Say, silent
from llmrank.prompting import PromptTemplate
from llmrank.rankers.options import check_choice
from llmrank.types import Task

__all__ = ["PromptTraining", "TitleTraining", "export_sft", "finetune"]

VALIDATION_USERS = 1000


def finetune(
    data: str | Path | CaseSettings,
    out: Path,
    *,
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    model: str | ModelSettings = DEFAULT_MODEL,
    validation_users: int = VALIDATION_USERS,
    settings: Training | None = None,
    say: Say = silent,
    **others: Any,  # noqa: ANN401 - checked by name and type
) -> Mapping[str, Any]:
    """Train an adapter, and return its card.

    Without a prompt it continues users' sequences of titles, and how it is fused with the recall stage is chosen:
    `evaluate(…, ranker="next_title", adapter=out)` asks it. With a prompt it learns the log-probabilities of the labels
    that are read of its answers: `evaluate(…, prompt=prompt, adapter=out)`.

    Trained on the training side of the split without each user's last training event; that event is the validation
    target, ranked among the candidates of a recall stage that has not seen it either. With a prompt, a file of solved
    Cases will do as well: some of its users are kept for validation. The same call continues a training that was
    stopped.

    Args:
        data: Name of a dataset, or a folder; with a prompt also a candidate file; or all settings of the data.
        out: Folder of the adapter.
        prompt: Name or path of a template, the template itself, or all settings of the prompt.
        model: Base model.
        validation_users: How many are drawn to decide which weights are kept; 0: all. Of a file a fifth at most.
        settings: Of the training, a `TitleTraining` or with a prompt a `PromptTraining`; None: the defaults.
        say: Told what is being done.
        others: Fields of `CaseSettings` that say how the data is read and cut, and what proposes the candidates:
            `split`, `recall`, `k`, `k_core`, `columns`, `file_order`; with a prompt those of `PromptSettings` too.

    Raises:
        InputError: see `train_titles` and `train_prompt`.
        MissingError: a package, a model or a dataset is missing.
    """
    for name in ("seed", "users", "skip_bad_rows"):
        if name in others:
            hint = "the settings of the training have the seed and the users to learn from"
            raise InputError("the data of a training have no such setting", field=name, hint=hint)
    if prompt is None and not isinstance(settings, PromptTraining):
        titles = settings or TitleTraining()
        if not isinstance(titles, TitleTraining):
            raise InputError("settings of no training", field="settings", hint="give a TitleTraining")
        base = model if isinstance(model, ModelSettings) else ModelSettings(model)
        cases = gather(as_settings(data), others | {"seed": titles.seed})
        return _finetune_titles(cases, out, base, validation_users, titles, say)
    training = settings or PromptTraining()
    if not isinstance(training, PromptTraining):
        hint = "give a PromptTraining, or leave the prompt out"
        raise InputError("a training with a prompt has other settings", field="settings", hint=hint)
    setup, (read,) = Setup.of(as_settings(data), prompt=prompt, model=model, **others)
    return _finetune_prompt(setup, replace(read, seed=training.seed), out, validation_users, training, say)


def _finetune_titles(
    cases: CaseSettings, out: Path, model: ModelSettings, validation_users: int, settings: TitleTraining, say: Say
) -> Mapping[str, Any]:
    from llmrank.finetune.titles import choose_title_fusion, train_titles

    if names_file(cases):
        hint = "name a dataset or a folder; on a file of Cases a --prompt can be trained"
        raise InputError("a model of titles learns from all events of its users", path=cases.data, hint=hint)
    split = prepare(cases, default_users=0, say=say).split
    inner = validation_split(split)
    # Refuses futures, and too little data, before anything is fitted.
    sequences = title_sequences(inner, settings.users, settings.seed)
    validation = Validation(validation_cases(split, cases, validation_users, say))
    base = resolve_model(model.model, cache=cache_folder(), revision=model.revision, say=say)
    card = train_titles(base, sequences, validation.asked, out, settings, say=say)
    return card if "fusion" in card else choose_title_fusion(out, base, validation, cases.recall, say=say)


def _finetune_prompt(
    setup: Setup, read: CaseSettings, out: Path, validation_users: int, settings: PromptTraining, say: Say
) -> Mapping[str, Any]:
    from llmrank.finetune.prompts import AskedCases, train_prompt

    learned, validation = _solved_cases(setup, read, validation_users, settings, say)
    model = resolve_model(setup.model.model, cache=cache_folder(), revision=setup.model.revision, say=say)
    with Session(setup.model, say=say) as session:
        if not isinstance(session.backend, VllmBackend):
            raise InputError("only a model in this process can be trained", field="backend", hint="use --backend vllm")
        asked = [AskedCases(cases, _asked_once(setup, session, cases)) for cases in (*learned, validation)]
        return train_prompt(model, session.backend, asked[:-1], asked[-1], out, settings, say=say)


def _solved_cases(
    setup: Setup, read: CaseSettings, validation_users: int, settings: PromptTraining, say: Say
) -> tuple[list[CaseSet], CaseSet]:
    """Return the Cases to learn from, and those of validation."""
    task = _task(setup)
    if names_file(read):
        return parted(_from_file(setup, read, say), validation_users, settings)
    split = prepare(read, default_users=0, say=say).split
    check_no_futures(split)
    validation = validation_cases(split, read, validation_users, say, task)
    learned: list[CaseSet] = []
    for _ in range(settings.targets):
        split = validation_split(split)
        learned.append(validation_cases(split, read, settings.users, say, task))
    return learned, validation


def _from_file(setup: Setup, read: CaseSettings, say: Say) -> CaseSet:
    assert setup.template is not None
    return cases_of(read, read, tasks_of(setup.prompt, setup.template), say=say)


def parted(cases: CaseSet, validation_users: int, settings: PromptTraining) -> tuple[list[CaseSet], CaseSet]:
    """Return the Cases of a file in two parts, by users: those to learn from, and those of validation."""
    if settings.targets != 1:
        hint = "leave it out, or put a Case for each event into the file"
        raise InputError("a file has the Cases that can be asked about", field="targets", hint=hint)
    users = {case.user_id for case in cases}
    most = len(users) // 5
    kept = set(sample_users(users, min(validation_users or most, most), settings.seed))
    if not kept:
        hint = "put more users into the file: a fifth of them decides which weights are kept"
        raise InputError(f"the file has {len(users)} users, too few for a validation", field="data", hint=hint)
    learned = set(sample_users(users - kept, settings.users or len(users), settings.seed))
    parts = (replace(cases, cases=tuple(case for case in cases if case.user_id in part)) for part in (learned, kept))
    first, validation = parts
    return [first], validation


def as_settings(data: str | Path | CaseSettings) -> CaseSettings:
    """Return the settings of a dataset that is named, or those that are given."""
    return data if isinstance(data, CaseSettings) else CaseSettings(data)


def export_sft(
    data: str | Path | CaseSettings,
    out: Path,
    *,
    form: SftFormat = "trl",
    overwrite: bool = False,
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    model: str | ModelSettings | None = None,
    say: Say = silent,
    **settings: Any,  # noqa: ANN401 - checked by name and type
) -> Mapping[str, object]:
    """Write prompts with their right answers for another trainer, and return the file's card (see `write_sft`).

    The prompts are, to the byte, what an evaluation with the same settings sends; each user's last training event is
    the right answer, and nothing of the test side is in the file. The recall stage is fitted without these events.
    Of a candidate file the Cases themselves are written. A prompt about one item gets two examples of each user: that
    event's item, and another candidate; a prompt that asks for a rating gets the event's rating. Where no prompt is
    named, the usual one is written without the profile that a model would write first (`no_profile`), which is said.

    Args:
        data: Name of a dataset, a folder, or a candidate file; or all settings of the data, of which `users` None means
            all.
        out: File to write, one JSON object a line.
        form: `trl` or `openai`.
        overwrite: Whether the file may be there already.
        prompt: Name or path of a template, the template itself, or all settings of the prompt.
        model: The model that will be asked: it decides which identifiers are single tokens, and how much history fits.
            One that is not on this machine is not fetched; then neither is looked at.
        say: Told what is being done.
        settings: Any field of `CaseSettings`, `PromptSettings` and `ModelSettings`, by name.

    Raises:
        InputError: something in the settings is wrong; a prompt that asks in several calls, or for a profile first;
            the ratings are not known; no right answer is known for its answer format; the file cannot be written.
    """
    check_choice("form", form, get_args(SftFormat))
    setup, (read,) = Setup.of(as_settings(data), prompt=prompt, model=model, **settings)
    check_free(out, overwrite=overwrite)
    task = _task(setup)
    if prompt is None or (isinstance(prompt, PromptSettings) and prompt.prompt is None):
        setup = _without_profile(setup, say)
    if names_file(read):
        drawn = _from_file(setup, read, say)
    else:
        split = prepare(read, default_users=0, say=say).split
        check_no_futures(split)
        drawn = validation_cases(split, read, read.users or 0, say, task)
    cases = drawn.cases if drawn.task == "rating" else reachable(drawn)
    if not cases:
        problem = f"none of {len(drawn)} Cases has its relevant item among the candidates"
        raise InputError(problem, field="-k", hint="show more candidates, or use another recall model")
    with Session(setup.model, say=say) if is_here(setup.model) else Session.without_model() as session:
        method = _asked_once(setup, session, drawn)
        assert method.prompt is not None
        return write_sft(sft_examples(cases, method.prompt, method.order.arrange), out, form, drawn)


def _task(setup: Setup) -> Task:
    """Return what the prompt asks for; raises InputError where there is none."""
    if setup.template is None:
        raise InputError("there is no prompt", field="prompt", hint="name one, such as --prompt rankgpt")
    return template_task(setup.template)


def _without_profile(setup: Setup, say: Say) -> Setup:
    """Return the same without a profile: a training file has no answer of a model."""
    if setup.template is None or setup.template.front.profile is None or setup.prompt.no_profile:
        return setup
    say(f"{setup.template.name} is written without its profile: evaluate what is trained with --no-profile")
    return replace(setup, prompt=replace(setup.prompt, no_profile=True))


def _asked_once(setup: Setup, session: Session, cases: CaseSet) -> Method:
    """Return how these Cases are asked about; raises InputError for a method that asks several times about one."""
    method = setup.method(session, cases.training, cases.seed, cases.domain)
    assert method.prompt is not None
    template = method.prompt.template
    if method.prompt.profile is not None:
        hint = "add --no-profile (in Python no_profile=True), here and to the `eval` of what is trained"
        raise InputError(f"{template.name} shows a profile that the model writes first", field="prompt", hint=hint)
    if method.order.mode == "target-at":
        raise InputError("this order shows the relevant item at one place", field="order", hint="use shuffled")
    longest = max((len(case.candidates) for case in cases), default=0)
    if not template.front.about_one_item and (calls := method.ranker.needs(longest).calls) > 1:
        problem = f"{method.ranker.name} asks up to {calls} times about a list of {longest}"
        hint = "use a method that asks once (listwise, first_token), or show as few candidates as one call (-k)"
        raise InputError(problem, field="ranker", hint=hint)
    return method
