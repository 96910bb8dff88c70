"""Rankings in further words and notations, each class with near misses that stay unread."""

from __future__ import annotations

import pytest

from llmrank.types import Question
from tests.answers.asking import items, places, read

TITLES = ("Heat (1995)", "Fargo (1996)", "Alien (1979)", "Casino (1995)", "Gattaca (1997)")
FILMS = items(*TITLES)
IDENTIFIERS = {"titles": (), "numbers": tuple("12345"), "letters": tuple("ABCDE"), "json": ()}


def order(way: str, text: str) -> str:
    """Return the places of the ranked items, or the reason why nothing is read. `way`: how the items are named."""
    name = {"titles": "titles", "json": "json"}.get(way, "permutation")
    answer = read(name, text, Question(FILMS, IDENTIFIERS[way]))
    return "".join(map(str, places(answer))) or answer.reason


BULLETS = "\n\n- Fargo\n- Casino\n- Heat\n- Gattaca\n- Alien"


@pytest.mark.parametrize(
    "words",
    [
        "Starting with the one I would recommend least and working my way up:",
        "I'll start with the film I'd recommend the least and work up to my favourite:",
        "Starting at the bottom and working my way up:",
        "I begin with what suits you least and end with what suits you most:",
        "Kicking off with the weakest candidate, finishing with the strongest:",
        "Opening with the one they would enjoy least:",
        "Building up to the best one:",
        "Leaving the best until the end:",
        "The first one is the one I'd recommend least:",
        "My favourite is the last one in the list:",
        "From last place to first place:",
        "From fifth place up to first place:",
        "It gets better as you go down:",
        "Each one is better than the one before:",
        "Ending with my top recommendation:",
        "The strongest pick closes the list:",
        "Je commence par celui que je recommanderais le moins :",
        "Empiezo por la que menos recomendaría:",
        "Comincio da quello che consiglierei di meno:",
        "Начну с того, что рекомендовал бы меньше всего:",
        "最後が一番おすすめです:",
        "最后一个是最推荐的：",
    ],
)
def test_words_that_put_the_worst_first_reverse_a_list(words: str) -> None:
    assert order("titles", words + BULLETS) == "35142"
    assert order("numbers", f"{words}\n2 > 4 > 1 > 5 > 3") == "35142"


@pytest.mark.parametrize(
    "words",
    [
        "Starting with the one I would recommend most and working my way down:",
        "Starting with my favourite and working down to the one I'd recommend least:",
        "Starting with the best and ending with the least suitable:",
        "Starting with a least-known gem, here is my ranking:",
        "Saving the worst for last:",
        "Beginning with what suits you best:",
        "My favourite is the last film I saw, so:",
        "They get better with age; here is my ranking:",
    ],
)
def test_words_that_put_the_best_first_do_not(words: str) -> None:
    assert order("titles", words + BULLETS) == "24153"


def test_advice_after_a_list_does_not_reverse_it() -> None:
    for advice in ("Start with the one you know least about!", "You may begin with the least violent of them."):
        assert order("titles", f"{BULLETS}\n\n{advice}") in ("24153", "ambiguous")


PAIRS = (("C", 3, 4), ("A", 1, 2), ("E", 5, 1), ("B", 2, 5), ("D", 4, 3))


@pytest.mark.parametrize(
    "form", ["Item {} – {}", "{}: {}", "{} = {}", "[{}] – {}", "[{}] → {}", "Movie #{} - {}", "{}, {}"]
)
def test_numbers_beside_identifiers_in_no_known_order_may_be_ranks_or_scores(form: str) -> None:
    assert order("numbers", "\n".join(form.format(name, number) for _, name, number in PAIRS)) == "ambiguous"
    assert order("letters", "\n".join(form.format(name, number) for name, _, number in PAIRS)) == "ambiguous"


def test_numbers_beside_identifiers_with_a_meaning_are_read() -> None:
    lines = [f"Item {name} – rank {number}" for _, name, number in PAIRS]
    assert order("numbers", "\n".join(lines)) == "51432"
    assert order("numbers", "\n".join(sorted(line.replace("rank ", "") for line in lines))) == "51432"  # one for each
    assert order("numbers", "Item 3 – 1\nItem 1 – 2\nItem 5 – 3\nItem 2 – 4\nItem 4 – 5") == "31524"


SHOWN = {
    "ko": ("올드보이", "기생충", "괴물", "살인의 추억", "아가씨"),
    "ja": ("七人の侍", "羅生門", "千と千尋の神隠し", "もののけ姫", "となりのトトロ"),
    "zh": ("霸王别姬", "活着", "大话西游", "让子弹飞", "无间道"),
}


