"""Fine-tuning: training data without futures, LoRA adapters of a small model, and files for other trainers.

`finetune` and `export_sft` do the whole of it, from the name of a dataset to a folder or a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from llmrank.backends.models import DEFAULT_MODEL, resolve_model
from llmrank.data.splits import validation_split
from llmrank.errors import InputError
from llmrank.evaluation.cases import prepare, reachable, validation_cases
from llmrank.evaluation.fusing import Validation
from llmrank.evaluation.method import Task
from llmrank.evaluation.session import Session, is_here
from llmrank.evaluation.settings import CaseSettings, ModelSettings, PromptSettings, gather
from llmrank.evaluation.setup import Setup
from llmrank.files import cache_folder
from llmrank.finetune.export import SftFormat, sft_examples, write_sft
from llmrank.finetune.sequences import check_no_futures, title_sequences
from llmrank.finetune.settings import TitleTraining
from llmrank.progress import Say, silent
from llmrank.prompting import PromptTemplate
from llmrank.rankers.options import check_choice

__all__ = ["TitleTraining", "export_sft", "finetune"]

VALIDATION_USERS = 1000


def finetune(
    data: str | Path | CaseSettings,
    out: Path,
    *,
    model: str = DEFAULT_MODEL,
    validation_users: int = VALIDATION_USERS,
    settings: TitleTraining | None = None,
    say: Say = silent,
    **cases: Any,  # noqa: ANN401 - checked by name and type
) -> Mapping[str, Any]:
    """Train an adapter that continues users' sequences of titles, choose how it is fused with the recall stage, and
    return its card. `evaluate(…, ranker="next_title", adapter=out)` asks it.

    Trained on the training side of the split without each user's last training event; that event is the validation
    target, ranked among the candidates of a recall stage that has not seen it either. The same call continues a
    training that was stopped.

    Args:
        data: Name of a dataset, or a folder; or all settings of the data.
        out: Folder of the adapter.
        model: Base model.
        validation_users: How many are drawn to decide which weights are kept; 0: all.
        settings: Of the training; None: the defaults.
        say: Told what is being done.
        cases: Fields of `CaseSettings` that say how the data is read and cut, and what proposes the validation
            candidates: `split`, `recall`, `k`, `k_core`, `columns`, `file_order`.

    Raises:
        InputError: see `train_titles`.
        MissingError: a package, a model or a dataset is missing.
    """
    from llmrank.finetune.train import choose_title_fusion, train_titles

    settings = settings or TitleTraining()
    for name in ("seed", "users", "skip_bad_rows"):
        if name in cases:
            hint = "use settings=TitleTraining(…), which has the seed and the number of validation users"
            raise InputError("the data of a training have no such setting", field=name, hint=hint)
    read = gather(as_settings(data), cases | {"seed": settings.seed})
    split = prepare(read, default_users=0, say=say).split
    inner = validation_split(split)
    sequences = title_sequences(inner)  # refuses futures, and too little data, before anything is fitted
    validation = Validation(validation_cases(split, read, validation_users, say))
    base = resolve_model(model, cache=cache_folder(), say=say)
    card = train_titles(base, sequences, validation.asked, out, settings, say=say)
    return card if "fusion" in card else choose_title_fusion(out, base, validation, read.recall, say=say)


def as_settings(data: str | Path | CaseSettings) -> CaseSettings:
    """Return the settings of a dataset that is named, or those that are given."""
    return data if isinstance(data, CaseSettings) else CaseSettings(data)


def export_sft(
    data: str | Path | CaseSettings,
    out: Path,
    *,
    form: SftFormat = "trl",
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    model: str | ModelSettings | None = None,
    say: Say = silent,
    **settings: Any,  # noqa: ANN401 - checked by name and type
) -> Mapping[str, object]:
    """Write prompts with their right answers for another trainer, and return the file's card (see `write_sft`).

    The prompts are, to the byte, what an evaluation with the same settings sends; each user's last training event is
    the right answer, and nothing of the test side is in the file. The recall stage is fitted without these events.
    A prompt about one item gets two examples of each user: that event's item, and another candidate; a prompt that asks
    for a rating gets the event's rating.

    Args:
        data: Name of a dataset, or a folder; or all settings of the data, of which `users` None means all.
        out: File to write, one JSON object a line.
        form: `trl` or `openai`.
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
    if setup.template is None:
        raise InputError("there is no prompt", field="prompt", hint="name one, such as --prompt rankgpt")
    front = setup.template.front
    task: Task = "rating" if front.task == "rating" else "ranking"
    split = prepare(read, default_users=0, say=say).split
    check_no_futures(split)
    drawn = validation_cases(split, read, read.users or 0, say, task)
    cases = drawn.cases if task == "rating" else reachable(drawn)
    if not cases:
        raise InputError(
            f"none of {len(drawn)} training targets is among its candidates",
            field="-k",
            hint="show more candidates, or use another recall model",
        )
    with Session(setup.model, say=say) if is_here(setup.model) else Session.without_model() as session:
        method = setup.method(session, drawn.training, drawn.seed, drawn.domain)
        assert method.prompt is not None
        if method.prompt.profile is not None:
            raise InputError(
                f"{setup.template.name} shows a profile that the model writes first",
                field="prompt",
                hint="export it with --no-profile, and evaluate it so",
            )
        longest = max(len(case.candidates) for case in cases)
        if not front.about_one_item and (calls := method.ranker.needs(longest).calls) > 1:
            raise InputError(
                f"{method.ranker.name} asks up to {calls} times about a list of {longest}",
                field="ranker",
                hint="use a method that asks once (listwise, first_token), or show as few candidates as one call (-k)",
            )
        return write_sft(sft_examples(cases, method.prompt, method.order.arrange), out, form, split)
