"""Odd and malformed answers, each with the reading that a careful person gives it.

The readings were fixed before any reader saw the answers. `reading` is `ok` or `repaired` with the places of the items
from 1, best first (or the rating, or 1 and 0 for yes and no), or `unparsed`, with its reason if only one is right.
"""
# ruff: noqa: E501 (an answer is easier to read in one line)

from __future__ import annotations

from typing import NamedTuple

from llmrank.types import Item, Question

FILMS = ("Fargo (1996)", "Heat (1995)", "Alien (1979)", "Casablanca (1942)", "The Matrix (1999)", "Toy Story (1995)")
T3, T4, T5, T6 = FILMS[:3], FILMS[:4], FILMS[:5], FILMS
COMMAS = (
    "The Good, the Bad and the Ugly (1966)",
    "Crouching Tiger, Hidden Dragon (2000)",
    "O Brother, Where Art Thou? (2000)",
    "Lock, Stock & Two Smoking Barrels (1998)",
)
PREFIXES = ("Dead Man (1995)", "Dead Man Walking (1995)", "Alien (1979)", "Aliens (1986)")
NUMBERED = ("Se7en (1995)", "12 Angry Men (1957)", "2001: A Space Odyssey (1968)", "300 (2007)", "21 Grams (2003)")
FOREIGN = ("Amélie (2001)", "Léon: The Professional (1994)", "Das Boot (1981)", "Spirited Away (2001)")
CJK = ("千と千尋の神隠し", "七人の侍", "羅生門", "東京物語")
LATIN = ("Malcolm X (1992)", "I, Robot (2004)", "V for Vendetta (2006)", "C.R.A.Z.Y. (2005)")

WORDS = ("apple", "bridge", "candle", "drum", "eagle", "fox")


class Written(NamedTuple):
    """One answer with its reading and the class of mistakes it represents (a number in the project's list)."""

    kind: int
    format: str
    scheme: str
    """How the items were identified: titles, numbers, letters, words or item_id."""
    titles: tuple[str, ...]
    text: str
    reading: str
    finish: str = "stop"
    top: int | None = None

    def question(self) -> Question:
        """Return the question as it was shown."""
        count = len(self.titles)
        names: dict[str, tuple[str, ...]] = {
            "titles": (),
            "numbers": tuple(str(place) for place in range(1, count + 1)),
            "letters": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count]),
            "words": WORDS[:count],
            "item_id": tuple(f"{1000 + 37 * place}" for place in range(1, count + 1)),
        }
        items = tuple(Item(f"i{place}", title) for place, title in enumerate(self.titles, 1))
        return Question(items, names[self.scheme], self.top)


def _t(kind: int, text: str, reading: str, titles: tuple[str, ...] = T3, **more: object) -> Written:
    return Written(kind, "titles", "titles", titles, text, reading, **more)  # pyright: ignore[reportArgumentType]


def _n(kind: int, count: int, text: str, reading: str, **more: object) -> Written:
    return Written(kind, "permutation", "numbers", FILMS[:count], text, reading, **more)  # pyright: ignore[reportArgumentType]


def _l(kind: int, count: int, text: str, reading: str, **more: object) -> Written:
    return Written(kind, "permutation", "letters", FILMS[:count], text, reading, **more)  # pyright: ignore[reportArgumentType]


def _j(kind: int, scheme: str, count: int, text: str, reading: str, **more: object) -> Written:
    return Written(kind, "json", scheme, FILMS[:count], text, reading, **more)  # pyright: ignore[reportArgumentType]


def _c(kind: int, text: str, reading: str, scheme: str = "letters", titles: tuple[str, ...] = T3) -> Written:
    return Written(kind, "choice", scheme, titles, text, reading)


def _r(kind: int, text: str, reading: str, **more: object) -> Written:
    return Written(kind, "rating", "titles", FILMS[:1], text, reading, **more)  # pyright: ignore[reportArgumentType]


def _y(kind: int, text: str, reading: str, **more: object) -> Written:
    return Written(kind, "yes_no", "titles", FILMS[:1], text, reading, **more)  # pyright: ignore[reportArgumentType]


