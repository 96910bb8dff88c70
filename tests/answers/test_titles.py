import pytest

from llmrank.answers.formats.ranking import assign_items, resolved
from llmrank.answers.items.matching import title_index
from llmrank.types import Answer, Item, Outcome, Question
from tests.answers.asking import items, mentions, places, read

FILMS = items(
    "Toy Story (1995)",
    "Matrix, The (1999)",
    "Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il) (1966)",
    "Alien (1979)",
    "Seven (a.k.a. Se7en) (1995)",
    "Star Wars: Episode IV - A New Hope (1977)",
    "Toy Story 2 (1999)",
)
QUESTION = Question(FILMS, top=3)
PALR = Question(items("Almost Famous", "Full Metal Jacket", "Pink Floyd - The Wall", "Good, the Bad and the Ugly, The"))


def titles(text: str, question: Question = QUESTION, finish_reason: str = "stop") -> Answer:
    return read("titles", text, question, finish_reason)


@pytest.mark.parametrize(
    "text",
    [
        "1. Alien (1979)\n2. Toy Story (1995)\n3. Matrix, The (1999)",
        "1) Alien\n2) Toy Story\n3) The Matrix",
        "- Alien (1979)\n- Toy Story (1995)\n- The Matrix (1999)",
        "* Alien\n* Toy Story\n* The Matrix",
        "Alien\nToy Story\nMatrix, The",
        "1. **Alien (1979)**\n2. **Toy Story (1995)**\n3. **The Matrix (1999)**",
        "**1. Alien**\n**2. Toy Story**\n**3. The Matrix**",
        '"Alien", "Toy Story", "The Matrix"',
        'Output: "Alien", "Toy Story", "The Matrix".',
        "['Alien (1979)', 'Toy Story (1995)', 'Matrix, The (1999)']",
        '["Alien", "Toy Story", "The Matrix"]',
        '```json\n["Alien",\n "Toy Story",\n "The Matrix"]\n```',
        '{"recommendations": [{"title": "Alien"}, {"title": "Toy Story"}, {"title": "The Matrix"}]}',
        "1. Alien (1979) - a horror classic, like The Thing (1982)\n2. Toy Story (1995): you like toys\n3. The Matrix",
        "1. Alien - because you watched The Thing\n2. Toy Story, a film about toys\n3. The Matrix (great visuals here)",
        "Alien (1979), Toy Story (1995), The Matrix (1999)",
        "Alien, Toy Story, The Matrix",
        "Alien (1979) > Toy Story (1995) > Matrix, The (1999)",
        "1. Alien 2. Toy Story 3. The Matrix",
        "1. Alien (1979), Toy Story (1995)\n2. The Matrix (1999)",
        "Here are the top 50 recommendations:\n\n1. Alien\n2. Toy Story\n3. The Matrix\n\nI hope you enjoy these!",
        "Top-50 Recommendations:\nAlien (1979) 4/5, Toy Story (1995) 4/5, Matrix, The (1999) 3/5",
        "Alien (1979) 4/5\nToy Story (1995) 5/5\nMatrix, The (1999)\n4/5",
        "I would recommend Alien (1979), Toy Story (1995), and The Matrix (1999).",
        "Here are my picks: Alien, Toy Story, The Matrix",
        "| 1 | Alien (1979) | scary |\n| 2 | Toy Story (1995) | fun |\n| 3 | The Matrix (1999) | long |",
        "1. Alien\n   - Genre: Horror\n2. Toy Story\n   - Genre: Children\n3. The Matrix\n   - Genre: Action",
        "<think>Toy Story 2? No.</think>\n1. Alien\n2. Toy Story\n3. The Matrix",
        "## Ranking\n\n1. Alien\n2. Toy Story\n3. The Matrix",
        "\u201cAlien\u201d, \u201cToy Story\u201d, \u201cThe Matrix\u201d",
        "alien\nTOY STORY\nthe matrix",
        "1. [Alien]\n2. [Toy Story]\n3. [The Matrix]",
        "Sure!\n\nAlien\nToy Story\nThe Matrix",
    ],
)  # fmt: skip
def test_every_form_is_read(text: str) -> None:
    answer = titles(text)
    assert places(answer) == [4, 1, 2]
    assert (answer.outcome, answer.repairs) == (Outcome.OK, {})


