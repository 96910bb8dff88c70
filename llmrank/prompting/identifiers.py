"""The identifiers that name items in prompts and answers, and the labels that suit a model's tokenizer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, count, islice, product
from string import ascii_lowercase, ascii_uppercase
from typing import Literal, get_args

from llmrank.errors import InputError, count_of
from llmrank.types import LABEL_LIMIT, Item

Ids = Literal["titles", "numbers", "letters", "item_id", "words"]
IDS: tuple[Ids, ...] = get_args(Ids)

_WORDS = """
apple river stone cloud tiger lemon piano garden window bridge candle forest silver mountain table rabbit ocean ladder
butter engine orange castle paper needle basket winter dragon pocket mirror cotton hammer island jacket kettle lantern
marble napkin olive pencil quilt ribbon saddle tunnel umbrella velvet wagon yellow zebra anchor barrel camel desert
eagle falcon ginger harbor insect jungle kitten lizard magnet nectar onion parrot rocket salmon temple uncle valley
walnut yogurt arrow bottle carpet donkey elbow feather guitar helmet iron jewel knife ladle meadow nest oyster pepper
queen radio spider tomato urn violin whale yard acorn bread copper daisy emerald fox glove honey ink jar key leaf moon
nut owl plum rose ship tree van wolf barn crown drum flute goat hat kite lamp mouse nail oven shell
"""
WORDS: tuple[str, ...] = tuple(_WORDS.split())
"""Short, common, dissimilar words; none is a rank, a number or a judgement."""
SLICE = 256
"""The number of possible labels to send to an endpoint at a time."""


def identifiers(scheme: Ids, items: Sequence[Item], labels: Sequence[str] = ()) -> tuple[str, ...]:
    """Return one identifier per item, in order; empty if titles are the identifiers.

    Letters continue after Z with AA, AB, …. `labels`, if given, replace letters and words. Raises InputError if a
    scheme has fewer identifiers than there are items.
    """
    if labels and scheme in ("letters", "words"):
        if len(items) > len(labels):
            n = len(labels)
            only = count_of(n, "single-token label")
            problem = f"{len(items)} candidates need as many labels, but this model has only {only}"
            hint = "use --ranker sliding_window, which asks with this prompt window by window; "
            raise InputError(problem, field="k", hint=f"{hint}--first recall_order --first-top {n}; or -k {n}")
        return tuple(labels[: len(items)])
    match scheme:
        case "titles":
            return ()
        case "numbers":
            return _numbers(len(items))
        case "letters":
            return _letters(len(items))
        case "item_id":
            return tuple(item.item_id for item in items)
        case "words":
            if len(items) > len(WORDS):
                problem = f"there are {len(WORDS)} words as identifiers, but the list has {len(items)} items"
                raise InputError(problem, field="ids", hint="use --ids numbers, or show fewer candidates (-k)")
            return WORDS[: len(items)]


@lru_cache(maxsize=64)
def _numbers(n: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, n + 1))


@lru_cache(maxsize=64)
def _letters(n: int) -> tuple[str, ...]:
    names = ("".join(letters) for length in count(1) for letters in product(ascii_uppercase, repeat=length))
    return tuple(islice(names, n))


def label_pool() -> Iterator[str]:
    """Yield several thousand possible labels: letters, two-letter codes, words, digits, longer codes."""
    codes = ["".join(letters) for letters in product(ascii_uppercase, repeat=2)]
    lower, capitalised = [code.lower() for code in codes], [code.capitalize() for code in codes]
    syllables = map("".join, product(ascii_uppercase, "AEIOUY", ascii_uppercase))
    return chain(ascii_uppercase, codes, WORDS, "0123456789", lower, capitalised, ascii_lowercase, syllables)


async def find_labels(tokens: Callable[[Sequence[str]], Awaitable[Mapping[str, int] | None]]) -> tuple[str, ...]:
    """Return the first `LABEL_LIMIT` labels of the pool that are distinct single tokens of a model.

    `tokens` (`backend.label_tokens`) returns the token id of each text that is a single token at the start of the
    model's answer, or None if the tokenizer is unknown. It is called for a slice of the pool at a time. The result is
    shorter if the pool is exhausted, and empty if the tokenizer is unknown.
    """
    chosen: dict[int, str] = {}
    pool = label_pool()
    while len(chosen) < LABEL_LIMIT and (part := list(islice(pool, SLICE))):
        if (known := await tokens(part)) is None:
            return ()
        for label in part:
            if label in known:
                chosen.setdefault(known[label], label)
    return tuple(chosen.values())[:LABEL_LIMIT]
