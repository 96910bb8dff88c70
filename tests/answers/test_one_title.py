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