def test_palr_lists_keep_titles_with_commas_and_dashes_whole() -> None:
    text = 'Output:"Pink Floyd - The Wall", "The Good, the Bad and the Ugly", "Full Metal Jacket", "Almost Famous"'
    assert places(titles(text, PALR)) == [3, 4, 2, 1]
    unquoted = "Pink Floyd - The Wall, Good, the Bad and the Ugly, The, Full Metal Jacket, Almost Famous"
    assert places(titles(unquoted, PALR)) == [3, 4, 2, 1]


def test_palr_beauty_names_the_item_id() -> None:
    beauty = (
        Item("B000142FVW", "Opi Nail Lacquer, Not So Bora Pink, 0.5 Fluid Ounce"),
        Item("B000G1MT2U", "Mixed Chicks"),
    )
    answer = titles('"B000G1MT2U (Mixed Chicks)", "B000142FVW (Opi Nail Lacquer, Not So Bora Pink)"', Question(beauty))
    assert answer.ranked == ("B000G1MT2U", "B000142FVW")
    assert answer.matches == {"item_id": 2}


def test_each_stage_of_a_match_is_counted() -> None:
    answer = titles("Alien (1979)\nThe Matrix\nStar Wars (1977)")
    assert answer.matches == {"exact": 1, "normalised": 1, "fuzzy": 1}


def test_titles_outside_the_list_are_counted_and_not_replaced() -> None:
    answer = titles("1. Alien\n2. The Godfather (1972)\n3. Toy Story 3 (2010)\n4. The")
    assert places(answer) == [4]
    assert (answer.outcome, answer.repairs) == (Outcome.REPAIRED, {"not_a_candidate": 3, "missing": 2})


def test_missing_goes_as_far_as_the_question_asked() -> None:
    assert titles("Alien").repairs == {"missing": 2}
    assert titles("Alien", Question(FILMS)).repairs == {"missing": 6}
    assert titles("Alien", Question(FILMS, top=20)).repairs == {"missing": 6}


def test_repeated_titles_are_duplicates() -> None:
    answer = titles("1. Alien\n2. Alien (1979)\n3. Toy Story\n4. The Matrix")
    assert (places(answer), answer.repairs) == ([4, 1, 2], {"duplicate": 1})
    again = titles("\n".join(["Alien (1979)"] * 50))
    assert (places(again), again.repairs) == ([4], {"duplicate": 49, "missing": 2})


def test_a_similar_text_beside_the_exact_title_is_a_duplicate() -> None:
    answer = titles("Star Wars (1977)\nStar Wars: Episode IV - A New Hope (1977)\nAlien\nToy Story")
    assert (places(answer), answer.repairs) == ([6, 4, 1], {"duplicate": 1})


def test_equal_titles_are_taken_in_the_order_shown() -> None:
    emma = Question(items("Emma (1996)", "Alien (1979)", "Emma (1996)"))
    assert places(titles("Emma (1996)\nAlien\nEmma (1996)", emma)) == [1, 2, 3]
    assert titles("Emma (1996)\nAlien\nEmma (1996)", emma).repairs == {"shared_title": 2}  # nothing tells them apart
    assert titles("Emma\nEmma\nEmma", emma).repairs == {"shared_title": 2, "duplicate": 1, "missing": 1}


@pytest.mark.parametrize("text", ["Tom &amp; Jerry Mug\nH&amp;M Scarf\nCup", "Tom & Jerry Mug\nH&M Scarf\nCup"])
def test_titles_with_entities_are_read_as_they_stand_or_without(text: str) -> None:
    shop = Question(items("Cup", "H&amp;M Scarf", "Tom &amp; Jerry Mug"))
    answer = titles(text, shop)
    assert (places(answer), answer.outcome) == ([3, 2, 1], Outcome.OK)


