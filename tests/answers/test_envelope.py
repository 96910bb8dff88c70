"""What wraps an answer (a greeting, a quotation, a code block, a closing) does not change how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from llmrank.answers.text.envelope import plain_lines, unwrapped
from tests.answers.test_malformed import ROWS, read

WRAPS: dict[str, Callable[[str], str]] = {
    "greeting": lambda text: f"Sure! Here is my answer.\n\n{text}",
    "lead": lambda text: f"Based on the user's history, here is my answer:\n\n{text}",
    "heading": lambda text: f"**Answer:**\n\n{text}",
    "offer": lambda text: f"{text.rstrip()}\n\nLet me know if you need anything else!",
    "wish": lambda text: f"{text.rstrip()}\n\nI hope this helps! 😊",
    "code block": lambda text: "```\n" + text.strip("\n") + "\n```",
    "quotation": lambda text: "> " + text.replace("\n", "\n> "),
    "Windows lines": lambda text: text.replace("\n", "\r\n"),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "reasoning": lambda text: f"<think>\nLet me compare the candidates.\n</think>\n\n{text}",
    "blank lines": lambda text: f"  \n\n{text}\n\n\n",
    "line breaks of Markdown": lambda text: text.replace("\n", "  \n"),
    "indentation": lambda text: "    " + text.replace("\n", "\n    "),
    "emoji": lambda text: f"{text.rstrip()} 😊",
    "reason before": lambda text: f"The user seems to enjoy slow stories with clever scripts.\n\n{text}",
}
_ENTRY = re.compile(r"^(\s*)(\d{1,2})\. (?=\S)", re.MULTILINE)
_TITLE = re.compile(r"^(\s*\d{1,2}\. )([^*\n\[{\"–—:-]+?)[ ]*$", re.MULTILINE)
LISTS: dict[str, Callable[[str], str]] = {
    "1)": lambda text: _ENTRY.sub(r"\1\2) ", text),
    "#1": lambda text: _ENTRY.sub(r"\1#\2 ", text),
    "1:": lambda text: _ENTRY.sub(r"\1\2: ", text),
    "1 -": lambda text: _ENTRY.sub(r"\1\2 - ", text),
    "blank lines": lambda text: text.replace("\n", "\n\n"),
    "bold": lambda text: _TITLE.sub(r"\1**\2**", text),
    "a reason behind a dash": lambda text: _TITLE.sub(r"\1\2 – a good match for this user", text),
    "a reason behind a colon": lambda text: _TITLE.sub(r"\1\2: Matches the interest in clever stories.", text),
    "a reason below": lambda text: _TITLE.sub(r"\1\2\n   - Reason: it matches the interest in clever stories", text),
}
"""Ways to write the entries of a numbered list."""
IN_TURNS = ("### Instruction", "User:", "Human:", "Assistant:", "analysis", " [/INST]", '"')
"""How an answer begins that is itself a dialogue or a JSON string, which is recognised at the beginning only."""
SAMPLE = [
    row
    for row in ROWS[::40]
    if not (row["text"].startswith(IN_TURNS) or "```" in row["text"] or "think" in row["text"] or "finish" in row)
]


@pytest.mark.parametrize("wrap", WRAPS)
def test_an_answer_is_read_as_without_its_envelope(wrap: str) -> None:
    changed: list[tuple[str, str, str]] = []
    for row in SAMPLE:
        bare, outcome = read(row)
        if not outcome.value.startswith("unparsed"):
            wrapped, _ = read({**row, "text": WRAPS[wrap](row["text"])})
            changed += [(row["text"], bare, wrapped)] * (bare != wrapped)
    assert not changed


def test_reasoning_that_never_ends_is_no_answer() -> None:
    reasoning = "<think>\nThe user seems to enjoy slow stories with clever scripts.\n\n"
    readings = {row["text"]: read({**row, "text": reasoning + row["text"]})[0] for row in SAMPLE}
    assert {text: reading for text, reading in readings.items() if reading != "unparsed truncated"} == {}


@pytest.mark.parametrize("way", LISTS)
def test_a_list_is_read_however_its_entries_are_written(way: str) -> None:
    rows = [row for row in ROWS[::12] if row["format"] == "titles" and len(_ENTRY.findall(row["text"])) > 2]
    same = different = 0
    for row in rows:
        bare, outcome = read(row)
        if outcome.value != "unparsed" and "```" not in row["text"]:
            kept = read({**row, "text": LISTS[way](row["text"])})[0] == bare
            same, different = same + kept, different + (not kept)
    assert same > 39 * different  # some texts lose their meaning


@pytest.mark.parametrize(
    "text",
    [
        "1. Heat\n2. Fargo\n\nLet me know which of the two you prefer.",
        "Yes.\n\nLet me know if you would rather pick Heat instead.",
        "4\n\nI hope this is the rating you wanted.",
        "Here is my ranking:\n1. Heat",
        "Enjoy the Silence - Depeche Mode",
        "> Heat\nI would choose this one.",
        "```json\n[1, 2]\n```",
        "Let me know if you need anything else!",
    ],
)
def test_what_may_say_something_stays(text: str) -> None:
    assert unwrapped(plain_lines(text)) == text


def test_several_closings_are_dropped() -> None:
    assert (
        unwrapped("Sure! Here is my ranking.\n\n1. Heat\n\nI hope this helps. Feel free to ask for more!\nEnjoy!")
        == "1. Heat"
    )
