"""The answer format `one_title`: a title alone, or with words around it."""

import pytest

from llmrank.answers import answer_format
from llmrank.answers.located import located
from llmrank.types import Item, Outcome, Question, Response

TITLES = (
    *("Star Wars (1977)", "Star Trek: The Wrath of Khan (1982)", "Toy Story (1995)", "Usual Suspects, The (1995)"),
    *("Fargo (1996)", "Jurassic Park (1993)", "It Could Happen to You (1994)", "Heat (1995)"),
)
ITEMS = tuple(Item(f"B00{number}XQ", title) for number, title in enumerate(TITLES))


def read(text: str) -> tuple[tuple[str, ...], str]:
    answer = answer_format("one_title").read(Response(text), Question(ITEMS, top=1))
    titles = {item.item_id: item.title for item in ITEMS}
    assert (answer.outcome is Outcome.UNPARSED) == (not answer.ranked) == bool(answer.reason)
    return tuple(titles[item_id] for item_id in answer.ranked), answer.reason


@pytest.mark.parametrize(
    "text",
    [
        "Star Wars (1977)",
        "star wars",
        '"Star Wars"',
        "**Star Wars (1977)**",
        "Title: Star Wars (1977)",
        'The title is "Star Wars".',
        "The title is Star Wars.",
        "The movie that begins so is called Star Wars (1977).",
        "50::Star Wars (1977)",
        "50::Star Wars (1977)::Action|Sci-Fi",
        "50|Star Wars (1977)|01-Jan-1977||http://us.imdb.com",
        "B000XQ::Star Wars (1977)",
        "50. Star Wars (1977)",
        "50::Star Wars (1977)\n51::Heat (1995)",
        "1. Star Wars (1977)\n2. Fargo (1996)",
        '"Star" is how "Star Wars" begins.',
        "<think>Star Trek? No.</think>Star Wars",
    ],
)
def test_the_title_is_read(text: str) -> None:
    assert read(text) == (("Star Wars (1977)",), "")


def test_the_entry_says_how_it_was_read() -> None:
    for text in ("Star Wars (1977)", "50::Star Wars (1977)", "\n\nIt is **Star Wars (1977)**."):
        [entry] = answer_format("one_title").read(Response(text), Question(ITEMS, top=1)).entries
        [span] = located(text, [entry])
        assert text[span.start : span.end] == "Star Wars (1977)" and span.read_as == "exact"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("Sorry, I cannot do that.", "refusal"),
        ("Blade Runner (1982)", "no_candidate_named"),
        ("Blade Runner (1982)\nStar Wars (1977)", "no_candidate_named"),
        ("1. Blade Runner\n2. Star Wars (1977)", "no_candidate_named"),
        ("Star", "no_candidate_named"),
        ("Star Wars: Episode IV - A New Hope (1997)", "no_candidate_named"),
        ('I do not know whether it is "Star Wars".', "no_candidate_named"),
        ('It is not called "Star Wars".', "no_candidate_named"),
        ('It is "Star Wars" or "Fargo".', "ambiguous"),
        ("B000XQ", "no_candidate_named"),
        ("B000XQ::", "no_candidate_named"),
        ("<think>Star Wars", "truncated"),
    ],
)
def test_other_answers_name_no_item(text: str, reason: str) -> None:
    assert read(text) == ((), reason)


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("form", ["{}", '"{}"', "7::{}", "The title is {}.", "Title: {}", "It is **{}**."])
def test_every_title_is_read_back(title: str, form: str) -> None:
    assert read(form.format(title)) == ((title,), "")


FILMS = tuple(
    Item(title[:3], title) for title in ("Heat (1995)", "Seven (a.k.a. Se7en) (1995)", "Casino (1995)", "Fargo")
)


@pytest.mark.parametrize("name", ["one_title", "choice"])
@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("Casino would be the obvious pick, but you had plenty of mob stories, so I'd go with *Se7en*.", "Sev"),
        ("Casino is great, but I'd recommend Fargo.", "Far"),
        ("While Casino is a classic, Heat is the better fit.", "Hea"),
        ("Heat. Casino is close.", "Hea"),
        ("Casino or Heat? Heat.", "Hea"),
        ("You liked Casino, so Heat.", "Hea"),
        ("Casino is the closest in tone.\n\n**Heat (1995)**", "Hea"),
        ("Heat would be a great fit.", "Hea"),
        ("Heat is not the best choice; go with Fargo.", "Far"),
        ("I'd skip Casino and go with Heat.", "Hea"),
        ("Top pick: Heat\nRunner-up: Fargo", "Hea"),
        ("Fargo\n\nEdit: Heat (1995)", "Hea"),
    ],
)
def test_a_sentence_chooses_one_of_the_titles_it_names(name: str, text: str, chosen: str) -> None:
    assert answer_format(name).read(Response(text), Question(FILMS, top=1)).ranked == (chosen,)