def test_remakes_without_a_year_are_ambiguous() -> None:
    remakes = Question(items("Beauty and the Beast (1991)", "Beauty and the Beast (2017)", "Alien (1979)"), top=1)
    answer = titles("Alien\nBeauty and the Beast", remakes)
    assert (places(answer), answer.repairs) == ([3], {"ambiguous": 1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. Alien (1979)\n2. Toy Story (1995)\n3. Matr", [4, 1]),
        ("1. Alien (1979)\n2. Toy Story", [4]),  # may be the beginning of Toy Story 2
        ("1. Alien (1979)\n2. Toy Story (1995)", [4, 1]),
        ("1. Alien (1979)\n2. Toy Story\n", [4, 1]),
        ('"Alien", "Toy Story", "The Mat', [4, 1]),
        ('["Alien", "Toy Story", "The Mat', [4, 1]),
        ("Alien (1979), Toy Story (1995), The Good, the B", [4, 1]),
        ("1. Alien (1979)\n2.", [4]),
    ],
)
def test_a_truncated_answer_gives_what_was_complete(text: str, expected: list[int]) -> None:
    answer = titles(text, finish_reason="length")
    assert places(answer) == expected
    assert answer.outcome is Outcome.REPAIRED
    assert answer.repairs["truncated"] == 1
    assert "not_a_candidate" not in answer.repairs


@pytest.mark.parametrize("tail", ["Heat (19", "Matr", "Road Warrior, The (Mad Max 2"])
def test_truncation_is_recognised_without_a_finish_reason(tail: str) -> None:
    answer = titles(f"1. Alien (1979)\n2. Toy Story (1995)\n3. {tail}")
    assert answer.repairs == {"truncated": 1, "missing": 1}


@pytest.mark.parametrize(
    ("last", "expected", "repairs"),
    [
        ("The Matrix", [4, 1, 2], {}),
        ("and Matrix, The", [4, 1, 2], {}),
        ("Matrix, The (1999", [4, 1, 2], {}),
        ("Road Warrior, The (Mad Ma", [4, 1], {"truncated": 1, "missing": 1}),
        ("two that you will like", [4, 1], {"missing": 1}),
    ],
)
def test_the_last_title_may_lack_its_year(last: str, expected: list[int], repairs: dict[str, int]) -> None:
    answer = titles(f"Alien (1979), Toy Story (1995), {last}")
    assert (places(answer), answer.repairs) == (expected, repairs)


@pytest.mark.parametrize(
    ("text", "finish_reason", "reason"),
    [
        ("", "stop", "empty"),
        (" \n\t", "stop", "empty"),
        ("", "tool_calls", "tool_call"),
        ("", "length", "truncated"),
        ("I'm sorry, but I can't help with that.", "stop", "refusal"),
        ("", "content_filter", "refusal"),
        ("As an AI language model I do not have preferences.", "stop", "refusal"),
        ("<think>Alien (1979) is good", "length", "truncated"),
        ("<think>Alien (1979) is good", "stop", "truncated"),
        ("1. The Godfather (1972)\n2. Heat (1995)", "stop", "no_candidate_named"),
        ("The user likes crime films and long walks on the beach.", "stop", "no_candidate_named"),
    ],
)
def test_unparsed_says_why(text: str, finish_reason: str, reason: str) -> None:
    answer = titles(text, finish_reason=finish_reason)
    assert (answer.outcome, answer.reason, answer.ranked) == (Outcome.UNPARSED, reason, ())


def test_hallucinations_of_an_unparsed_answer_are_counted() -> None:
    assert titles("1. The Godfather (1972)\n2. Heat (1995)").repairs == {"not_a_candidate": 2}


def test_a_preamble_that_names_a_liked_film_is_not_a_ranking() -> None:
    answer = titles("Because you liked Heat (1995), here are the top 2:\n1. Alien\n2. Toy Story\n3. The Matrix")
    assert (places(answer), answer.repairs) == ([4, 1, 2], {})


def test_titles_that_look_like_list_numbers() -> None:
    question = Question(items("300", "12 Angry Men", "2001: A Space Odyssey", "50/50", "9", "1. FC Union"))
    assert places(titles("12 Angry Men\n2001: A Space Odyssey\n50/50\n300\n9\n1. FC Union", question)) == [
        2,
        3,
        4,
        1,
        5,
        6,
    ]
    assert places(titles("1. 300\n2. 9\n3. 12 Angry Men", question)) == [1, 5, 2]


