"""Answers composed from parts whose reading is known: markers, titles, remarks, introductions, and what follows.

Each table holds one part in the forms that models use. One test per entry writes it into otherwise plain answers about
real lists; another one draws all parts at random. A form that is read in one answer is thus read beside all others.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from llmrank.types import Outcome
from tests.answers.test_malformed import LETTERS, TITLES, read

_YEAR = re.compile(r"\s*\((\d{4})\)$")
_ARTICLE = re.compile(r"^(.*), (The|A|An|Les|Le|La|Das|Der|Die|Il|El)( \(.*)?$")
SEEN = ("The Maltese Falcon (1941)", "Chinatown (1974)", "Blood Simple (1984)", "Donnie Darko (2001)")
"""What the user has watched, none of it a candidate."""


def _titles(name: str) -> list[str]:
    return [one if isinstance(one, str) else one["title"] for one in TITLES[name]]


def _is_plain(titles: Sequence[str]) -> bool:
    """Return whether titles stay different without their years, and contain no sign that separates titles."""
    bare = {_YEAR.sub("", title).casefold() for title in titles}
    return 5 <= len(titles) <= 9 and len(bare) == len(titles) and not re.search(r"[,;|/»&]| and | - ", "".join(titles))


LISTS = [name for name in TITLES if re.match(r"B(?:[6-9]\d|10\d|11[0-3])-", name) and _is_plain(_titles(name))]


class Parts(NamedTuple):
    """The parts of one answer."""

    shown: list[str]
    """The candidates as the answer writes them, in the order shown."""
    ranking: list[str]
    left_out: list[str]


Write = Callable[[Parts], str]
Change = Callable[[str], str]

TITLE_FORMS: dict[str, Change] = {
    "as shown": lambda title: title,
    "without year": lambda title: _YEAR.sub("", title),
    "article first": lambda title: _ARTICLE.sub(lambda found: f"{found[2]} {found[1]}{found[3] or ''}", title),
    "year behind a comma": lambda title: _YEAR.sub(r", \1", title),
    "bare year": lambda title: _YEAR.sub(r" \1", title),
    "year in square brackets": lambda title: _YEAR.sub(r" [\1]", title),
    "full-width year": lambda title: _YEAR.sub(r"（\1）", title),
    "capitals": str.upper,
    "small letters": str.lower,
    "HTML entities": lambda title: title.replace("'", "&#39;"),
}
DRESSES = {
    "none": "{}", "bold": "**{}**", "italic": "*{}*", "underscores": "_{}_", "bold italic": "***{}***",
    "quotes": '"{}"', "curly quotes": "“{}”", "guillemets": "«{}»", "single quotes": "'{}'", "code": "`{}`",
    "brackets": "[{}]", "HTML": "<b>{}</b>", "book marks": "《{}》", "link": "[{}](https://example.com/x)",
}  # fmt: skip
MARKS = {
    "1.": "{0}. ", "1)": "{0}) ", "(1)": "({0}) ", "#1": "#{0} ", "#1:": "#{0}: ", "1:": "{0}: ", "1 -": "{0} - ",
    "01.": "{0:02}. ", "Rank 1:": "Rank {0}: ", "Place 1 -": "Place {0} - ", "[1]": "[{0}] ", "1、": "{0}、",
    "第1位": "第{0}位：", "No. 1:": "No. {0}: ", "1º": "{0}º ", "1.-": "{0}.- ", "### 1.": "### {0}. ",
    "1\\.": "{0}\\. ",
    "1>": "{0}> ", "Top 1:": "Top {0}: ", "bullet": "- ", "asterisk": "* ", "dot": "• ", "arrow": "→ ", "plus": "+ ",
    "nothing": "", "keycap": "{0}\ufe0f\u20e3 ", "bold": "**{0}.** ",
}  # fmt: skip
REMARKS = (
    "", " – a perfect match", " - fits the mood of the history", ": continues the user's taste for strong stories.",
    " (similar tone)", " — {0}/10", " [{0}]", " because the user liked similar ones", " | strong match",
    ", which matches the taste for clever plots", " => very likely", " - Confidence: 9{0}%", " 👍", "; similar mood",
    " (most similar to the history)", " – slower, but still of interest", ". A strong choice.", " -- great reviews",
    " · good fit", " (score: {0})",
)  # fmt: skip
SIGNS = (
    ", ", "; ", " > ", " | ", " → ", " / ", "\n", " >> ", " -> ", " => ", " ＞ ", " » ", " ≻ ", " then ", "、", "，",
)  # fmt: skip
SENTENCES: dict[str, Write] = {
    "first, followed by": lambda of: f"I would put {of.ranking[0]} first, followed by {_and(of.ranking[1:])}.",
    "top pick, next": lambda of: f"My top pick is {of.ranking[0]}. Next I would choose {_then(of.ranking[1:])}.",
    "first, then, lastly": lambda of: f"First {of.ranking[0]}, then {_and(of.ranking[1:], ', and lastly ')}.",
    "in this order": lambda of: f"I'd recommend them in this order: {_and(of.ranking, ', and ')}.",
    "least likely": lambda of: (
        f"The user will most likely enjoy {of.ranking[0]}, followed by {_and(of.ranking[1:], ', and least likely ')}."
    ),
    "German": lambda of: f"Zuerst {of.ranking[0]}, dann {_and(of.ranking[1:], ' und zuletzt ')}.",
    "French": lambda of: f"Je recommande d'abord {of.ranking[0]}, puis {_and(of.ranking[1:], ' et enfin ')}.",
    "Spanish": lambda of: f"Primero {of.ranking[0]}, luego {_and(of.ranking[1:], ' y por último ')}.",
}
OPENINGS = (
    "", "Here is the ranking:\n\n", "Sure! Here's the ranked list based on the user's preferences:\n\n",
    "## Final Ranking\n\n", "Ranked from most to least likely:\n\n", "Ranking (best first):\n", "Answer:\n",
    "Okay, let me think about it. The user liked several thrillers.\n\nMy ranking:\n\n", "Voici le classement :\n\n",
    "Hier ist die Rangliste:\n\n", "Aquí está la lista ordenada:\n\n", "以下是排序结果：\n\n", "ランキング:\n\n",
    "Ecco la classifica:\n\n", "Вот список:\n\n", "결과:\n\n", "Ranking\n=======\n\n", "So the order is:\n",
)  # fmt: skip
CLOSINGS = (
    "", "\n\nLet me know if you need more details!", "\n\nNote: the ranking is based on genre and tone.",
    "\n\n---\n*Generated by AI*", "\n\nThe first three are the strongest matches, while the last ones fit less well.",
    "\n\n<|im_end|>", "</s>", "\n\n(Ordered by estimated preference.)", "\n\nViel Spaß!", "\n\nConfidence: 85%",
    "\n\nThese recommendations take the user's 10 most recent titles into account.",
)  # fmt: skip
BEFORE: dict[str, Write] = {
    "candidates": lambda of: f"Candidates:\n{_numbered(of.shown)}\n\n",
    "candidates in bullets": lambda of: f"The candidates are:\n{_bullets(of.shown)}\n\n",
    "history": lambda of: f"The user's history:\n{_bullets(SEEN)}\n\n",
    "first attempt": lambda of: f"Initial ranking:\n{_numbered(sorted(of.shown))}\n\nI would change this.\n\n",
    "reasoning": lambda of: f"<think>\n{of.shown[0]} could be first. Then {of.shown[1]}.\n</think>\n\n",
    "one by one": lambda of: f"Let me go through the candidates:\n{_bullets(of.shown, ': could be of interest')}\n\n",
    "preferences": lambda of: "User preferences:\n1. Clever plots\n2. Strong characters\n3. Dark humour\n\n",
    "request": lambda of: f"You asked me to rank {len(of.shown)} candidates for a user who watched {SEEN[0]}.\n\n",
}
AFTER: dict[str, Write] = {
    "reasons": lambda of: f"\n\nReasoning:\n{_bullets(of.ranking[:3], ': fits the history')}",
    "all reasons": lambda of: f"\n\nExplanation:\n{_numbered(of.ranking, ' - fits the history')}",
    "first and last": lambda of: (
        f"\n\nI put {of.ranking[0]} first because it is closest to {SEEN[0]}. "
        f"{of.ranking[-1]} is last because it is the most different."
    ),
    "weakest": lambda of: f"\n\n{of.ranking[-1]} is the weakest match.",
    "top pick": lambda of: f"\n\nTop pick: {of.ranking[0]}",
    "summary": lambda of: (
        f"\n\nIn summary, {of.ranking[0]} and {of.ranking[1]} are the best matches, and "
        f"{of.ranking[-1]} is the least relevant."
    ),
    "again": lambda of: f"\n\nFinal answer: {' > '.join(of.ranking)}",
    "another title": lambda of: f"\n\nIf you want more options, you could also try {SEEN[3]}.",
    "question": lambda of: "\n\nWould you like me to explain the ranking?",
    "next turn": lambda of: "\n\nUser: Thanks!\nAssistant: You're welcome!",
}
LAYOUTS: dict[str, Write] = {
    "numbers": lambda of: _numbered(of.ranking),
    "bullets": lambda of: _bullets(of.ranking),
    "chain": lambda of: " > ".join(of.ranking),
    "JSON": lambda of: json.dumps(of.ranking),
    "table": lambda of: (
        "| Rank | Title |\n|---|---|\n" + "\n".join(f"| {rank} | {one} |" for rank, one in enumerate(of.ranking, 1))
    ),
    "countdown": lambda of: "\n".join(f"{len(of.ranking) - at}. {one}" for at, one in enumerate(of.ranking[::-1])),
    "worst first": lambda of: f"From worst to best:\n{_bullets(of.ranking[::-1])}",
    "tiers": lambda of: (
        f"High relevance:\n{_bullets(of.ranking[:2])}\nMedium relevance:\n"
        f"{_bullets(of.ranking[2:4])}\nLow relevance:\n{_bullets(of.ranking[4:])}"
    ),
    "details": lambda of: "\n".join(f"{rank}. {one}\n   - Genre: crime" for rank, one in enumerate(of.ranking, 1)),
    "left out": lambda of: f"{_numbered(of.ranking)}\n\nExcluded:\n{_bullets(of.left_out)}",
}
"""Ways to lay out a whole ranking, some of which need no list marks."""


def _numbered(lines: Sequence[str], remark: str = "") -> str:
    return "\n".join(f"{rank}. {line}{remark}" for rank, line in enumerate(lines, 1))


def _bullets(lines: Sequence[str], remark: str = "") -> str:
    return "\n".join(f"- {line}{remark}" for line in lines)


def _and(titles: Sequence[str], last: str = " and finally ") -> str:
    return f"{', '.join(titles[:-1])}{last}{titles[-1]}"


def _then(titles: Sequence[str]) -> str:
    return ", then ".join(titles)


def _entries(titles: Sequence[str], mark: str, remark: str) -> str:
    rows = enumerate(titles, 1)
    return "\n".join(f"{mark.format(rank)}{title}{remark.format(10 - rank)}" for rank, title in rows)


class Composer:
    """Draws a list of candidates and an order, and says whether an answer is read as it was meant."""

    def __init__(self, seed: int | str) -> None:
        self.draw = random.Random(seed)
        self.name = self.draw.choice(LISTS)
        self.order = [*range(len(TITLES[self.name]))]
        self.draw.shuffle(self.order)
        if self.order == sorted(self.order):
            self.order.reverse()

    def parts(self, write: Change, *, left_out: int = 0) -> Parts:
        """Return the parts of an answer whose candidates are written like this."""
        shown = [*map(write, _titles(self.name))]
        whole = [shown[at] for at in self.order]
        return Parts(shown, whole[: len(whole) - left_out], whole[len(whole) - left_out :])

    def misread(self, text: str, *, left_out: int = 0, ids: str = "") -> tuple[str, str, Outcome] | None:
        """Return the text, its reading and the outcome, None if the reading is right."""
        row = {"items": self.name, "format": "permutation" if ids else "titles", "text": text, "ids": ids}
        reading, outcome = read(row)
        kept = self.order[: len(self.order) - left_out]
        return None if reading == " ".join(str(at + 1) for at in kept) else (text, reading, outcome)


def _composers(name: str) -> list[Composer]:
    return [Composer(f"{name} {number}") for number in range(10)]


def _as_shown(title: str) -> str:
    return title


@pytest.mark.parametrize("form", TITLE_FORMS)
def test_titles_are_read_in_every_form(form: str) -> None:
    misread = [one.misread(_numbered(one.parts(TITLE_FORMS[form]).ranking)) for one in _composers(form)]
    assert not [*filter(None, misread)]


@pytest.mark.parametrize("dress", DRESSES)
def test_titles_are_read_in_every_dress(dress: str) -> None:
    for one in _composers(dress):
        ranking = one.parts(DRESSES[dress].format).ranking
        assert one.misread(_numbered(ranking)) is None
        assert one.misread(" > ".join(ranking)) is None


@pytest.mark.parametrize("mark", MARKS)
def test_entries_are_read_behind_every_mark(mark: str) -> None:
    texts = [(one, _entries(one.parts(_as_shown).ranking, MARKS[mark], "")) for one in _composers(mark)]
    assert not [*filter(None, (one.misread(text) for one, text in texts))]


@pytest.mark.parametrize("remark", REMARKS)
def test_entries_are_read_before_every_remark(remark: str) -> None:
    for one in _composers(remark):
        assert one.misread(_entries(one.parts(_as_shown).ranking, "{0}. ", remark)) is None


@pytest.mark.parametrize("sign", SIGNS)
def test_lines_are_read_between_every_sign(sign: str) -> None:
    for one in _composers(sign):
        assert one.misread(sign.join(one.parts(_as_shown).ranking)) is None


@pytest.mark.parametrize("sentence", SENTENCES)
def test_sentences_are_read_in_several_languages(sentence: str) -> None:
    for one in _composers(sentence):
        assert one.misread(SENTENCES[sentence](one.parts(_as_shown))) is None


@pytest.mark.parametrize("around", [*OPENINGS, *CLOSINGS])
def test_a_list_is_read_between_every_opening_and_closing(around: str) -> None:
    for one in _composers(around):
        entries = _numbered(one.parts(_as_shown).ranking)
        assert one.misread(f"{around}{entries}" if around in OPENINGS else f"{entries}{around}") is None


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ids", ["", "numbers", "letters"])
def test_a_layout_is_read_beside_other_lists(layout: str, ids: str) -> None:
    misread: list[tuple[str, str, Outcome]] = []
    for name, before in BEFORE.items():
        for behind, after in AFTER.items():
            one, left_out = Composer(f"{layout} {ids} {name} {behind}"), 2 * (layout == "left out")
            parts = one.parts(_as_shown, left_out=left_out)
            if ids:
                names = LETTERS if ids == "letters" else [str(at) for at in range(1, 100)]
                parts = Parts(*([f"[{names[parts.shown.index(title)]}]" for title in titles] for titles in parts))
            text = f"{before(parts)}My ranking:\n{LAYOUTS[layout](parts)}{after(parts)}"
            if found := one.misread(text, left_out=left_out, ids=ids):
                misread.append(found)
    assert not [text for text, _, outcome in misread if outcome is Outcome.OK]
    assert len(misread) <= 2, misread


def test_parts_are_read_in_every_combination() -> None:
    misread: list[tuple[str, str, Outcome]] = []
    for number in range(1500):
        one = Composer(number)
        form, dress = one.draw.choice([*TITLE_FORMS.values()]), one.draw.choice([*DRESSES.values()])
        parts = one.parts(lambda title, form=form, dress=dress: dress.format(form(title)))
        entries = _entries(parts.ranking, one.draw.choice([*MARKS.values()]), one.draw.choice(REMARKS))
        body = one.draw.choice((entries, one.draw.choice(SIGNS).join(parts.ranking)))
        text = f"{one.draw.choice(OPENINGS)}{body}{one.draw.choice(CLOSINGS)}"
        if found := one.misread(text):
            misread.append(found)
    assert not [text for text, _, outcome in misread if outcome is Outcome.OK]
    assert len(misread) < 30, misread  # 2%: such as years behind commas between commas