@pytest.mark.parametrize("name", ["one_title", "choice"])
@pytest.mark.parametrize(
    "text",
    [
        "Casino has gangsters, Heat has cops.",
        "Both Heat and Fargo are good.",
        "If you like crime, Heat. If you like comedy, Fargo.",
        "Heat or Fargo",
        "Heat is the safer bet, Fargo the more interesting one.",
        "Heat. No, wait: actually it depends. Fargo is also good.",
        "Heat. Sorry, Fargo.",
        "Heat is the safer bet, Fargo the bolder one.",
    ],
)
def test_a_sentence_about_several_titles_chooses_none(name: str, text: str) -> None:
    assert not answer_format(name).read(Response(text), Question(FILMS, top=1)).ranked


@pytest.mark.parametrize(
    "text",
    [
        "Heat: too slow\nCasino: too long\n\nFargo",
        "Heat (great)\nCasino (too long)\n\nFargo",
        "- Heat: slow\n- Casino: long\n\n**Fargo**",
    ],
)
def test_a_title_below_remarks_on_others_makes_the_first_of_these_no_choice(text: str) -> None:
    assert answer_format("one_title").read(Response(text), Question(FILMS, top=1)).reason == "ambiguous"


def test_the_last_line_that_calls_one_the_best_chooses_it() -> None:
    answer = answer_format("one_title").read(Response("Fargo: funny\n\nThe best is Heat"), Question(FILMS, top=1))
    assert answer.ranked == ("Hea",) and answer.repairs == {"named_beside": 1}


SHORT_NAMES = tuple(
    Item(title[:3].strip(), title)
    for title in ("Heat (1995)", "Up (2009)", "21 (2008)", "Her (2013)", "Fargo (1996)", "Psycho (1960)")
)


@pytest.mark.parametrize("name", ["one_title", "choice"])
@pytest.mark.parametrize(
    "text",
    [
        "I'd recommend 21 Grams.",
        "I'd recommend Heat Wave.",
        "I recommend **Heat Wave**.",
        'You should watch "Heat Wave" tonight.',
        "The best choice is Heat Wave.",
        "So Heat Wave.",
        "Try Her Smell.",
        "My pick is Up in the Air.",
        "I recommend Heat and Dust.",
        "I'd go with Up Close & Personal because it is romantic.",
        "My recommendation is Heat Vision and Jack.",
        "I'd recommend Body Heat.",
        "I'd recommend Fargo Season 2.",
        "I'd recommend Psycho (1998).",
        "I'd recommend Psycho from 1998.",
        "I'd recommend the 1998 remake of Psycho.",
        "My pick is Psycho, the 1998 version.",
    ],
)
def test_a_longer_title_or_another_year_is_another_film(name: str, text: str) -> None:
    answer = answer_format(name).read(Response(text), Question(SHORT_NAMES, top=1))
    assert (answer.ranked, answer.reason) == ((), "no_candidate_named")


@pytest.mark.parametrize("name", ["one_title", "choice"])
@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("I'd recommend Heat by Michael Mann.", "Hea"),
        ("I'd recommend Heat with Al Pacino.", "Hea"),
        ("I'd recommend Heat (1995).", "Hea"),
        ("I'd recommend Heat (1996).", "Hea"),
        ("I'd recommend Heat from 1995.", "Hea"),
        ("I'd recommend the 1995 film Heat.", "Hea"),
        ("I'd recommend Heat. Al Pacino is great in it.", "Hea"),
        ("I'd recommend Heat, Michael Mann's best.", "Hea"),
        ("I'd recommend Heat – Michael Mann's best.", "Hea"),
        ("I'd recommend Heat: Al Pacino is great in it.", "Hea"),
        ("I'd go with Heat Sunday night.", "Hea"),
        ("I recommend Heat for Al Pacino.", "Hea"),
        ("I'd recommend Heat on Netflix.", "Hea"),
        ("I recommend Heat because Body Heat is too slow.", "Hea"),
        ("I'd recommend Heat Wave's better cousin, so Heat.", "Hea"),
        ("I'd recommend Fargo to Coen Brothers fans.", "Far"),
        ("I'd go with Heat over Fargo Season 2.", "Hea"),
        ("I'D RECOMMEND HEAT BECAUSE OF AL PACINO.", "Hea"),
    ],
)
def test_words_behind_a_title_that_are_no_part_of_it_leave_the_choice(name: str, text: str, chosen: str) -> None:
    assert answer_format(name).read(Response(text), Question(SHORT_NAMES, top=1)).ranked == (chosen,)