def test_a_number_inside_a_title_does_not_begin_a_list() -> None:
    index = title_index(FILMS)
    found = mentions("1. Road Warrior, The (Mad Max 2) (1981)\n2. Kill Bill: Vol. 2 (2004)", index)
    assert [mention.text for mention in found] == ["Road Warrior, The (Mad Max 2) (1981)", "Kill Bill: Vol. 2 (2004)"]


@pytest.mark.parametrize("mark", ["{}. ", "- ", ""])
def test_two_numbers_inside_each_title_are_not_identifiers(mark: str) -> None:
    """They name more items than the titles do, so a list of exact titles was read by them."""
    shown = items(*(f"Season {season} Episode 4" for season in range(1, 11)))
    order = (7, 5, 8, 1, 9, 2)
    lines = [mark.format(number) + shown[at].title for number, at in enumerate(order, 1)]
    answer = titles("\n".join(lines), Question(shown, tuple(map(str, range(1, 11)))))
    assert places(answer) == [at + 1 for at in order] and dict(answer.matches) == {"exact": 6}


def test_a_remark_is_not_a_title_and_a_longer_title_is_not_a_remark() -> None:
    found = mentions("1. Alien: Covenant\n2. Alien - it is a classic horror film", title_index(FILMS))
    named, repairs = resolved(assign_items(found, title_index(FILMS)))
    assert (list(named), dict(repairs)) == ([3], {"not_a_candidate": 1})


def test_a_whole_catalogue_is_matched_freely() -> None:
    catalogue = tuple(Item(str(number), f"Film Number {number} (19{number % 90 + 10})") for number in range(3000))
    answer = titles('"Film Number 7 (1917)", "Film Number 2999", "Film Nmber 12 (1922)"', Question(catalogue, top=10))
    assert answer.ranked == ("7", "2999", "12")
    assert answer.repairs == {"missing": 7}


@pytest.mark.parametrize(
    "title",
    [  # each was taken for prose, so the count of titles outside the list lacked it
        "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)",
        "The Man from U.N.C.L.E. (2015)",
        "Like Water for Chocolate (Como agua para chocolate) (1992)",
        "Spring, Summer, Fall, Winter... and Spring (Bom yeoreum gaeul gyeoul geurigo bom) (2003)",
        "The Good, the Bad and the Weird (Joheunnom nabbeunnom isanghannom) (2008)",
    ],
)
def test_long_titles_outside_the_list_are_counted(title: str) -> None:
    assert titles(f"1. Alien\n2. {title}\n3. Toy Story\n4. The Matrix").repairs == {"not_a_candidate": 1}


def test_a_rating_beside_the_title_leaves_the_match_exact() -> None:
    assert titles("1. Seven (a.k.a. Se7en) (1995) 4/5\n2. Alien (1979) 3/5").matches == {"exact": 2}


def test_the_year_of_another_film_in_a_remark_is_not_the_titles() -> None:
    answer = titles("1. Alien - like The Thing (1982)\n2. Toy Story, because you rated Up (2009) well\n3. The Matrix")
    assert (places(answer), answer.repairs) == ([4, 1, 2], {})
    assert titles("1. Alien: the director's cut (2003)").repairs == {"not_a_candidate": 1}


def test_a_list_that_one_does_not_recommend_is_left_out() -> None:
    films = items("Heat (1995)", "Alien (1979)", "Fargo (1996)", "Ronin (1998)")
    text = "I don't recommend:\n1. Heat (1995)\n2. Alien (1979)\n\nI do recommend:\n1. Fargo (1996)\n2. Ronin (1998)"
    assert places(read("titles", text, Question(films)))[:2] == [3, 4]
    text = "If you don't like horror, I recommend:\n1. Fargo (1996)\n2. Ronin (1998)"
    assert places(read("titles", text, Question(films)))[:2] == [3, 4]


