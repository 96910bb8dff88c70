"""Labels as tokens: which single token of a model stands for `A`."""

from __future__ import annotations

from collections.abc import Callable

from llmrank.errors import FatalBackendError

LABEL_LIMIT = 128
"""How many token ids vLLM returns log-probabilities of at a time."""


def single_token(label: str, encode: Callable[[str], list[int]], *, spaced: bool) -> int:
    """Return the id of the one token that reads `label`; raises FatalBackendError naming it when there is none.

    After a chat template the answer begins without a space, so the bare form is taken if it is one token; `spaced`
    (a model without a chat template, whose prompt ends with a word) prefers the form with a leading space.
    """
    forms = (f" {label}", label) if spaced else (label, f" {label}")
    for form in forms:
        if len(ids := encode(form)) == 1:
            return ids[0]
    raise FatalBackendError(
        f"label {label!r} is {len(encode(label))} tokens of this model, and a label must be one\n"
        "  hint: use letters as identifiers (--ids letters), or an answer format that reads text"
    )