def order_of(titles: tuple[str, ...], text: str) -> str:
    answer = read("titles", text, Question(items(*titles)))
    return "".join(map(str, places(answer))) or answer.reason


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ko", "추천 순위를 매기기 어렵습니다. 올드보이, 기생충, 괴물, 살인의 추억, 아가씨 모두 똑같이 훌륭합니다."),
        ("ko", "모두 똑같이 훌륭합니다: 기생충, 올드보이, 괴물"),
        ("ja", "甲乙つけがたいです：もののけ姫、羅生門、七人の侍"),
        ("zh", "这些电影难分高下：活着、无间道、霸王别姬"),
        ("", "Heat, Fargo und Alien sind alle gleich gut."),
        ("", "Alle sind gleich gut: Alien, Heat, Fargo"),
        ("", "Tous se valent : Alien, Heat, Fargo"),
        ("", "Il est difficile de les classer : Alien, Heat, Fargo"),
        ("", "Todas son igual de buenas: Alien, Heat, Fargo"),
        ("", "Es difícil ordenarlas: Alien, Heat, Fargo"),
        ("", "Sono tutti ugualmente validi: Alien, Heat, Fargo"),
        ("", "Все фильмы одинаково хороши: Alien, Heat, Fargo"),
        ("", "It is hard to rank these: Alien, Heat, Fargo"),
    ],
)
def test_all_equally_good_is_no_order_in_any_language(language: str, text: str) -> None:
    assert order_of(SHOWN.get(language, TITLES), text) == "ambiguous"


@pytest.mark.parametrize(
    "words",
    [
        "It is hard to rank these, but here is my attempt:",
        "Es difícil ordenarlas, pero este es mi orden:",
        "Todos son buenos; este es mi orden:",
        "很难排序，但我的排名是：",
    ],
)
def test_an_order_is_read_although_it_was_hard_to_give(words: str) -> None:
    assert order("titles", f"{words}\n1. Alien\n2. Heat\n3. Fargo\n4. Casino\n5. Gattaca") == "31245"
    assert order("titles", "1. Alien\n2. Heat\n3. Fargo\n\nThe last two were hard to rank.") == "312"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[3] > [1] > ... > [5]", "31"),
        ("[3] > [1] > … > [5]", "31"),
        ("1. [3]\n2. [1]\n...\n5. [4]", "31"),
        ("[1] > [2] > ... > [5]", "ambiguous"),  # the order shown
        ("[5] < ... < [1] < [3]", "ambiguous"),
        ("[3] > [1] > [5] > [4] > ... > [2]", "31542"),  # nothing is left out
    ],
)
def test_what_stands_behind_an_ellipsis_has_no_place(text: str, expected: str) -> None:
    assert order("numbers", text) == expected
    assert order("titles", "Alien > Heat > ... > Gattaca") == "31"


def test_entries_of_which_most_may_be_several_remakes_are_ambiguous() -> None:
    remakes = ("Psycho (1960)", "Psycho (1998)", "Cape Fear (1962)", "Cape Fear (1991)", "Vertigo (1958)")
    assert order_of(remakes, "1. Psycho\n2. Cape Fear\n3. Vertigo\n4. Psycho\n5. Cape Fear") == "ambiguous"
    assert order_of(remakes, "1. Vertigo\n2. Psycho (1998)\n3. Cape Fear") == "52"


