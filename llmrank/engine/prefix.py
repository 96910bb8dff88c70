"""What a prefix cache can save: the part of a Case's prompts that is different text, and so must be computed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from os.path import commonprefix

from llmrank.types import Request


def distinct_share(requests: Sequence[Request]) -> float:
    """Return which share of the prompts' characters remains when every common beginning is counted once, in [0, 1].

    For K prompts that share a prefix of P characters and end in S each it is (P + K * S) / (K * (P + S)): the least
    that must be computed, as a share of all. Characters stand for tokens, which only the backend could count: what a
    chat template adds to every prompt is not among them, so it errs on the side of too little.
    """
    if len(requests) < 2:
        return 1.0
    # Sorted, each text shares its longest beginning with the one before it: the sum is the size of their trie.
    texts = sorted("\0".join(message.content for message in request.messages) for request in requests)
    total = sum(map(len, texts))
    distinct = sum(
        len(text) - len(commonprefix((before, text)))  # noqa: RUF071 - characters are what is meant
        for before, text in pairwise(["", *texts])
    )
    return distinct / total if total else 1.0