@pytest.mark.parametrize(
    "said",
    [
        "I left out Matrix, The (1999) and Toy Story 2 (1999). They are too long.",
        "Matrix, The (1999) and Toy Story 2 (1999) were left out because they are long.",
        "These two are crime films. I omitted Matrix, The (1999) and Toy Story 2 (1999).",
    ],
)
def test_titles_that_a_sentence_leaves_out_are_not_ranked(said: str) -> None:
    assert places(titles(f"1. Alien (1979)\n2. Toy Story (1995)\n\n{said}")) == [4, 1]


def test_words_in_a_title_do_not_give_the_direction() -> None:
    films = items("Heat (1995)", "Fargo (1996)", "Countdown (1967)", "Alien (1979)")
    text = "Top picks:\n1. Heat\n2. Fargo\n\nOthers:\n1. Countdown\n2. Alien"
    assert places(read("titles", text, Question(films))) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Recently viewed:\n1. Alien\n2. Heat\n\nUp next:\n1. Fargo\n2. Jaws", [2, 4]),
        ("Loved:\n- Alien\n- Heat\n\nHated:\n- Casino\n\nRanking:\n- Fargo\n- Jaws", [2, 4]),
        ("**Watch:** Heat (1995), Alien (1979)\n**Avoid:** Fargo (1996)", [3, 1]),
        ("Saving the best for last: Alien, Heat, Jaws", [4, 3, 1]),
        ("Heat 👍\nFargo 👍\nAlien 👍", [3, 2, 1]),
        ("Das Beste zuletzt:\nHeat\nAlien", [1, 3]),
        ("Lo mejor al final:\nHeat\nAlien", [1, 3]),
        ("O melhor no final:\nHeat\nAlien", [1, 3]),
        ("Il migliore alla fine:\nHeat\nAlien", [1, 3]),
        ("Le meilleur à la fin :\nHeat\nAlien", [1, 3]),
        ('{"functionCall": {"name": "rank", "args": {"ranking": ["Heat", "Alien"]}}}', [3, 1]),
    ],
)
def test_statements_about_a_list_are_respected(text: str, expected: list[int]) -> None:
    films = items("Alien (1979)", "Fargo (1996)", "Heat (1995)", "Jaws (1975)", "Casino (1995)")
    assert places(read("titles", text, Question(films))) == expected


COMPANY = (
    "Heat (1995)",
    "Fargo (1996)",
    "Mad Max: Fury Road (2015)",
    "Up (2009)",
    "Harry Potter and the Goblet of Fire (2005)",
)


@pytest.mark.parametrize(
    ("text", "places", "loose"),
    [
        ("1. Heat\n2. Fury Road\n3. Fargo", "1 3 2", 1),
        ("1. Heat\n2. Fury Road", "1", 0),  # too few others
        ("1. Heat\n2. Fury Road\n3. Fargo\n4. Jaws\n5. Her\n6. Big", "1 2", 0),  # most are other films
        ("1. Fury Road\n2. Heat\n3. Fargo\n4. Fury Road", "1 2", 0),  # twice
        ("1. Heat\n2. Mad Max: Fury Road\n3. Fargo\n4. Fury Road", "1 3 2", 0),  # already named
        ("1. Harry Potter\n2. Up\n3. Heat\n4. Fargo\n5. Fury Road", "5 4 1 2 3", 2),  # all are ranked
        ("1. Harry Potter\n2. Up\n3. Heat\n4. Fargo", "4 1 2", 0),
        ("1. Harry Potter (2001)\n2. Up\n3. Heat\n4. Fargo\n5. Fury Road", "4 1 2 3", 1),
    ],
)
def test_a_text_that_recalls_a_title_is_read_in_company(text: str, places: str, loose: int) -> None:
    shown = items(*COMPANY)
    answer = read("titles", text, Question(shown))
    assert " ".join(one[1:] for one in answer.ranked) == places
    assert answer.repairs.get("loose", 0) == answer.matches.get("loose", 0) == loose
    assert answer.outcome is Outcome.REPAIRED


@pytest.mark.parametrize("text", ["Milk and Honey (2003)", "Last Holiday (2003)", "This World, Then the Honey (2003)"])
def test_the_end_of_another_title_is_not_a_candidate(text: str) -> None:
    shown = items("Honey (2003)", "Holiday, The (2003)", "Fargo (1996)")
    answer = read("titles", f"1. {text}\n2. Fargo (1996)", Question(shown))
    assert (answer.ranked, answer.repairs["not_a_candidate"]) == (("i3",), 1)