FIRST: tuple[Written, ...] = (
    # --- 10: reasoning
    _n(10, 3, "<think>The user likes [1] > [2], but wait.\n[3] fits.</think>\n\n[3] > [2] > [1]", "ok 3 2 1"),
    _n(10, 3, "<think>Let me see. [1] > [2] > [3] would be", "unparsed truncated", finish="length"),
    _n(10, 3, "The user likes crime, so [1] is tempting.\n</think>\n[2] > [3] > [1]", "ok 2 3 1"),
    _t(10, "<thinking>Heat? Fargo?</thinking>1. Alien (1979)\n2. Fargo (1996)\n3. Heat (1995)", "ok 3 1 2"),
    _y(10, "<think>No, he hates crime. Yes?", "unparsed truncated", finish="length"),
    _r(10, "<think>He gave 2 to Heat.</think>\n\n4", "ok 4"),
    # --- 11: the expression counts, list numbers do not
    _n(11, 5, "Sure! Here are the top 5 of 20 passages:\n\n[5] > [3] > [1] > [2] > [4]", "ok 5 3 1 2 4"),
    _n(11, 4, "1. [4]\n2. [2]\n3. [1]\n4. [3]\n\nI considered 3 criteria.", "ok 4 2 1 3"),
    _n(11, 4, "1) 3\n2) 4\n3) 1\n4) 2", "ok 3 4 1 2"),
    _n(11, 4, "Based on 12 films from 1995: 2, 4, 1, 3", "ok 2 4 1 3"),
    _n(11, 4, "[2] ≻ [4] ≻ [1] ≻ [3]", "ok 2 4 1 3"),
    # --- 12: identifiers of several digits, out of range, zero-based
    _n(12, 3, "[0] > [2] > [1]", "repaired 1 3 2"),
    _n(12, 4, "0, 1, 3, 2", "repaired 1 2 4 3"),
    _n(12, 3, "[2] > [7] > [1] > [3]", "repaired 2 1 3"),
    _n(12, 6, "[6] > [16] > [5] > [4] > [3] > [2] > [1]", "repaired 6 5 4 3 2 1"),
    Written(12, "permutation", "item_id", T4, "1148 > 1037 > 1111 > 1074", "ok 4 1 3 2"),
    # --- 13: a letter is not a word
    _c(13, "A good choice here would be B.", "ok 2"),
    _c(13, "I would pick (C), a thriller.", "ok 3"),
    _l(13, 3, "I think a viewer like this wants C > A > B.", "ok 3 1 2"),
    _c(13, "It has to be a tie.", "unparsed"),
    # --- 14, 15: titles with commas, prefixes, digits
    _t(14, "1. Aliens (1986)\n2. Dead Man Walking (1995)\n3. Alien (1979)\n4. Dead Man (1995)", "ok 4 2 3 1", PREFIXES),
    _t(14, "Dead Man Walking, Aliens", "repaired 2 4", PREFIXES),
    _t(14, "1. Alien 3 (1992)\n2. Aliens", "repaired 4", PREFIXES),
    _t(
        15,
        "Crouching Tiger, Hidden Dragon, The Good, the Bad and the Ugly, Lock, Stock & Two Smoking Barrels, "
        "O Brother, Where Art Thou?",
        "ok 2 1 4 3",
        COMMAS,
    ),
    _t(
        15,
        '"O Brother, Where Art Thou?", "Lock, Stock and Two Smoking Barrels", "Good, the Bad and the Ugly, The", '
        '"Crouching Tiger, Hidden Dragon"',
        "ok 3 4 1 2",
        COMMAS,
    ),
    _t(15, "1. 300\n2. 21 Grams\n3. 12 Angry Men\n4. Se7en\n5. 2001: A Space Odyssey", "ok 4 5 2 1 3", NUMBERED),
    _t(15, "300\n2001: A Space Odyssey\n12 Angry Men\n21 Grams\nSe7en", "ok 4 3 2 5 1", NUMBERED),
    # --- 16, 17: invented titles, duplicates
    _t(16, "1. Blade Runner (1982)\n2. Heat (1995)\n3. Fargo (1996)\n4. Alien (1979)", "repaired 2 1 3"),
    _t(17, "Heat (1995)\nHeat (1995)\nFargo (1996)\nAlien (1979)", "repaired 2 1 3"),
    # --- 20: truncated
    _n(20, 5, "[4] > [2] > [5] > [", "repaired 4 2 5", finish="length"),
    _n(20, 12 // 2, "[6] > [5] > [1", "repaired 6 5", finish="length"),
    _t(20, "1. Heat (1995)\n2. Alien (1979)\n3. Far", "repaired 2 3", finish="length"),
    _j(20, "titles", 3, '{"ranking": ["Alien (1979)", "Heat (1995)", "Far', "repaired 3 2", finish="length"),
    # --- 21: unusual JSON
    _j(21, "numbers", 3, '```json\n{"ranking": [2, 3, 1]}\n```', "ok 2 3 1"),
    _j(21, "numbers", 3, "{'ranking': [2, 3, 1]}", "ok 2 3 1"),
    _j(21, "numbers", 3, 'Here it is: {"ranking": [2, 3, 1,]} Enjoy!', "repaired 2 3 1"),
    _j(21, "titles", 3, '[{"title": "Heat", "year": 1995}, {"title": "Fargo", "year": 1996}, {"title": "Alien", '
       '"year": 1979}]', "ok 2 1 3"),
    _j(21, "titles", 3, '[{"rank": 3, "title": "Heat"}, {"rank": 1, "title": "Fargo"}, {"rank": 2, "title": "Alien"}]',
       "ok 1 3 2"),
    _j(21, "titles", 3, '{"recommendations": [{"movie": "Alien (1979)", "reason": "like Fargo (1996)"}, {"movie": '
       '"Fargo (1996)", "reason": "dark"}, {"movie": "Heat (1995)", "reason": "long"}]}', "ok 3 1 2"),
    # --- 37: the form that was asked for and the form that is read
    Written(37, "titles", "numbers", T3, "[3] > [1] > [2]", "ok 3 1 2"),
    Written(37, "titles", "numbers", T4, "4, 1, 2, 3", "ok 4 1 2 3"),
    Written(37, "titles", "letters", T4, "D > A > C > B", "ok 4 1 3 2"),
    Written(37, "titles", "words", T3, "candle, apple, bridge", "ok 3 1 2"),
    Written(37, "titles", "letters", T3, "(C) Alien (1979)\n(A) Fargo (1996)\n(B) Heat (1995)", "ok 3 1 2"),
    Written(37, "titles", "numbers", T3, "3. Alien (1979)\n1. Fargo (1996)\n2. Heat (1995)", "ok 3 1 2"),
    Written(37, "permutation", "letters", T3, "Alien > Fargo > Heat", "repaired 3 1 2"),
    Written(37, "permutation", "numbers", T3, "1. Heat (1995)\n2. Alien (1979)\n3. Fargo (1996)", "repaired 2 3 1"),
    Written(37, "json", "letters", T3, '["C", "A", "B"]', "ok 3 1 2"),
    Written(37, "titles", "item_id", T3, "1111, 1037, 1074", "ok 3 1 2"),
    Written(37, "titles", "numbers", T3, '{"ranking": [3, 2, 1]}', "ok 3 2 1"),
    # --- 38: which list is the answer
    _t(
        38,
        "Candidates:\n1. Fargo (1996)\n2. Heat (1995)\n3. Alien (1979)\n\nFinal ranking:\n1. Alien (1979)\n"
        "2. Fargo (1996)\n3. Heat (1995)",
        "repaired 3 1 2",
    ),
    _t(
        38,
        "Les films proposés sont :\n- Fargo\n- Heat\n- Alien\n\nMon classement final :\n1. Heat\n2. Alien\n3. Fargo",
        "repaired 2 3 1",
    ),
    _t(
        38,
        "Erster Versuch: Fargo, Heat, Alien.\n\nMeine endgültige Rangliste:\n1. Alien\n2. Heat\n3. Fargo",
        "repaired 3 2 1",
    ),
    _n(38, 4, "First attempt: [1] > [2] > [3] > [4]\nHmm, [4] is closer to the taste.\nAnswer: [4] > [1] > [2] > [3]",
       "repaired 4 1 2 3"),
    _n(38, 3, "[1] > [2] > [3]\n\nOn reflection, I revise this to:\n[2] > [1] > [3]", "repaired 2 1 3"),
    _n(38, 3, "[1] > [2] > [3]\n[3] > [2] > [1]", "unparsed ambiguous"),
    _t(38, "1. Fargo\n2. Heat\n3. Alien\n\n1. Alien\n2. Heat\n3. Fargo", "unparsed ambiguous"),
    _n(38, 3, "Ranking: [2] > [3] > [1]\n\nTo repeat: [2] > [3] > [1]", "repaired 2 3 1"),
    _t(
        38,
        "Let me go through them.\n- Fargo (1996): snowy crime, a good fit.\n- Heat (1995): a heist epic.\n"
        "- Alien (1979): horror, not a fit.\n\nRespuesta: Heat (1995), Fargo (1996), Alien (1979)",
        "repaired 2 1 3",
    ),
    _t(
        38,
        "**My recommendation:**\n1. Heat\n2. Fargo\n3. Alien\n\n**Why not the others?** The history shows Blade "
        "Runner (1982) and Dune (1984), so science fiction would have been possible.",
        "ok 2 1 3",
    ),
    _l(38, 3, "Option A is a comedy, option B a thriller, option C horror.\nФинальный ответ: B > C > A", "repaired 2 3 1"),
    _t(38, "1. Heat\n2. Alien\n3. Fargo\n\nThe given candidates were: Fargo, Heat, Alien.", "repaired 2 3 1"),
    # --- 39: rank and item
    _n(39, 3, "Rank 1: Item 2\nRank 2: Item 3\nRank 3: Item 1", "ok 2 3 1"),
    _n(39, 3, "Item 2: Rank 3\nItem 3: Rank 1\nItem 1: Rank 2", "ok 3 1 2"),
    _n(39, 3, "| Rank | Item |\n|---|---|\n| 1 | 3 |\n| 2 | 1 |\n| 3 | 2 |", "ok 3 1 2"),
    _n(39, 3, "| Item | Rank |\n|:--|--:|\n| 1 | 3 |\n| 2 | 1 |\n| 3 | 2 |", "ok 2 3 1"),
    _t(39, "Rank | Title | Year\n--- | --- | ---\n1 | Heat | 1995\n2 | Alien | 1979\n3 | Fargo | 1996", "ok 2 3 1"),
    _t(39, "| Movie | Position |\n|---|---|\n| Fargo (1996) | 3 |\n| Heat (1995) | 1 |\n| Alien (1979) | 2 |", "ok 2 3 1"),
    _t(39, "| Film | Score |\n|---|---|\n| Fargo | 6.5 |\n| Heat | 9.1 |\n| Alien | 7.0 |", "ok 2 3 1"),
    _t(39, "| # | Film | Why |\n|--|--|--|\n| 1 | Alien | like Heat |\n| 2 | Heat | tense |\n| 3 | Fargo | dry |", "ok 3 2 1"),
    _n(39, 4, "1 -> 4\n2 -> 2\n3 -> 1\n4 -> 3", "ok 4 2 1 3"),
    _n(39, 3, "1 => [3]; 2 => [1]; 3 => [2]", "ok 3 1 2"),
    _n(39, 3, "#1: [3]\n#2: [1]\n#3: [2]", "ok 3 1 2"),
    _j(39, "titles", 3, '{"1": "Heat (1995)", "2": "Fargo (1996)", "3": "Alien (1979)"}', "ok 2 1 3"),
    _j(39, "titles", 3, '{"Heat (1995)": 3, "Fargo (1996)": 1, "Alien (1979)": 2}', "ok 1 3 2"),
    _j(39, "titles", 3, '{"ranking": {"first": "Heat", "second": "Fargo", "third": "Alien"}}', "ok 2 1 3"),
    _j(39, "numbers", 3, '{"1": 3, "2": 1, "3": 2}', "unparsed ambiguous"),
    _j(39, "numbers", 3, '{"rank_1": 3, "rank_2": 1, "rank_3": 2}', "ok 3 1 2"),
    _j(39, "numbers", 3, '{"1": 2, "2": 1, "3": 3}', "ok 2 1 3"),
    _j(39, "numbers", 3, '{"Item 1": 2, "Item 2": 3, "Item 3": 1}', "ok 3 1 2"),
    _j(39, "letters", 3, '{"A": 2, "B": 3, "C": 1}', "ok 3 1 2"),
    _j(39, "letters", 3, '{"1": "B", "2": "C", "3": "A"}', "ok 2 3 1"),
    _j(39, "numbers", 3, '[{"rank": 2, "id": 1}, {"rank": 1, "id": 3}, {"rank": 3, "id": 2}]', "ok 3 1 2"),
    # --- 40: direction
    _t(40, "Counting down:\n5. Alien\n4. Fargo\n3. Casablanca\n2. Heat\n1. The Matrix", "ok 5 2 4 1 3", T5),
    _t(40, "From worst to best:\n- Alien\n- Fargo\n- Heat", "ok 2 1 3"),
    _t(40, "Least to most recommended: Heat, Alien, Fargo", "ok 1 3 2"),
    _t(40, "Vom schlechtesten zum besten: Heat, Alien, Fargo", "ok 1 3 2"),
    _n(40, 4, "[2] < [4] < [1] < [3]", "ok 3 1 4 2"),
    _n(40, 4, "[2] > [4] < [1] > [3]", "unparsed ambiguous"),
    _t(40, "Alien (1979) < Heat (1995) < Fargo (1996)", "ok 1 2 3"),
    _t(40, "| Rank | Film |\n|---|---|\n| 3 | Heat |\n| 2 | Alien |\n| 1 | Fargo |", "ok 1 3 2"),
    _t(40, "In ascending order of preference:\n1. Fargo\n2. Alien\n3. Heat", "ok 2 3 1"),
    _t(40, "From best to worst: Heat, Alien, Fargo", "ok 2 3 1"),
    _t(40, "3rd place: Alien\n2nd place: Fargo\n1st place: Heat", "ok 2 1 3"),
    _j(40, "titles", 3, '{"Fargo": 0.3, "Heat": 0.95, "Alien": 0.6}', "ok 2 3 1"),
    _j(40, "numbers", 3, '{"scores": {"1": 0.2, "2": 0.9, "3": 0.7}}', "ok 2 3 1"),
    _j(40, "letters", 4, '{"A": 7.5, "B": 9, "C": 3, "D": 8}', "ok 2 4 1 3"),
    _t(40, "Fargo (1996): 62%\nHeat (1995): 91%\nAlien (1979): 75%", "ok 2 3 1"),
    _l(40, 3, "A: 3/10\nB: 9/10\nC: 6/10", "ok 2 3 1"),
    # --- 41: two films of one year
    _t(41, "1. Dawn of the Dead (2004)", "unparsed no_candidate_named", ("Shaun of the Dead (2004)", "Heat (1995)")),
    _t(41, "1. Three Colors: White (1994)\n2. Heat", "repaired 2", ("Three Colors: Red (1994)", "Heat (1995)")),
    _t(41, "American Movie (1999), Heat (1995)", "repaired 2", ("American Pie (1999)", "Heat (1995)")),
    _t(41, "1. The Matrx (1999)\n2. Casablance (1942)", "ok 1 2", ("The Matrix (1999)", "Casablanca (1942)")),
    _t(41, "1. Dead Man Walking (1995)\n2. Heat (1995)", "repaired 2", ("Dead Man (1995)", "Heat (1995)")),
    _t(41, "1. Batman Forever (1995)\n2. Heat", "repaired 2", ("Batman & Robin (1997)", "Heat (1995)")),
    _t(41, "1. Toy Story 2\n2. Heat", "repaired 2", ("Toy Story (1995)", "Heat (1995)")),
    # --- 42: only the list that is presented as the answer
    _t(42, "1. Heat (1995)\n2. Alien (1979)\n\nI would not recommend Fargo (1996), it is too slow.", "repaired 2 3"),
    _t(42, "1. Heat\n2. Alien\n\nNot included: Fargo and Casablanca.", "repaired 2 3", T4),
    _t(42, "1. Heat (1995) - similar to Alien (1979)\n2. Fargo (1996) - because you liked Casablanca (1942)",
       "repaired 2 1", T4),
    _t(42, "1. Heat\n   - Similar to: Fargo, Casablanca\n2. Alien\n   - Because you liked The Matrix",
       "repaired 2 3", T5),
    _t(42, "Because you liked Casablanca (1942), here are my picks:\n\n1. Heat\n2. Alien\n3. Fargo", "repaired 2 3 1", T4),
    _t(42, "I'm sorry, but I can't rank films like Fargo (1996) or Heat (1995) without more information.",
       "unparsed refusal"),
    _t(42, "Fargo (1996) is a film by the Coen brothers. Do you want me to say more about it?", "unparsed"),
    _n(42, 4, "[2] > [4] > [1]\n\nI left out [3] because it is a horror film.", "repaired 2 4 1"),
    _t(42, "I'd watch Heat first, then Alien, and finally Fargo.", "ok 2 3 1"),
    _t(42, "Je ne recommande pas Fargo (1996).", "unparsed"),
    _t(42, "Unlike Fargo, these would fit: Heat, Alien", "repaired 2 3"),
    # --- 43: error texts, and texts that are not ratings
    _r(43, "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 3, Used 3.", "unparsed no_rating"),
    _r(43, "Error code: 503 - {'error': {'message': 'Overloaded, retry in 4 s'}}", "unparsed no_rating"),
    _r(43, "upstream connect error or disconnect/reset before headers. reset reason: 2", "unparsed no_rating"),
    _y(43, "Yes and no", "unparsed ambiguous"),
    _y(43, "Error: no healthy upstream", "unparsed"),
    _y(43, "There is no API key in the request.", "unparsed"),
    _n(43, 5, "Error code: 429 - Rate limit reached: Limit 3, Used 3, Requested 1. Try again in 2s.", "unparsed"),
    _t(43, "HTTP 500: internal error while processing 'Heat (1995)'", "unparsed"),
    _n(43, 4, "This model's maximum context length is 4096 tokens. However, you requested 4500 tokens.", "unparsed"),
    # --- 44: two-part lines
    _t(44, "1. Casablanca - Fargo\n2. The Godfather - Heat\n3. Psycho - Alien", "ok 1 2 3"),
    _t(44, "1. Fargo - Casablanca\n2. Heat - The Godfather\n3. Alien - Psycho", "ok 1 2 3"),
    _t(44, "Vertigo (1958) -> Heat (1995)\nRope (1948) -> Alien (1979)\nPsycho (1960) -> Fargo (1996)", "ok 2 3 1"),
    _t(44, "[1. Fargo], [2. Heat], [3. Alien]", "ok 1 2 3"),
    _t(44, "(1) Heat (2) Fargo (3) Alien", "ok 2 1 3"),
    _n(44, 3, "[1. 3], [2. 1], [3. 2]", "ok 3 1 2"),
    # --- 45: lists with other markers
    _t(45, "A) Heat\nB) Fargo\nC) Alien", "ok 2 1 3"),
    _t(45, "I. Heat\nII. Alien\nIII. Fargo", "ok 2 3 1"),
    _t(45, "i) Alien\nii) Fargo\niii) Heat", "ok 3 1 2"),
    _t(45, "a. Alien\nb. Heat\nc. Fargo", "ok 3 2 1"),
    _l(45, 3, "b > c > a", "ok 2 3 1"),
    _l(45, 3, "c, a, b", "ok 3 1 2"),
    _t(45, "1️⃣ Heat\n2️⃣ Fargo\n3️⃣ Alien", "ok 2 1 3"),
    _t(45, "🥇 Alien\n🥈 Heat\n🥉 Fargo", "ok 3 2 1"),
    _t(45, "№1 Heat\n№2 Alien\n№3 Fargo", "ok 2 3 1"),
    _t(45, "#1 - Alien\n#2 - Fargo\n#3 - Heat", "ok 3 1 2"),
    _n(45, 3, "1️⃣ [2]\n2️⃣ [3]\n3️⃣ [1]", "ok 2 3 1"),
    _n(45, 3, "🥇 3\n🥈 1\n🥉 2", "ok 3 1 2"),
    _t(45, "First: Heat\nSecond: Fargo\nThird: Alien", "ok 2 1 3"),
    _t(45, "1. I, Robot\n2. C.R.A.Z.Y.\n3. Malcolm X\n4. V for Vendetta", "ok 2 4 1 3", LATIN),
    # --- 46: East Asian, full width, other languages
    _n(46, 4, "［４］＞［２］＞［１］＞［３］", "ok 4 2 1 3"),
    _t(46, "１．Heat\n２．Alien\n３．Fargo", "ok 2 3 1"),
    _t(46, "① Alien ② Heat ③ Fargo", "ok 3 2 1"),
    _t(46, "一、《七人の侍》\n二、《羅生門》\n三、《東京物語》\n四、《千と千尋の神隠し》", "ok 2 3 4 1", CJK),
    _t(46, "羅生門、七人の侍、千と千尋の神隠し、東京物語", "ok 3 2 1 4", CJK),
    _t(46, "「東京物語」，「羅生門」，「七人の侍」，「千と千尋の神隠し」", "ok 4 3 2 1", CJK),
    _n(46, 3, "排序結果：3、1、2", "ok 3 1 2"),
    _n(46, 3, "答案：【2】＞【3】＞【1】", "ok 2 3 1"),
    _t(46, "1. Amelie\n2. Das Boot – Director's cut\n3. Leon – The Professional\n4. Spirited away", "ok 1 3 2 4", FOREIGN),
    _t(46, "„Heat“, „Fargo“ und „Alien“", "ok 2 1 3"),
    _t(46, "« Alien », « Heat » et « Fargo »", "ok 3 2 1"),
    _t(46, "Мои рекомендации:\n1) «Heat»\n2) «Alien»\n3) «Fargo»", "ok 2 3 1"),
    # --- 47: HTML and nested bullets
    _t(47, "<ol>\n<li>Heat (1995)</li>\n<li>Alien (1979)</li>\n<li>Fargo (1996)</li>\n</ol>", "ok 2 3 1"),
    _t(47, "<ol><li>Alien</li><li><b>Fargo</b></li><li>Heat</li></ol>", "ok 3 1 2"),
    _t(47, "<p>Alien<br/>Heat<br>Fargo</p>", "ok 3 2 1"),
    _t(
        47,
        "1. **Heat (1995)**\n   - Genre: Crime\n   - Director: Michael Mann\n2. **Fargo (1996)**\n   - Genre: Crime\n"
        "   - Director: Joel Coen\n3. **Alien (1979)**\n   - Genre: Horror\n   - Director: Ridley Scott",
        "ok 2 1 3",
    ),
    _t(47, "* Heat\n    * Year: 1995\n    * See also: Alien\n* Fargo\n    * Year: 1996", "repaired 2 1"),
    _t(47, "<table><tr><th>Rank</th><th>Film</th></tr><tr><td>1</td><td>Fargo</td></tr><tr><td>2</td><td>Alien</td></tr>"
       "<tr><td>3</td><td>Heat</td></tr></table>", "ok 1 3 2"),
    _t(47, "1. O Brother, Where Art Thou?\n2. Lock, Stock &amp; Two Smoking Barrels", "repaired 3 4", COMMAS),
    # --- 48: the year is off by one
    _t(48, "1. Heat (1996)\n2. Fargo (1995)\n3. Alien (1980)", "ok 2 1 3"),
    _t(48, "1. Alien (1978)\n2. Fargo (1996)\n3. Heat (1995)", "ok 3 1 2"),
    _t(48, "1. Emma (1995)\n2. Heat", "repaired 3", ("Emma (1994)", "Emma (1996)", "Heat (1995)")),
    _t(48, "1. Emma (1996)\n2. Heat", "repaired 2 3", ("Emma (1972)", "Emma (1996)", "Heat (1995)")),
    _t(48, "1. Psycho (1960)\n2. Heat", "repaired 2", ("Psycho (1998)", "Heat (1995)")),
    # --- the rating
    _r(22, "4/5", "ok 4"),
    _r(22, "Rating: 4 out of 5 stars", "ok 4"),
    _r(22, "8/10", "unparsed other_scale"),
    _r(22, "★★★★", "ok 4"),
    _r(22, "★★★★☆", "ok 4"),
    _r(22, "⭐⭐⭐", "ok 3"),
    _r(22, "between 3 and 4", "unparsed ambiguous"),
    _r(22, "3-4", "unparsed ambiguous"),
    _r(22, "4,5", "ok 4.5"),
    _r(22, "３", "ok 3"),
    _r(22, "Four.", "ok 4"),
    _r(22, "I predict that the user would give this film a 4, since they gave Heat a 5.", "repaired 4"),
    _r(22, "The predicted rating is **3.5**.", "ok 3.5"),
    _r(22, '{"rating": 4}', "ok 4"),
    _r(22, "9", "unparsed out_of_range"),
    _r(22, "-3", "unparsed out_of_range"),
    _r(22, "Fargo came out in 1996 and runs for 98 minutes.", "unparsed no_rating"),
    _r(22, "I can't predict that.", "unparsed refusal"),
    # --- yes or no
    _y(43, "Yes.", "ok 1"),
    _y(43, "**No**, the user prefers comedies.", "ok 0"),
    _y(43, "The answer is: yes", "ok 1"),
    _y(43, "No doubt: yes!", "ok 1"),
    _y(43, "I think the user will enjoy it. Answer: Yes", "ok 1"),
    # --- choices
    _c(13, "答案：Ｂ", "ok 2"),
    _c(13, "Either A or C", "unparsed ambiguous"),
    _c(13, "Not A. The answer is C.", "repaired 3"),
    _c(13, "2", "ok 2", "numbers"),
    _c(13, "I'm sorry, I cannot pick between A and B.", "unparsed refusal"),
)  # fmt: skip

BRANDS = ("Dove Body Wash, Cucumber", "Nivea Creme 150 ml", "L'Oréal Elvive Shampoo", "Old Spice Deodorant")

SECOND: tuple[Written, ...] = (
    _t(38, "Pro and con of each:\n\nFargo: dark humour, snow.\nHeat: long but great.\nAlien: scary.\n\nVerdict: Alien, Fargo, Heat", "repaired 3 1 2"),
    _t(38, "Entwurf:\n1. Heat\n2. Fargo\n3. Alien\n\nEndfassung:\n1. Fargo\n2. Alien\n3. Heat", "repaired 1 3 2"),
    _n(38, 3, "Round 1: [2] > [1] > [3]\nRound 2: [2] > [3] > [1]\nFinal: [2] > [3] > [1]", "repaired 2 3 1"),
    _n(38, 4, "I compared [1] with [2], and [3] with [4].\n\n[4] > [3] > [2] > [1]", "repaired 4 3 2 1"),
    _t(38, "Here are two possible rankings.\n\nA:\n1. Fargo\n2. Heat\n3. Alien\n\nB:\n1. Heat\n2. Fargo\n3. Alien", "unparsed ambiguous"),
    _j(38, "titles", 3, '{"candidates": ["Fargo", "Heat", "Alien"], "ranking": ["Alien", "Heat", "Fargo"]}', "ok 3 2 1"),
    _j(38, "numbers", 3, '{"thoughts": "1 is slow", "ranking": [2, 3, 1]}', "ok 2 3 1"),
    _t(39, "Place 2 - Heat\nPlace 1 - Alien\nPlace 3 - Fargo", "ok 3 2 1"),
    _t(39, "Heat (rank 2)\nAlien (rank 3)\nFargo (rank 1)", "ok 1 2 3"),
    _t(39, "| Platz | Film |\n| --- | --- |\n| 2 | Fargo |\n| 1 | Alien |\n| 3 | Heat |", "ok 3 1 2"),
    _t(39, "Film\tRank\nFargo\t2\nHeat\t3\nAlien\t1", "ok 3 1 2"),
    _n(39, 3, "Candidate 3 → 1st\nCandidate 1 → 2nd\nCandidate 2 → 3rd", "ok 3 1 2"),
    _n(39, 3, "| 1 | [2] |\n| 2 | [3] |\n| 3 | [1] |", "ok 2 3 1"),
    _n(39, 4, "2 -> 3\n1 -> 4\n4 -> 1\n3 -> 2", "ok 4 3 2 1"),
    _j(39, "titles", 3, '{"rank1": "Alien", "rank2": "Heat", "rank3": "Fargo"}', "ok 3 2 1"),
    _j(39, "titles", 3, '[["Alien", 0.2], ["Heat", 0.9], ["Fargo", 0.5]]', "ok 2 1 3"),
    _j(39, "letters", 3, '{"ranks": {"A": 3, "B": 1, "C": 2}}', "ok 2 3 1"),
    _t(40, "Here they are, in reverse order:\n\nFargo\nAlien\nHeat", "ok 2 3 1"),
    _t(40, "De peor a mejor: Fargo, Heat, Alien", "ok 3 2 1"),
    _t(40, "Du moins bon au meilleur :\n- Heat\n- Alien\n- Fargo", "ok 1 3 2"),
    _l(40, 4, "D < B < A < C", "ok 3 1 2 4"),
    _t(40, "(5) Casablanca\n(4) Heat\n(3) Fargo\n(2) The Matrix\n(1) Alien", "ok 3 5 1 2 4", T5),
    _t(40, "Relevance scores:\nFargo - 0.41\nHeat - 0.87\nAlien - 0.66", "ok 2 3 1"),
    _t(41, "1. Deep Impact (1998)\n2. Heat", "repaired 2", ("Deep Rising (1998)", "Heat (1995)")),
    _t(41, "1. Tomb Raider (2001)\n2. Alien", "repaired 2", ("Tomcats (2001)", "Alien (1979)")),
    _t(41, "1. Schindlers Lisst (1993)\n2. Alien", "ok 1 2", ("Schindler's List (1993)", "Alien (1979)")),
    _t(42, "1. Heat\n2. Fargo\n\nAlien was excluded because the user dislikes horror.", "repaired 2 1"),
    _t(42, "I recommend Heat. I do not recommend Fargo.", "repaired 2"),
    _t(42, "Since you enjoyed Fargo, you could try:\n* Alien\n* Heat", "repaired 3 2"),
    _t(42, "Avoid: Fargo, Heat", "unparsed"),
    _t(42, "As an AI I cannot watch films, so I can't say whether Alien is better than Heat.", "unparsed refusal"),
    _t(42, "What do you think of Heat (1995)?", "unparsed"),
    _r(43, "502 Bad Gateway", "unparsed no_rating"),
    _r(43, "Request timed out after 3 attempts.", "unparsed no_rating"),
    _r(43, "There are 3 reasons why this is hard to say.", "unparsed no_rating"),
    _y(43, "No module named 'openai'", "unparsed"),
    _y(43, "Yes or no? Hard to tell.", "unparsed"),
    _y(43, "Definitely yes.", "ok 1"),
    _y(43, "Answer: No. (Yes would need more action.)", "repaired 0"),
    _t(43, "ConnectionError: HTTPSConnectionPool(host='x', port=443): Max retries exceeded", "unparsed"),
    _t(44, "Psycho (1960) | Alien (1979)\nCasino (1995) | Heat (1995)", "repaired 3 2"),
    _t(44, "- You watched Psycho → Alien\n- You watched Casino → Heat", "repaired 3 2"),
    _t(45, "a) Heat\nb) Alien\nc) Fargo", "ok 2 3 1"),
    _t(45, "(i) Fargo\n(ii) Alien\n(iii) Heat", "ok 1 3 2"),
    _t(45, "⭐ Alien\n⭐ Heat\n⭐ Fargo", "ok 3 2 1"),
    _n(45, 4, "Nr. 3, Nr. 1, Nr. 4, Nr. 2", "ok 3 1 4 2"),
    _t(46, "第一名：Heat\n第二名：Alien\n第三名：Fargo", "ok 2 3 1"),
    _t(46, "1）『羅生門』 2）『東京物語』 3）『七人の侍』 4）『千と千尋の神隠し』", "ok 3 4 2 1", CJK),
    _n(46, 3, "[2]、[3]、[1]", "ok 2 3 1"),
    _l(46, 3, "（Ｃ）＞（Ａ）＞（Ｂ）", "ok 3 1 2"),
    _t(47, '<ul class="list"><li>Heat</li><li>Fargo</li><li>Alien</li></ul><p>Enjoy!</p>', "ok 2 1 3"),
    _t(47, "- **Alien**\n  - Why: tension\n- **Heat**\n  - Why: like Fargo\n- **Fargo**\n  - Why: snow", "repaired 3 2 1"),
    _t(48, "Heat (1994), Fargo (1997), Alien (1979)", "ok 2 1 3"),
    _t(15, "1. Old Spice Deodorant\n2. L'Oreal Elvive Shampoo\n3. Dove Body Wash (Cucumber)\n4. Nivea Creme, 150ml", "ok 4 3 1 2", BRANDS),
    _r(22, "4 von 5 Sternen", "ok 4"),
    _r(22, "Ich würde 3 oder 4 geben", "unparsed ambiguous"),
    _r(22, "Score: 4.5/5.0", "ok 4.5"),
    _r(22, "★★★½", "ok 3.5"),
    _c(13, "**C**) Alien", "ok 3"),
    _c(13, "Option B, since A and C are slow.", "repaired 2"),
    _c(13, "Film 3", "ok 3", "numbers"),
)  # fmt: skip

THIRD: tuple[Written, ...] = (
    _n(11, 4, "Top 4 of 12 passages:\n1. [3]\n2. [4]\n3. [1]\n4. [2]", "ok 3 4 1 2"),
    _n(12, 4, "[4] > [9] > [2] > [1] > [3]", "repaired 4 2 1 3"),
    _t(14, "1. Dead Man\n2. Aliens\n3. Dead Man Walking\n4. Alien", "ok 1 4 2 3", PREFIXES),
    _t(38, "Draft:\n- Alien\n- Heat\n- Fargo\n\nFinal answer:\n- Fargo\n- Alien\n- Heat", "repaired 1 3 2"),
    _t(38, "The options are Fargo, Heat and Alien.\n\nRanking:\n1. Alien\n2. Heat\n3. Fargo", "repaired 3 2 1"),
    _n(38, 3, "Preliminary: [3] > [2] > [1]\nFinal answer: [1] > [3] > [2]", "repaired 1 3 2"),
    _n(38, 3, "[3] > [1] > [2]\n\n[2] > [1] > [3]", "unparsed ambiguous"),
    _t(38, "Brouillon :\n1. Fargo\n2. Heat\n3. Alien\n\nRéponse :\n1. Heat\n2. Alien\n3. Fargo", "repaired 2 3 1"),
    _n(39, 3, "Rank 3: Item 1\nRank 1: Item 2\nRank 2: Item 3", "ok 2 3 1"),
    _n(39, 3, "| Id | Position |\n|---|---|\n| 1 | 2 |\n| 2 | 3 |\n| 3 | 1 |", "ok 3 1 2"),
    _j(39, "titles", 3, '{"2": "Heat", "1": "Alien", "3": "Fargo"}', "ok 3 2 1"),
    _j(39, "letters", 3, '{"C": 1, "A": 3, "B": 2}', "ok 3 2 1"),
    _j(39, "numbers", 3, '{"1": 2, "2": 3, "3": 1}', "unparsed ambiguous"),
    _t(40, "Countdown:\n3. Heat\n2. Fargo\n1. Alien", "ok 3 1 2"),
    _t(40, "From least to most relevant:\n1. Alien\n2. Fargo\n3. Heat", "ok 2 1 3"),
    _l(40, 3, "B < C < A", "ok 1 3 2"),
    _t(40, "由低到高：Heat、Fargo、Alien", "ok 3 1 2"),
    _n(40, 3, "[1] < [3] > [2]", "unparsed ambiguous"),
    _j(40, "titles", 3, '{"scores": {"Fargo": 2, "Heat": 9, "Alien": 5}}', "ok 2 3 1"),
    _t(41, "1. Three Colors: Blue (1993)\n2. Heat", "repaired 2", ("Three Colors: Red (1994)", "Heat (1995)")),
    _t(41, "1. Kill Bill: Vol. 2 (2004)\n2. Heat", "repaired 2", ("Kill Bill: Vol. 1 (2003)", "Heat (1995)")),
    _t(41, "1. Casblanca (1942)\n2. Heat", "ok 1 2", ("Casablanca (1942)", "Heat (1995)")),
    _t(42, "1. Heat\n2. Alien\n\nExcluded: Fargo", "repaired 2 3"),
    _t(42, "Seeing that you enjoyed Casablanca, I suggest:\n1. Alien\n2. Fargo", "repaired 3 1", T4),
    _t(42, "I can't recommend Heat.", "unparsed"),
    _r(43, "429 Too Many Requests: limit 5 per minute", "unparsed no_rating"),
    _r(43, "Service unavailable, try again in 3 seconds", "unparsed no_rating"),
    _y(43, "No and yes", "unparsed ambiguous"),
    _y(43, "Rate limit exceeded; no retry possible.", "unparsed"),
    _t(44, "- Vertigo → Heat\n- Rope → Fargo\n- Psycho → Alien", "ok 2 1 3"),
    _t(44, "[1. Heat]; [2. Alien]; [3. Fargo]", "ok 2 3 1"),
    _t(45, "(I) Heat\n(II) Fargo\n(III) Alien", "ok 2 1 3"),
    _t(45, "№ 1. Fargo\n№ 2. Alien\n№ 3. Heat", "ok 1 3 2"),
    _n(45, 3, "③ ① ②", "ok 3 1 2"),
    _t(46, "１、Heat\n２、Fargo\n３、Alien", "ok 2 1 3"),
    _t(46, "『Alien』、『Fargo』、『Heat』", "ok 3 1 2"),
    _n(46, 3, "［２］ → ［１］ → ［３］", "ok 2 1 3"),
    _t(47, "<ul><li><b>Fargo</b></li><li><b>Heat</b></li><li><b>Alien</b></li></ul>", "ok 1 2 3"),
    _t(47, "<ol reversed><li>Heat</li><li>Alien</li><li>Fargo</li></ol>", "ok 1 3 2"),
    _t(48, "1. Fargo (1995)\n2. Heat (1995)\n3. Alien (1980)", "ok 1 2 3"),
)  # fmt: skip
