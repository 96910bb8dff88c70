"""The identifiers by which a prompt and its answer name items, and the labels that suit a model's tokenizer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import count, islice, product
from string import ascii_lowercase, ascii_uppercase
from typing import Literal, get_args

from llmrank.errors import InputError
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
"""Short, common, unlike each other, and none of them a rank, a number or a judgement."""
SLICE = 256
"""How many candidate labels an endpoint is asked about at a time."""


def identifiers(scheme: Ids, items: Sequence[Item], labels: Sequence[str] = ()) -> tuple[str, ...]:
    """Return one identifier per item, in order; empty where the titles themselves are the identifiers.

    Letters go on after Z as AA, AB, …. `labels`, where given, stand in the place of letters and of words. Raises
    InputError where a scheme has fewer identifiers than there are items.
    """
    if labels and scheme in ("letters", "words"):
        if len(items) > len(labels):
            raise InputError(
                f"{len(items)} candidates need as many labels, and this model has {len(labels)} that are single tokens",
                field="-k",
                hint="use --ranker sliding_window, which asks with this prompt window by window; "
                f"--first recall_order --first-top {len(labels)}; or -k {len(labels)}",
            )
        return tuple(labels[: len(items)])
    match scheme:
        case "titles":
            return ()
        case "numbers":
            return tuple(str(number) for number in range(1, len(items) + 1))
        case "letters":
            return tuple(islice(_letters(), len(items)))
        case "item_id":
            return tuple(item.item_id for item in items)
        case "words":
            if len(items) > len(WORDS):
                raise InputError(
                    f"--ids words names at most {len(WORDS)} items, and {len(items)} are to be shown",
                    field="--ids",
                    hint="use --ids numbers, or show fewer candidates (-k)",
                )
            return WORDS[: len(items)]


def label_pool(scheme: Ids = "letters") -> Iterator[str]:
    """Yield candidate labels, several thousand, those that suit the scheme first: letters, two-letter codes, words,
    digits, longer codes."""
    codes = ["".join(letters) for letters in product(ascii_uppercase, repeat=2)]
    groups: list[Sequence[str]] = [ascii_uppercase, codes, WORDS, "0123456789"]
    if scheme == "words":
        groups.insert(0, groups.pop(2))
    groups += [[code.lower() for code in codes], [code.capitalize() for code in codes], ascii_lowercase]
    groups += [["".join(letters) for letters in product(ascii_uppercase, "AEIOUY", ascii_uppercase)]]
    return (label for group in groups for label in group)


async def find_labels(
    tokens: Callable[[Sequence[str]], Awaitable[Mapping[str, int] | None]],
    n: int = LABEL_LIMIT,
    scheme: Ids = "letters",
) -> tuple[str, ...]:
    """Return the first `n` labels of the pool that are single tokens of a model, each a different token.

    `tokens` returns the token id of each text that is one token where the model's answer begins, or None where the
    tokenizer is not known (`backend.label_tokens`); it is asked about a slice of the pool at a time. Fewer than `n`
    come back where the pool does not hold more, none where the tokenizer is not known; the first m of n are those that
    m would bring.
    """
    chosen: dict[int, str] = {}
    pool = label_pool(scheme)
    while len(chosen) < n and (part := list(islice(pool, SLICE))):
        if (told := await tokens(part)) is None:
            return ()
        for label in part:
            if label in told:
                chosen.setdefault(told[label], label)
    return tuple(chosen.values())[:n]


def _letters() -> Iterator[str]:
    return ("".join(letters) for length in count(1) for letters in product(ascii_uppercase, repeat=length))