@pytest.mark.parametrize(
    ("way", "text", "expected"),
    [
        # the last of several
        ("numbers", "Ma première idée était 2 > 1 > 3 > 5 > 4, mais ma réponse est : 3 > 1 > 2 > 4 > 5", "31245"),
        ("numbers", "My first idea was 2 > 1 > 3 > 5 > 4, but my final answer is: 3 > 1 > 2 > 4 > 5", "31245"),
        ("letters", "Vote 1: C > A > E > B > D\nVote 2: C > E > A > B > D\n\nConsensus: C > A > E > B > D", "31524"),
        ("letters", "Vote 1: C > A > E > B > D\nVote 2: C > E > A > B > D", "ambiguous"),
        ("numbers", "Thinking...\n[1] > [2] > [3].\n...done thinking.\n\n[3] > [1] > [5] > [2] > [4]", "31524"),
        # ranks
        ("numbers", "#3 is ranked 1st, #1 is ranked 2nd, #5 is ranked 3rd, #2 is 4th and #4 is ranked 5th.", "31524"),
        ("letters", "C is ranked 1st, A is 2nd, E is 3rd, B is 4th and D is 5th.", "31524"),
        ("numbers", "Rank of [1]: 2; rank of [2]: 5; rank of [3]: 1; rank of [4]: 4; rank of [5]: 3", "31542"),
        ("numbers", "Rank of [1]: 2\nRank of [2]: 5\nRank of [3]: 1\nRank of [4]: 4\nRank of [5]: 3", "31542"),
        ("titles", "Rank of Heat: 2; rank of Fargo: 4; rank of Alien: 1; rank of Casino: 3", "3142"),
        ("titles", "Fargo (1), Heat (2), Gattaca (3), Alien (4), Casino (5)", "21534"),
        ("titles", "Fargo (3), Heat (1), Gattaca (2), Alien (5), Casino (4)", "ambiguous"),
        ("numbers", '<r>\n<item id="1" rank="2"/>\n<item id="2" rank="3"/>\n<item id="3" rank="1"/>\n</r>', "312"),
        ("titles", '<ranking><item title="Alien"/><item title="Heat"/><item id="9" title="Fargo"/></ranking>', "312"),
        # shares, years
        ("titles", "Fargo 35%, Casino 50%, Heat 60%, Gattaca 80%, Alien 95%", "35142"),
        ("letters", "B 35%, D 50%, A 60%, E 80%, C 95%", "35142"),
        ("titles", "Alien: 1979, Ridley Scott\nGattaca: 1997, Andrew Niccol\nHeat: 1995, Michael Mann", "351"),
        ("titles", "- Gattaca, 1997, Andrew Niccol\n- Alien, 1986, James Cameron\n- Heat, 1995, Michael Mann", "51"),
        # tiers, letters
        ("letters", "S tier: D\nA tier: B, E\nB tier: C\nC tier: A", "42531"),
        ("letters", "С > А > Е > В > D", "31524"),  # Cyrillic
        ("letters", "Лучше всего С, а также А", "no_candidate_named"),
        # chains of comparisons
        ("numbers", "[1] above [4], and [4] above [2]", "142"),
        ("letters", "A beats C, C beats B, B beats D, D beats E", "13245"),
        ("titles", "Heat beats Alien, Alien beats Fargo, Fargo beats Casino, Casino beats Gattaca.", "13245"),
        ("numbers", "[1] beats [4], [4] beats [2], and [2] beats [1]", "ambiguous"),
        ("titles", "The Alien film is third, Heat is first, Fargo is second.", "123"),
        # places in other languages
        ("titles", "Первое место — Alien. Второе место — Gattaca. Третье место — Heat.", "351"),
        ("titles", "На первом месте Alien, на втором — Gattaca, на третьем — Heat.", "351"),
        ("titles", "Перше місце — Alien. Друге місце — Gattaca. Третє місце — Heat.", "351"),
        ("titles", "Pierwsze miejsce — Alien. Drugie miejsce — Gattaca. Trzecie miejsce — Heat.", "351"),
        ("titles", "Eerste plaats: Alien. Tweede plaats: Gattaca. Derde plaats: Heat.", "351"),
        ("titles", "Erster Platz: Alien. Zweiter Platz: Gattaca. Dritter Platz: Heat.", "351"),
    ],
)  # fmt: skip
def test_further_notations(way: str, text: str, expected: str) -> None:
    assert order(way, text) == expected


def test_east_asian_sentences() -> None:
    line = "一、《霸王别姬》二、《活着》三、《无间道》四、《让子弹飞》五、《大话西游》"
    assert order_of(SHOWN["zh"], line) == "12543"
    told = "{}のは「もののけ姫」、次に「七人の侍」、その次が「羅生門」、最後に「となりのトトロ」です。"
    assert order_of(SHOWN["ja"], told.format("最もおすすめな")) == "4125"
    assert order_of(SHOWN["ja"], told.format("最も人気がある")) not in ("4125", "5214")


def test_products_by_their_models_and_titles_that_are_numbers() -> None:
    mice = (
        *("Logitech MX Master 3S Wireless Mouse, Graphite", "Logitech MX Anywhere 3 Compact Mouse"),
        *("Logitech G502 HERO Gaming Mouse", "Razer DeathAdder V2 Gaming Mouse", "Razer DeathAdder V3 Pro Wireless"),
        "Microsoft Sculpt Ergonomic Mouse",
    )
    models = "1. Razer DeathAdder V3\n2. DeathAdder V2\n3. MX Master 3S\n4. MX Anywhere 3\n5. {}\n6. Sculpt"
    assert order_of(mice, models.format("G502")) == "541236"
    assert order_of(mice, models.format("G503")) == "54126"
    years = ("2001: A Space Odyssey (1968)", "2010 (1984)", "1984 (1984)", "1941 (1979)", "2012 (2009)")
    assert order_of(years, "1. 2001\n2. 1984\n3. 2010\n4. 2012\n5. 1941") == "13254"
    assert order_of(years, "1. 2002\n2. 1984\n3. 2010\n4. 2012\n5. 1941") == "3254"


def test_a_table_may_have_two_pairs_of_columns() -> None:
    rows = "| # | Title | # | Title |\n|---|---|---|---|\n| 1 | Alien | 4 | Fargo |\n| 2 | Gattaca | 5 | Casino |\n"
    assert order("titles", f"{rows}| 3 | Heat | | |") == "35124"
