"""Seconds to read 300 answers of 1 MB designed to be slow: `python -m tests.benchmarks.hostile_answers`."""

from __future__ import annotations

import argparse
import gc
import time

from llmrank.answers import answer_format
from llmrank.types import Item, Question, Response

TITLES = (
    *("Toy Story (1995)", "Toy Story 2 (1999)", "Matrix, The (1999)", "Good, the Bad and the Ugly, The (1966)", "300"),
    *("8 1/2 (8½) (1963)", "七人の侍 (1954)", "I, Robot (2004)"),
)
ITEMS = tuple(Item(f"i{number}", title) for number, title in enumerate(TITLES))
SHARDS = (
    *(
        " ",
        "\t",
        "\n",
        ", ",
        ",",
        "[",
        "]",
        "[1] > ",
        "[1",
        "{",
        "}",
        '[{"a":',
        '{"a": [1], ',
        '["a", ',
        "1. ",
        "1. x\n",
    ),
    *(
        "1 ",
        "1\n",
        "9",
        "1-",
        "A ",
        "A. x\n",
        "I. x\n",
        "> ",
        ">",
        "<",
        "< ",
        "<b>",
        "<b",
        "<li>x",
        "</",
        "<ol>",
        "<td>",
    ),
    *(
        "<think>",
        "</think>",
        "<answer>",
        "```",
        "~~",
        "~~x",
        "**",
        "**a",
        "*",
        "_",
        '"',
        '"a", ',
        "“",
        "'",
        "' ",
        "(",
        ")",
    ),
    *(
        "(1999) ",
        "(1999",
        "x (1999), ",
        "Toy Story, ",
        "Toy Story (1995) ",
        "- Toy Story\n",
        "Toy Stori (1995)\n",
        "|",
        "| x ",
    ),
    *(
        "a|b\n",
        "|-|-|\n",
        "-",
        "--",
        "- ",
        "- - ",
        "#",
        "&",
        "&amp;",
        "&#",
        "\\succ ",
        "x and ",
        "x: ",
        ": ",
        " - x",
        "a.k.a. ",
    ),
    *(
        "1/2 ",
        "½",
        "★",
        "4/5 ",
        "4 to ",
        "rating ",
        "rate ",
        "one ",
        "yes ",
        "no ",
        "not ",
        "answer ",
        "worst to ",
        "least ",
    ),
    *(
        "、",
        "①",
        "［",
        "一、",
        "1: 2\n",
        "1 -> 2\n",
        "Rank 1: Item 2\n",
        "a",
        "a.",
        "word 1 ",
        "I ",
        "('a', 1), ",
        "{'a': 1, ",
        "[abc] [",
        "<item>x",
        "│ x ",
        "â€™",
        "❌ x\n",
        "[1]: 0.5\n",
        "[1] is least. ",
        "A) x, ",
        "Low: x. ",
        "rank,title\n",
        "rank  title\n",
        "- title: x\n  rank: 1\n",
        '{"rank": 1, "title": "x"}\n',
        "1. x\n  y\n",
        "wait. ",
        "おすすめ順は、",
        "\x00",
        "\u0301",
        "ﷺ",
    ),
)
"""What a hostile answer repeats."""
HEADS = ("", "Sure", "1. ")
TAIL = "x"
FORMATS = ("titles", "permutation", "json", "choice", "rating", "yes_no")
QUESTIONS = (Question(ITEMS), Question(ITEMS, tuple("12345678")), Question(ITEMS, tuple("ABCDEFGH")))


def hostile(shard: str, head: str, length: int) -> str:
    """Return a text of about this length."""
    return head + shard * (length // len(shard)) + TAIL


def seconds(name: str, text: str, question: Question) -> float:
    """Return the CPU seconds that reading a text takes, without the collection of what others have left in memory."""
    read = answer_format(name).read
    gc.disable()
    began = time.process_time()
    read(Response(text), question)
    taken = time.process_time() - began
    gc.enable()
    return taken


def main() -> None:
    """Read the answers, and print the slowest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=300)
    given = parser.parse_args()
    texts = [(shard, head) for head in HEADS for shard in SHARDS][: given.answers]
    times: list[tuple[float, str, str, str]] = []
    for at, (shard, head) in enumerate(texts):
        name, question = FORMATS[at % len(FORMATS)] if at % 3 else "titles", QUESTIONS[at % 3]
        times.append((seconds(name, hostile(shard, head, given.length), question), name, head, shard))
    times.sort(reverse=True)
    print(f"{len(times)} answers of {given.length:,} characters: {sum(one[0] for one in times):.0f} s of CPU in all")
    for spent, name, head, shard in times[:10]:
        print(f"{spent:6.2f} s  {name:<12} {head!r} + {shard!r}")


if __name__ == "__main__":
    main()