TWINS = tuple(
    Item(title, title) for title in ("Psycho (1960)", "Psycho (1998)", "Cape Fear (1962)", "Cape Fear (1991)")
)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("The original Psycho, from 1960.", "Psycho (1960)"),
        ("Psycho from 1998", "Psycho (1998)"),
        ("The 1960 Psycho", "Psycho (1960)"),
        ("The 1998 version of Psycho", "Psycho (1998)"),
        ("Psycho, the 1960 film", "Psycho (1960)"),
        ("Psycho aus dem Jahr 1960", "Psycho (1960)"),
        ("I'd recommend Psycho (1960).", "Psycho (1960)"),
        ("I'd recommend Psycho, released in 1998.", "Psycho (1998)"),
        ("I recommend Psycho, which came out in 1960.", "Psycho (1960)"),
        ("I'd recommend the 1960 Psycho, not the one from 1998.", "Psycho (1960)"),
        ("I'd go with Cape Fear, the 1991 remake with De Niro.", "Cape Fear (1991)"),
        ("Psycho", None),
        ("The original Psycho.", None),
        ("Psycho, from 1975.", None),
        ("Psycho, not the one from 1998.", None),
        ("Psycho, unlike Vertigo from 1958", None),
        ("I'd recommend Psycho from 1960 or 1998.", None),
        ("Psycho from 1960 is not a good fit.", None),
    ],
)
def test_a_year_in_words_tells_items_of_one_title_apart(text: str, chosen: str | None) -> None:
    answer = answer_format("one_title").read(Response(text), Question(TWINS, top=1))
    assert answer.ranked == ((chosen,) if chosen else ())


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ('"It" (2017) – it follows a group of children who face a clown.', "It (2017)"),
        ("It (2017) – it follows a group of children.", "It (2017)"),
        ('"It Follows" (2014) – it is about a curse.', "It Follows (2014)"),
        ('"It" (2017) or "It Follows" (2014)', None),
        ('"It" - it follows them', None),
    ],
)
def test_words_of_a_remark_that_are_a_title_too_do_not_hide_a_dated_one(text: str, chosen: str | None) -> None:
    films = tuple(Item(title, title) for title in ("It (2017)", "It Follows (2014)", "Her (2013)"))
    answer = answer_format("one_title").read(Response(text), Question(films, top=1))
    assert answer.ranked == ((chosen,) if chosen else ())


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("もののけ姫がおすすめです。", "もののけ姫"),
        ("次は羅生門がおすすめです。", "羅生門"),
        ("もののけ姫がいいと思います。", "もののけ姫"),
        ("羅生門がいいという人もいますが、もののけ姫がおすすめです。", "もののけ姫"),
        ("もののけ姫がおすすめではありません。", None),
        ("もののけ姫がおすすめですか？", None),
        ("もののけ姫か羅生門がおすすめです。", None),
        ("もののけ姫がおすすめという人が多いです。", None),
        ("もののけ姫がおすすめですが、見たことがあるようです。", None),
        ("もののけ姫のような作品がおすすめです。", None),
        ("我推荐活着。", "活着"),
        ("最佳选择是活着。", "活着"),
        ("活着最合适。", "活着"),
        ("除了活着，我推荐无间道。", "无间道"),
        ("不推荐活着。", None),
        ("我推荐活着吗？", None),
        ("推荐无间道和活着。", None),
        ("推荐类似活着的电影。", None),
        ("我推荐活着的人。", None),
        ("기생충을 추천합니다.", "기생충"),
        ("저는 기생충을 추천합니다.", "기생충"),
        ("기생충이 가장 적합합니다.", "기생충"),
        ("기생충입니다.", "기생충"),
        ("기생충을 추천하지 않습니다.", None),
        ("기생충이나 괴물을 추천합니다.", None),
        ("기생충을 추천할까요?", None),
        ("기생충 같은 영화를 추천합니다.", None),
    ],
)
def test_a_title_in_an_east_asian_sentence(text: str, chosen: str | None) -> None:
    films = tuple(
        Item(one, one) for one in ("羅生門", "もののけ姫", "千と千尋の神隠し", "活着", "无间道", "괴물", "기생충")
    )
    answer = answer_format("one_title").read(Response(text), Question(films, top=1))
    assert answer.ranked == ((chosen,) if chosen else ())


@pytest.mark.parametrize("name", ["one_title", "choice"])
@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("A careful look at the history suggests Heat.", "Hea"),
        ("A closer look suggests **Heat** (1995).", "Hea"),
        ("Their taste suggests Heat over Fargo.", "Hea"),
        ("A quick look suggests Heat, not Fargo.", "Hea"),
        ("Their history suggests Heat would bore them.", None),
        ("The history suggests Heat is too slow.", None),
        ("The history suggests Heat, but they have seen it.", None),
        ("The history suggests Heat or Fargo.", None),
        ("Nothing in the history suggests Heat.", None),
    ],
)
def test_what_the_history_suggests_is_chosen(name: str, text: str, chosen: str | None) -> None:
    letters = ("A", "B", "C", "D") if name == "choice" else ()
    answer = answer_format(name).read(Response(text), Question(FILMS, letters, top=1))
    assert answer.ranked == ((chosen,) if chosen else ())