@pytest.mark.parametrize("text", ["Watch Honey (2003)", "Then Honey (2003)"])
def test_words_that_introduce_a_title_are_not_part_of_it(text: str) -> None:
    shown = items("Honey (2003)", "Fargo (1996)")
    assert read("titles", f"1. {text}\n2. Fargo (1996)", Question(shown)).ranked == ("i1", "i2")


@pytest.mark.parametrize(
    "text",
    [
        "1. Alien\n2. Seven\n3. The Matrix\n\nIf you can't decide, start with the first!",
        "Rank of the movies:\n1. Alien\n2. Seven\n3. The Matrix",
        "I'll recommend these:\n1. Alien\n2. Seven\n3. The Matrix\n\nPlease send me a note if you want more films.",
    ],
)
def test_friendly_words_beside_a_ranking_do_not_make_it_doubtful(text: str) -> None:
    assert places(read("titles", text, QUESTION)) == [4, 5, 2]


def test_an_answer_that_is_the_title_of_the_film_is_still_a_verdict() -> None:
    read_as = [read("yes_no", text, Question(items("No (2012)"))).value for text in ("No.", "Yes, No (2012) fits.")]
    assert read_as == [0, 1]


PROGRAM = 'films = ["Heat (1995)", "Fargo (1996)", "Alien (1979)"]'


@pytest.mark.parametrize(
    ("program", "order"),
    [
        (PROGRAM, [1, 2, 3]),
        (f"{PROGRAM}\nfor film in films:\n    print(film)", [1, 2, 3]),
        (
            f'seen = ["Heat (1995)"]  # known\n{PROGRAM}\nfor i, film in enumerate(films, 1):\n    print(i, film)',
            [1, 2, 3],
        ),
        (f"{PROGRAM}\nfilms.reverse()\nfor film in films:\n    print(film)", []),
        (f"{PROGRAM}\nfilms = films[::-1]\nfor film in films:\n    print(film)", []),
        (f"{PROGRAM}\nrandom.shuffle(films)\nfor film in films:\n    print(film)", []),
        (f"{PROGRAM}\nfor film in sorted(films):\n    print(film)", []),
        (f"{PROGRAM}\nfor film in films:\n    print(film if film in liked else '')", []),
        ("films = {'Heat': 1, 'Fargo': 5}\nfor film in films: print(film)", []),
    ],
)
def test_a_program_is_read_only_where_it_prints_a_list_as_it_stands(program: str, order: list[int]) -> None:
    shown = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"))
    assert places(read("titles", f"```python\n{program}\n```", shown)) == order


def test_parts_of_a_series_in_another_script_are_different_items() -> None:
    shown = Question(items("Иван (часть 1)", "三体 (上)", "Spirited Away (2001)"))
    found = read("titles", "Spirited Away (千と千尋の神隠し)\nИван (часть 2)\n三体 (下)", shown)
    assert places(found) in ([3], [])


def test_an_offer_to_rank_again_is_not_a_retraction() -> None:
    shown = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"))
    text = "1. Heat (1995)\n2. Fargo (1996)\n3. Alien (1979)\n\n"
    text += "Please share more of your history and I will rank them better."
    assert places(read("titles", text, shown)) == [1, 2, 3]


def test_items_named_beside_the_ranking_are_not_part_of_it() -> None:
    question = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"))
    table = "| # | Film |\n|--|--|\n| 1 | Fargo |\n| 2 | Heat |\n\n"
    for beside in (
        "> **Note:** Alien and Aliens are not in the table on purpose; nothing points to them.",
        "Lines I threw out: Alien.",
        "Unsure (no data): Alien.",
        "A few remarks:\n- Alien would be 0.4, which is under my threshold.",
    ):
        assert places(read("titles", f"{table}{beside}", question)) == [2, 1]
    excluded = "<response><ranking><item>Fargo</item><item>Heat</item></ranking><excluded reason='x'><item>Alien</item>"
    assert places(read("titles", f"{excluded}</excluded></response>", question)) == [2, 1]
    tex = "\\begin{enumerate}\n\\item Fargo\n\\item Heat\n% \\item Alien\n\\end{enumerate}"
    assert places(read("titles", tex, question)) == [2, 1]
    assert places(read("titles", "3 of 3 ranked, 0 skipped:\n1. Alien\n2. Heat\n3. Fargo", question)) == [3, 1, 2]


