"""Fine-tuning: training data without futures, LoRA adapters of a small model, and files for other trainers.

`finetune` and `export_sft` do the whole of it, from the name of a dataset to a folder or a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from llmrank.backends.models import DEFAULT_MODEL, resolve_model, silent
from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import parse_split
from llmrank.data.validation import validation_split
from llmrank.files import cache_folder
from llmrank.recall import candidates_for, recall_model
from llmrank.types import Case

if TYPE_CHECKING:
    from llmrank.finetune.export import SftFormat
    from llmrank.finetune.train import TitleTraining
    from llmrank.rankers.prompt import Prompt

__all__ = ["export_sft", "finetune", "validation_cases"]

Say = Callable[[str], None]


def finetune(
    data: str | Path,
    out: Path,
    *,
    model: str = DEFAULT_MODEL,
    split: str = "leave-last-out",
    recall: str = "ease",
    k: int = 50,
    validation_users: int = 400,
    settings: TitleTraining | None = None,
    say: Say = silent,
) -> Mapping[str, Any]:
    """Train an adapter that continues users' sequences of titles, choose how it is fused with the recall stage, and
    return its card.

    Trained on the training side of `split` without each user's last training event; that event is the validation
    target, ranked among the `k` candidates of a recall stage that has not seen it either.

    Args:
        data: Name of a dataset, or a folder.
        out: Folder of the adapter.
        model: Base model.
        split: Where the test side begins; nothing of it is used.
        recall: Model that proposes the validation candidates.
        k: Validation candidates per user.
        validation_users: At most as many users decide which weights are kept; those whose target is proposed.
        settings: Of the training; None: the defaults.
        say: Told what is being done.

    Raises:
        InputError: see `train_titles`.
        MissingError: a package, a model or a dataset is missing.
    """
    from llmrank.finetune.sequences import title_sequences
    from llmrank.finetune.train import choose_title_fusion, train_titles

    inner = validation_split(parse_split(split)(load_dataset(str(data), say=say)))
    cases = validation_cases(inner, recall, k)
    Random(0).shuffle(cases)
    base = resolve_model(model, cache=cache_folder(), say=say)
    card = train_titles(base, title_sequences(inner), cases[:validation_users], out, settings, say=say)
    return card if "fusion" in card else choose_title_fusion(out, base, cases[:validation_users], recall, say=say)


def validation_cases(inner: Split, recall: str = "ease", k: int = 50) -> list[Case]:
    """Return the Cases of a validation split whose target is among the candidates: of the others nothing is learned."""
    users = sorted(inner.dataset.users[user] for user in set(inner.test.user.tolist()))
    cases = candidates_for(inner, recall_model(recall), k, users)
    return [case for case in cases if set(case.relevant) & {item.item_id for item in case.candidates}]


def export_sft(
    data: str | Path,
    prompt: Prompt,
    out: Path,
    *,
    form: SftFormat = "trl",
    split: str = "leave-last-out",
    recall: str = "ease",
    k: int = 20,
    arrange: Callable[[Case], Case] = lambda case: case,
    say: Say = silent,
) -> Mapping[str, object]:
    """Write prompts with their right answers for another trainer (see `write_sft`), and return the file's card."""
    from llmrank.finetune.export import sft_examples, training_cases, write_sft

    cut = parse_split(split)(load_dataset(str(data), say=say))
    return write_sft(sft_examples(training_cases(cut, recall_model(recall), k), prompt, arrange), out, form, cut)
