"""Labels as tokens: which single token of a model stands for `A`."""

from __future__ import annotations

from collections.abc import Callable

from llmrank.errors import FatalBackendError


def single_token(label: str, encode: Callable[[str], list[int]], *, spaced: bool) -> int:
    """Return the id of the one token that stands for `label`; raises FatalBackendError if the label is several tokens.

    After a chat template the answer begins without a space, so the bare form is preferred; with `spaced` (a model
    without a chat template, whose prompt ends with a word) it is the form with a leading space.
    """
    forms = (f" {label}", label) if spaced else (label, f" {label}")
    for form in forms:
        if len(ids := encode(form)) == 1:
            return ids[0]
    raise FatalBackendError(
        f"label {label!r} is {len(encode(label))} tokens of this model, and a label must be one\n"
        "  hint: use --ids letters (they are chosen for the model), or an answer format that reads text"
    )