def test_titles_similar_to_candidates_are_found_before_remarks() -> None:
    question = Question(items("Philips Airfryer XXL 7.3 L", "Bosch MUM5 Kitchen Machine 1000 W"))
    text = (
        "1. **Bosch MUM5 Kitchen Machine** – popular, but no clear sign\n2. Philips Airfryer XXL - fits, and is large"
    )
    assert places(read("titles", text, question)) == [2, 1]


def test_a_title_with_a_comma_may_begin_a_chain_after_a_colon() -> None:
    question = Question(items("Fargo, Season 1 (2014)", "Fargo, Season 2 (2015)", "Dark, Season 1 (2017)"))
    text = "I'd rank them like this: Dark, Season 1 > Fargo, Season 2 > Fargo, Season 1."
    assert places(read("titles", text, question)) == [3, 2, 1]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("1. Fargo[^1]\n2. Heat\n3. Alien[^2]\n\n[^1]: Like *Alien*, it is old.\n[^2]: 1979", [2, 1, 3]),
        ("```diff\n--- draft\n+++ final\n  1. Alien\n- 2. Fargo\n+ 2. Heat\n- 3. Heat\n+ 3. Fargo\n```", [3, 1, 2]),
        ("By year, for orientation:\n1. Alien\n2. Heat\n3. Fargo\n\nBy fit:\n1. Fargo\n2. Alien\n3. Heat", [2, 3, 1]),
        ("Item: Heat\n   fun 8 → place 3\nItem: Fargo\n   fun 9 → place 1\nItem: Alien\n   fun 8 → place 2", [2, 3, 1]),
        ("I. Fargo\nII. Heat\n" + "".join(f"{n}. Other {n}\n" for n in ("III", "IV")) + "V. Alien", [2, 1, 3]),
        (
            "- Alien: a classic\n- Heat: a masterpiece\n- Fargo: very funny\n\nThe list ends with my number one.",
            [2, 1, 3],
        ),
        ('rank,title,year,seen,comment\n1,"Fargo (1996)",1996,no,""\n2,"Heat (1995)",1995,no,"a ""long"" one"', [2, 1]),
        ("Final standings\n1st Fargo\n2nd Heat\n3rd Alien", [2, 1, 3]),
        ("Top: Fargo · Heat · Alien", [2, 1, 3]),
        (
            "I go from the one you'd enjoy least up to the one you'd enjoy most:\n\n- Heat: long\n- Alien\n- Fargo",
            [2, 3, 1],
        ),
        ("首先推荐《Fargo》，很好；\n其次是《Heat》；\n第三是《Alien》。", [2, 1, 3]),
    ],
)
def test_rankings_are_read_in_the_forms_of_documents(text: str, order: list[int]) -> None:
    question = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"))
    assert places(read("titles", text, question)) == order


def test_a_refusal_to_rank_is_not_a_ranking() -> None:
    question = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"))
    text = (
        "I'm sorry, but I can't produce this ranking. What I can do:\n1. Explain ratings.\n2. Say why Heat is rated R."
    )
    assert read("titles", text, question).outcome is Outcome.UNPARSED


def test_a_map_whose_values_name_two_items_raises_nothing() -> None:
    question = Question(items("Solaris (1972)", "Solaris (2002)", "Alien (1979)"))
    text = '{"Solaris": "slow", "Alien": "crime", "Solaris (2002)": "short"}'
    assert read("titles", text, question).outcome is not Outcome.ERROR


@pytest.mark.parametrize(
    "text",
    [
        "抱歉，我无法根据这些信息进行排序。",
        "죄송하지만 이 정보만으로는 순위를 매길 수 없습니다.",
        "Es tut mir leid, aber dazu kann ich nichts sagen: ich kenne den Nutzer nicht.",
        "Désolé, je ne peux pas établir de classement.",
        "Lo siento, no puedo ordenar estas películas.",
        "Mi dispiace, ma non posso aiutarti.",
        "Infelizmente não consigo ordenar os filmes.",
        "К сожалению, я не могу составить рейтинг.",
    ],
)
def test_a_refusal_in_another_language_is_called_one(text: str) -> None:
    assert titles(text).reason == "refusal"


def test_a_ranking_after_an_apology_in_another_language_is_read() -> None:
    assert titles("Lo siento, no conozco sus gustos. Mi lista:\n1. Heat\n2. Alien").ranked


def test_a_chain_of_shortened_titles_is_read() -> None:
    shown = items(
        "Apple AirPods Max Wireless Headphones, Active Noise Cancelling, Space Gray",
        "Sony WH-1000XM5 Wireless Headphones, Black",
        "Heat",
        "JBL Tune 510BT: Wireless On-Ear Headphones - Black",
    )
    answer = read("titles", "Sony WH-1000XM5 > JBL Tune 510BT > Apple AirPods Max", Question(shown))
    assert places(answer) == [2, 4, 1]


def test_the_first_part_of_a_title_at_the_end_is_not_truncated() -> None:
    shown = items("The Outsiders", "The Hobbit", "Educated: A Memoir", "Dune")
    answer = read("titles", "1. The Outsiders\n2. The Hobbit\n3. Educated", Question(shown))
    assert (places(answer), answer.repairs) == ([1, 2, 3], {"loose": 1, "missing": 1})


def test_another_part_of_a_series_is_not_a_candidate() -> None:
    shown = items("Anno 1800", "Anno 1800 - Seat of Power", "Frostpunk", "Frostpunk - The Last Autumn")
    answer = read("titles", "1. Anno 1800 - Docklands\n2. Frostpunk - The Rifts", Question(shown))
    assert (places(answer), answer.reason) == ([], "no_candidate_named")
    answer = read("titles", "1. Anno 1800 - Seat of Power\n2. Frostpunk - The Last Autumn", Question(shown))
    assert places(answer) == [2, 4]


@pytest.mark.parametrize(("said", "reason"), [("", "ambiguous"), (" of interest", ""), (" (worst to best)", "")])
def test_an_ascending_order_without_a_criterion_is_ambiguous(said: str, reason: str) -> None:
    answer = read(
        "titles", f"Ranked in ascending order{said}:\n- Alien (1979)\n- Toy Story (1995)", Question(FILMS[:4], top=2)
    )
    assert (places(answer), answer.reason) == ([] if reason else [1, 4], reason)


def test_a_sentence_about_a_quoted_title_ends_the_list_before_it() -> None:
    answer = titles("推荐：《Alien》、《Toy Story》、《The Matrix》。《Toy Story 2》与您的兴趣不符，故不推荐。")
    assert places(answer) == [4, 1, 2]


def test_a_final_answer_that_repeats_the_first_place_leaves_the_list_as_it_is() -> None:
    listed = "1. Alien\n2. Toy Story\n3. The Matrix\n\n"
    assert places(titles(listed + r"\boxed{Alien}")) == [4, 1, 2]
    assert places(titles(listed + r"\boxed{Toy Story}")) == [1]


def test_what_follows_a_question_of_the_model_s_own_is_no_part_of_the_ranking() -> None:
    listed = "1. Alien\n2. Toy Story\n3. The Matrix\n\n"
    assert places(titles(f"{listed}Question: And for a child?\nAnswer:\n1. Toy Story 2\n2. Toy Story")) == [4, 1, 2]
    assert places(titles(f"Let us begin.\n\nQuestion: Rank them.\n{listed}")) == [4, 1, 2]


def test_a_title_that_is_only_a_year_is_read_beside_others() -> None:
    question = Question(items("(1999)", "Heat", "Fargo"))
    assert titles("1. Heat\n2. (1999)\n3. Fargo", question).ranked == ("i2", "i1", "i3")
    assert titles("Fargo, Heat", question).ranked == ("i3", "i2")
