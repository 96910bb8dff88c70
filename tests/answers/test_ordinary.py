"""Ordinary words around an ordinary list do not make it doubtful, whatever its order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

import pytest

from llmrank.answers import answer_format
from llmrank.answers.text.blocks import split
from llmrank.types import Item, Outcome, Question, Response
from tests.answers.asking import items, numbered, places, read

SHOWN = ("Heat", "Fargo", "Alien", "Jaws", "Speed")
ORDERS = (SHOWN, ("Alien", "Heat", "Speed", "Jaws", "Fargo"))
INTRODUCTIONS = """
Here is my ranking:
From the provided list, here are my top picks:
Based on the given list, the top 5 are:
The 5 best movies from the provided list.
Here are 5 movies from the given list that you might like:
Based on your ratings, here is my ranking:
Based on your own ratings and history, I recommend:
Here are the movies, ranked by genre fit and your ratings:
Considering IMDb scores and your taste, my list:
Your task is interesting! Here is the ranking:
You are a fan of thrillers, so here is the list:
Since you've watched many thrillers, I suggest:
I've watched your history closely. Ranking:
I rank these movies as follows:
I would rank them as follows:
Here is how I would order them:
Let me rank the following movies:
I will rank the 5 movies from most to least likely:
To rank these, I looked at genre and director. Result:
If I had to sort them, this would be my order:
The movies are organized into a ranking below:
By genre similarity, I would rank:
Most likely to be watched next:
Sure! Here is an example ranking based on the provided list:
Which would you like most? My guess:
Here is my ranking in the format you asked for:
Ranked from most likely to least likely to enjoy:
Here are the movies from most to least likely to watch:
Ordered from the film they would like most to the one they are least likely to watch:
User's history suggests the following ranking:
The user's history (mostly thrillers) suggests this order:
Number 1 is the best and number 5 the least suitable:
Ordered by predicted rating, no. 1 being the best and the last the worst:
Ranks of the movies by fit:
The box office aside, this is what fits best:
The ranking, best first, not worst to best:
I can rank these for you. Here you go:
My list would look like this:
Here is a ranking, from first place to last place:
You wanted a list for a family night; stay with these:
If I could recommend only five: these.
In this order, best first:
The answer, in order of fit:
Before I rank them, a note: I looked at genre first.
""".strip().split("\n")
CLOSINGS = """
I hope this helps! Let me know if you would like a different order.
Note: This ranking is based on your history, and the order of preference may change.
These are ranked from most to least relevant.
Please note that I do not include movies you have already watched.
Actually, all of these are great movies!
This list is based on genre, ratings and popularity.
Sorry if I missed something above.
I apologize for any confusion. I ranked them above by relevance.
Is this the kind of list you wanted?
Would you like me to explain the order?
The first one is the best match for your taste.
You might also like The Thing.
If you can't decide, start with the first!
Please provide feedback if this is not what you wanted.
Once you have watched them, tell me how you liked them.
I have no doubt that they will enjoy the first.
I can't wait to hear what you think.
The last one is the least likely to be enjoyed.
They are unlikely to dislike any of these.
None of these has been watched before.
Their box office was great too.
You can't go wrong with any of these!
Let me know if you'd like the opposite order.
The lower the number, the better the match.
If they want action: start at the top.
Once you have seen the first, try the second.
They will like it. They would not like horror as much.
Which of these have you seen already?
Send me more titles and I can rank those too.
Please note that this is a ranking by fit, and not by year.
The longest film comes first by chance.
As for the rest, they are all fine films.
I would need more history to be surer.
""".strip().split("\n")
LISTS: dict[str, Callable[[Sequence[str]], str]] = {
    "numbered": lambda titles: "\n".join(f"{at}. {title}" for at, title in enumerate(titles, 1)),
    "with reasons": lambda titles: "\n".join(f"{at}. {title} - great for you" for at, title in enumerate(titles, 1)),
    "bold up to a colon": lambda titles: "\n".join(
        f"{at}. **{title}:** A must-see" for at, title in enumerate(titles, 1)
    ),
    "sentences behind": lambda titles: "\n".join(
        f"{at}. {title}. Highly recommended." for at, title in enumerate(titles, 1)
    ),
    "records": lambda titles: "\n\n".join(f"Rank: {at}\nTitle: {title}" for at, title in enumerate(titles, 1)),
    "dashes": lambda titles: "\n".join(f"- {title}" for title in titles),
    "in one line": ", ".join,
    "JSON": lambda titles: str([*titles]).replace("'", '"'),
}


@pytest.mark.parametrize("titles", ORDERS, ids=("as shown", "another order"))
@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("words", [*((one, "") for one in INTRODUCTIONS), *(("", one) for one in CLOSINGS)], ids=str)
def test_ordinary_words_around_a_list_do_not_hide_it(
    words: tuple[str, str], form: str, titles: tuple[str, ...]
) -> None:
    text = "\n\n".join((words[0], LISTS[form](titles), words[1])).strip()
    items = tuple(Item(title, title) for title in SHOWN)
    answer = answer_format("titles").read(Response(text), Question(items, top=5))
    assert answer.outcome in (Outcome.OK, Outcome.REPAIRED), answer.reason
    assert answer.ranked == titles


HARMLESS = """
Based on the provided list and the user's preferences, I would rank the items as follows:
The user seems to like crime films and doesn't seem to care for romances. My ranking is:
The user likes thrillers. They haven't watched many comedies. My ranking:
Given that you rated Pulp Fiction highly, I'd suggest:
To determine the ranking, I considered genre, director and release period. Ranking:
This list is based on genre, ratings and popularity:
These should be right up your alley:
If I had to order them:
The top picks share themes with what the user has enjoyed, while the lower ones are less aligned:
""".strip().split("\n")
REASONS = (
    "not as intense, but its dark humor should appeal",
    "less aligned with the user's taste, yet popular",
    "no supernatural elements; critically acclaimed",
    "never gets old, if they like slow films",
    "released in the same decade as their favorites",
)


@pytest.mark.parametrize("words", HARMLESS)
def test_ordinary_introductions_and_reasons_are_not_comments(words: str) -> None:
    titles = ORDERS[1]
    reasons = "\n".join(
        f"{at}. **{title}** - {reason}" for at, (title, reason) in enumerate(zip(titles, REASONS, strict=True), 1)
    )
    records = "\n\n".join(f"Title: {title}\nReason: {reason}" for title, reason in zip(titles, REASONS, strict=True))
    for text in (reasons, records):
        answer = answer_format("titles").read(
            Response(f"{words}\n\n{text}"), Question(tuple(Item(title, title) for title in SHOWN))
        )
        assert (answer.ranked, answer.outcome) == (titles, Outcome.OK)


TITLES = (
    "Not Another Teen Movie (2001)",
    "Last Picture Show, The (1971)",
    "Worst Person in the World, The (2021)",
    "Leave No Trace (2018)",
    "If We Were Villains",
    "Don't Starve",
    "No-Slip Yoga Mat, 6 mm",
)


@pytest.mark.parametrize("form", [form for form in LISTS if form != "in one line"])
def test_titles_are_not_comments(form: str) -> None:
    for titles in (TITLES[::-1], TITLES[3:] + TITLES[:3]):
        items = tuple(Item(title, title) for title in TITLES)
        text = LISTS[form](titles) if form != "JSON" else json.dumps(titles)
        answer = answer_format("titles").read(Response(text), Question(items))
        assert (answer.ranked, answer.outcome) == (titles, Outcome.OK)


def test_titles_after_identifiers_are_not_comments() -> None:
    items = tuple(Item(title, title) for title in TITLES)
    order = (7, 3, 1, 5, 2, 6, 4)
    numbers = tuple(str(at) for at in range(1, 8))
    for form in ("{rank}. {title} [{number}]", "{rank}. **{title}** ([{number}]) - great", "[{number}] {title}"):
        lines = (form.format(rank=at, number=one, title=TITLES[one - 1]) for at, one in enumerate(order, 1))
        answer = answer_format("permutation").read(Response("\n".join(lines)), Question(items, numbers))
        assert (answer.ranked, answer.outcome) == (tuple(TITLES[one - 1] for one in order), Outcome.OK)
    chosen = answer_format("choice").read(Response("C: Worst Person in the World"), Question(items, (*"ABCDEFG",)))
    assert (chosen.ranked, chosen.outcome) == ((TITLES[2],), Outcome.OK)


SERIES = ("The Hunger Games (The Hunger Games, #1)", "Emma", "Dune (Dune Chronicles, #1)", "The Best Choice (2001)")


@pytest.mark.parametrize("order", [(2, 1, 4, 3), (4, 2, 1, 3)])
def test_titles_after_a_chain_do_not_call_an_item_the_best(order: tuple[int, ...]) -> None:
    items = tuple(Item(title, title) for title in SERIES)
    chain = " > ".join(f"[{one}]" for one in order)
    lines = "\n".join(f"- [{one}] {SERIES[one - 1]}: shares its themes with what they read" for one in order)
    answer = answer_format("permutation").read(Response(f"{chain}\n\n{lines}"), Question(items, (*"1234",)))
    assert answer.ranked == tuple(SERIES[one - 1] for one in order)


def test_records_may_lack_a_reason_and_end_before_a_note() -> None:
    items = tuple(Item(title, title) for title in SHOWN)
    records = [f"Title: {title}\nReason: it fits" for title in ORDERS[1]]
    records[2] = records[2].partition("\n")[0]
    text = "\n\n".join((*records, "Note: tastes differ."))
    answer = answer_format("titles").read(Response(text), Question(items))
    assert (answer.ranked, answer.outcome) == (ORDERS[1], Outcome.OK)


def test_a_title_that_looks_like_a_label_is_one_title() -> None:
    titles = ("Best of the Best 3: No Turning Back (1995)", "Sliding Doors (1998)", "Heat (1995)")
    items = (*(Item(title, title) for title in titles), Item("again", titles[1]))  # a title twice, as in ml-100k
    answer = answer_format("titles").read(Response("\n".join((*titles, titles[1]))), Question(items))
    assert answer.ranked == (*titles, "again")


def test_a_title_with_versus_is_not_a_comparison() -> None:
    titles = ("Scott Pilgrim vs. the World (2010)", "Heat (1995)", "Tucker & Dale vs Evil (2010)")
    text = "\n".join(f"{at}. **{title}**: a fine film" for at, title in enumerate(titles, 1))
    answer = answer_format("titles").read(Response(text), Question(tuple(Item(title, title) for title in titles)))
    assert (answer.ranked, answer.outcome) == (titles, Outcome.OK)


@pytest.mark.parametrize("record", ["Title: a", "Rank: a\nName: b\nTitle: c", "Rank: 1\nNote: b", "Movie a{at}: b"])
def test_the_time_of_records_is_linear(record: str) -> None:
    def seconds(count: int) -> float:
        names = (chr(97 + at % 26) + chr(97 + at // 26 % 26) for at in range(count))
        text = "\n".join(record.replace("{at}", name) for name in names)
        began = time.process_time()
        split(text)
        return time.process_time() - began

    # Compares the best of several runs each, because single timings vary.
    assert min(seconds(4000) for _ in range(4)) < 8 * max(min(seconds(1000) for _ in range(4)), 0.01)


FIVE = items(*(f"{title} (19{70 + at})" for at, title in enumerate(SHOWN)))
LIST = "\n".join(f"{number}. {item.title}" for number, item in enumerate(FIVE, 1))


@pytest.mark.parametrize(
    "intro",
    (
        *("En az iki, en çok beş film önerebilirim:", "Här är minst fem filmer till bästa kvällen:"),
        *("De bedste først, mindst til sidst — mest action først:", "Legkevésbé sem kétséges, leginkább ezt ajánlom:"),
        *(
            "Paling sedikit lima, hingga paling cocok di atas:",
            "下位から上位ではなく、上位から:",
            "Nu rekommenderar jag:",
        ),
        *("At least to the best of my knowledge:", "The bottom line – top picks:", "Al menos a mi mejor juicio:"),
        *("Op zijn minst naar mijn beste inschatting:", "The list ends with my best guess:", "Dropped: 0"),
        *("Anda tidak akan kecewa dengan rekomendasi ini:", "Nem csak akciót ajánlok:", "Not sure about the last two:"),
        *("Here's the ranking (price dropped for the first):", "Ranked not by price, but by how well they fit:"),
        *("Ordered by fit, then by price:", "Ends with your favorite:", "I dropped everything to answer this:"),
    ),
)
def test_idioms_do_not_reverse_a_list(intro: str) -> None:
    assert places(read("titles", f"{intro}\n{LIST}", Question(FIVE))) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "intro",
    (
        *(
            "De la cele mai puțin recomandate la cele mai recomandate:",
            "Fra svagest til stærkest:",
            "Van laag naar hoog:",
        ),
        *(
            "Od najniższego do najwyższego:",
            "От худших к лучшим:",
            "Dari kurang cocok hingga paling cocok:",
            "Từ thấp đến cao:",
        ),
        *("从最差到最好:", "順位が低い方から:", "가장 안 좋은 것부터 가장 좋은 것까지:", "מהפחות מומלץ ליותר מומלץ:"),
        *("Do pior até o melhor:", "From the one you'd enjoy least up to the one you'd enjoy most:"),
    ),
)
def test_directions_are_recognised_in_other_forms(intro: str) -> None:
    assert places(read("titles", f"{intro}\n{LIST}", Question(FIVE))) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "intro",
    (
        "Sorted by price from high to low:",
        "In no particular order, from highest to lowest:",
        "Alphabetically, best to worst being impossible:",
    ),
)
def test_an_order_by_something_else_than_taste_is_not_a_ranking(intro: str) -> None:
    assert read("titles", f"{intro}\n{LIST}", Question(FIVE)).reason == "ambiguous"


def test_titles_keep_their_ordinals_and_books_their_authors() -> None:
    films = items("25th Hour (2002)", "13th Warrior, The (1999)", "Heat (1995)", "6th Day, The (2000)")
    assert places(read("titles", "- 25th Hour\n- 6th Day\n- 13th Warrior", Question(films))) == [1, 4, 2]
    books = items("Dune by Frank Herbert", "It by Stephen King", "Misery by Stephen King")
    assert places(read("titles", "1. Dune by Brian Herbert\n2. Misery", Question(books))) == [3]
    assert places(read("titles", "It would be Misery.", Question(books))) == [3]
    assert places(
        read("titles", "1. The Insider (Dead Man)\n2. Heat", Question(items("Dead Man (1995)", "Heat (1995)")))
    ) == [2]


@pytest.mark.parametrize(
    "text", ("Da, wo Action ist: nein.", "Nu: ja", "Jo - nee.", "Ei, ja doch.", "Likely yes, likely no")
)
def test_words_with_another_meaning_elsewhere_do_not_override_a_verdict(text: str) -> None:
    assert read("yes_no", text, Question(items("Heat (1995)"))).reason == "ambiguous"


def test_other_places_below_entries_are_not_ranks() -> None:
    text = "Best first:\n" + "\n".join(
        f"- {item.title}\n  In your list → place {6 - at}" for at, item in enumerate(FIVE, 1)
    )
    assert places(read("titles", text, Question(FIVE))) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("As a language model I have no taste, but considering the history I'd say no, they would not.", False),
        ("If it were a comedy I'd say no, but it's a crime movie. Yes.", None),
        ("Normally I'd say no. But given the history, yes.", None),
        ("At first I would say yes; however the recent ratings suggest no.", None),
        ("If they liked comedies, I'd say yes. But they do not. Answer: No", False),
        ("Yes. I'd say no movie here fits better.", True),
    ],
)
def test_a_conditional_statement_is_not_a_verdict(text: str, yes: bool | None) -> None:
    assert read("yes_no", text, Question(items("Heat (1995)"))).value == (None if yes is None else float(yes))


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("On a ten-point scale this would be an 8/10, which on your 1-5 scale is a 4.", 4.0),
        ("I predict 2. Critics gave 80%, which on the 1-5 scale is 4.", 2.0),
        ("I predict 3. Critics gave it 90/100, which on the 1-5 scale is 4.5.", 3.0),
    ],
)
def test_a_rating_on_the_scale_is_one_where_none_is_predicted(text: str, rating: float) -> None:
    assert read("rating", text, Question(items("Heat (1995)"))).value == rating


ASKED = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)", "Casino (1995)", "Ran (1985)"))


@pytest.mark.parametrize("first", ["Not worth watching", "Hardly worth a look", "Not really worth considering"])
def test_items_not_worth_it_come_last(first: str) -> None:
    text = f"{first}:\n- Alien\n- Ran\n\nWorth watching:\n- Fargo\n- Casino\n- Heat"
    assert places(read("titles", text, ASKED)) == [2, 4, 1, 3, 5]


def test_map_keys_from_one_are_ranks_unless_the_values_fall_like_scores() -> None:
    question = numbered(9)
    assert read("permutation", '{"1": 9, "2": 8, "3": 7}', question).reason == "ambiguous"
    assert places(read("permutation", '{"1": 7, "2": 6, "3": 9, "4": 2}', question)) == [7, 6, 9, 2]
    assert places(read("permutation", '{"ranks": {"1": 3, "2": 7, "3": 8}}', question)) == [1, 2, 3]
    assert places(read("permutation", '{"item_scores": {"1": 5, "2": 4, "3": 3}}', question)) == [1, 2, 3]
    assert read("choice", "[3] is a solid second entry in the saga and my pick.", question).ranked == ("i3",)
    text = "The best choice is **4. Film called d**.\n\nFilm called e (5) would be a reasonable second option."
    assert read("choice", text, question).ranked == ("i4",)


def test_products_are_known_by_their_model_without_the_brand() -> None:
    question = Question(
        items("Sennheiser HD 560S", "Audio-Technica ATH-M50x", "Sony WH-1000XM4", "Bose QuietComfort 45")
    )
    assert places(read("titles", "1.) ATH-M50x\n2.) WH-1000XM4\n3.) HD 560S", question)) == [2, 3, 1]


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Given the history I would not recommend it.", False),
        ("I see no reason why they wouldn't, so I'd absolutely recommend it.", True),
        ("I was asked whether I'd recommend it.", None),
        ("If they liked action I'd recommend it.", None),
        ("I'd recommend it. They won't like it.", None),
        ("It is longer than the others. Probably not.", False),
        ("Probably not the best of its kind.", None),
        ("Скорее нет, чем да.", False),
    ],
)
def test_a_recommendation_of_something_else_is_not_a_verdict(text: str, yes: bool | None) -> None:
    assert read("yes_no", text, Question(items("Heat (1995)"))).value == (None if yes is None else float(yes))


def test_tiers_need_a_text_that_calls_them_so() -> None:
    listed = "S – Heat, Fargo\nA – Alien\nB – Casino"
    assert places(read("titles", f"My tier list:\n\n{listed}", ASKED)) == [1, 2, 3, 4]
    assert places(read("titles", "My tier list, lowest first:\n\nA – Alien\n**S**: Heat, Fargo", ASKED)) == [1, 2, 3]
    lettered = Question(ASKED.items, tuple("ABCDE"))
    assert places(read("permutation", "A - Heat\nB - Fargo\nC - Alien", lettered)) == [1, 2, 3]


def test_a_year_after_a_name_distinguishes_only_remakes() -> None:
    question = Question(items("Dawn of the Dead (2004)", "Dawn of the Dead (1978)", "Zombieland (2009)"))
    text = (
        "1. Dawn of the Dead – the one of 1978\n2. Zombieland – set in 2004\n3. Dawn of the Dead — Snyder's 2004 remake"
    )
    assert places(read("titles", text, question)) == [2, 3, 1]
    unsure = read("titles", "1. Dawn of the Dead – better than 1978 or 2004\n2. Zombieland", question)
    assert places(unsure) == [3] and unsure.repairs["ambiguous"] == 1


def test_the_first_and_the_rest_of_an_object_are_one_ranking() -> None:
    question = Question(ASKED.items, tuple("ABCDE"))
    answer = read("permutation", '{"first": "C", "second": "A", "rest": ["E", "B", "D"]}', question)
    assert places(answer) == [3, 1, 5, 2, 4]
    assert places(read("permutation", '{"second": "A", "first": "C"}', question)) == [3, 1]
    assert read("permutation", '{"error": {"message": "busy", "tries": ["A", "B", "C"]}}', question).ranked == ()


def test_a_comment_in_code_is_not_an_entry() -> None:
    text = '```python\nranked = [\n    "Fargo (1996)",\n    # "Heat (1995)",  too long\n    "Alien (1979)",\n]\n```'
    assert places(read("titles", text, ASKED)) == [2, 3]
    assert places(read("titles", text.replace("python", "markdown").replace('# "', '"'), ASKED)) == [2, 1, 3]


def test_a_retracted_entry_is_replaced_or_dropped() -> None:
    text = "1. Fargo\n2. Heat — no, scratch that, they have seen it; Alien takes this place\n3. Casino"
    assert places(read("titles", text, ASKED)) == [2, 3, 4]
    assert places(read("titles", text.replace("Alien takes this place", "it is gone"), ASKED)) == [2, 4]
    assert places(read("titles", "1. Fargo\n2. Heat — actually the best of its year\n3. Casino", ASKED)) == [2, 1, 4]


def test_a_column_of_watched_items_is_not_a_ranking() -> None:
    table = "| # | {} | Watch next |\n|---|---|---|\n| 1 | Heat | Casino |\n| 2 | Jaws | Alien |"
    assert places(read("titles", table.format("Because you watched"), ASKED)) == [4, 3]
    assert places(read("titles", "| Rank | Watched |\n|---|---|\n| 1 | Casino |\n| 2 | Alien |", ASKED)) == [4, 3]


@pytest.mark.parametrize(
    ("behind", "order"),
    [
        ("Note: C and D were already watched", [5, 2, 1]),
        ("C, D: already seen", [5, 2, 1]),
        ("C and D don't fit.", [5, 2, 1]),
        ("(C and D were seen last month, so they are not in the order.)", [5, 2, 1]),
        ("C and D follow.", [5, 2, 1, 3, 4]),
        ("Then C and D.", [5, 2, 1, 3, 4]),
        ("The rest: C, D", [5, 2, 1, 3, 4]),
    ],
)
def test_a_sentence_after_a_ranking_does_not_continue_it(behind: str, order: list[int]) -> None:
    lettered = Question(ASKED.items, tuple("ABCDE"))
    for ranked in ("E > B > A", "1. E\n2. B\n3. A"):
        assert places(read("permutation", f"{ranked}\n\n{behind}", lettered)) == order


def test_a_truncated_json_answer_is_read_as_far_as_it_goes() -> None:
    text = (
        '{"recommendations":[{"rank":1,"title":"Casino (1995)","reason":"Crime."},'
        '{"rank":2,"title":"Heat (1995)","reason":"Crime too."},{"rank":3,"title":"Fargo (1996)","reason":"As goo'
    )
    answer = read("titles", text, ASKED, "length")
    assert places(answer) == [4, 1, 2] and answer.repairs["truncated"] == 1


def test_an_answer_within_a_wrapper_is_the_answer() -> None:
    inner = r"{\"top\": [\"Fargo (1996)\", \"Heat (1995)\"], \"skipped\": [\"Alien (1979)\"]}"
    assert places(read("titles", f'{{"status": "ok", "content": "{inner}"}}', ASKED)) == [2, 1]
    completion = '{"choices":[{"index":0,"message":{"role":"assistant","content":"1. Fargo\\n2. Heat"}}]}'
    assert places(read("titles", completion, ASKED)) == [2, 1]
    assert places(read("titles", " [/INST] 1. Fargo 2. Heat 3. Alien </s>", ASKED)) == [2, 1, 3]


def test_a_crossed_out_heading_excludes_its_list() -> None:
    text = "✅ **In order**\n1. Fargo\n2. Heat\n\n❌ **Not recommended**\n1. Alien\n2. Casino"
    assert places(read("titles", text, ASKED)) == [2, 1]
    assert places(read("titles", "1. Fargo\n❌ Heat\n2. Alien", ASKED)) == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "1. Fargo\n2. Heat\n3. Alien\n4. Ran\n5. Casino\n\nFinal answer: the order above, with #2 and #3 swapped.",
        "1. Fargo\n2. Heat\n3. Alien\n4. Ran\n5. Casino\n\nHold on, 2 and 3 are the wrong way round.",
        "1. Fargo\n2. Heat\n3. Alien\n\n*Correction to no. 2:* I mean the remake.",
        "Heat = Fargo > Alien = Casino = Ran",
        "Heat > Fargo = Alien > Ran\n\nFargo and Alien are level, I can't separate them.",
        "- Heat vs Fargo\n- Alien vs Heat\n- Fargo vs Casino",
        "От «пропустить» до «посмотреть сегодня»:\n- Fargo\n- Heat\n- Alien",
        'From "skip it" to "see it tonight":\n- Fargo\n- Heat\n- Alien',
    ],
)
def test_a_changed_or_open_order_is_not_read(text: str) -> None:
    assert read("titles", text, ASKED).ranked == ()


def test_scores_after_dots_and_yaml_mappings_are_read() -> None:
    text = "Scores, higher is better:\n\nHeat ........ 71\nFargo ....... 88\nAlien  95"
    assert places(read("titles", text, ASKED)) == [3, 2, 1]
    assert places(read("titles", "Heat - 71\nFargo - 88\n1984 - 64\nAlien - 95\nRan - 93", ASKED)) == [3, 5, 2, 1]
    flow = '```yaml\npicks:\n  - {title: "Heat (1995)", place: 2}\n  - {title: "Fargo (1996)", place: 1}\n```'
    assert places(read("titles", flow, ASKED)) == [2, 1]


def test_a_last_line_that_is_an_identifier_is_the_choice() -> None:
    lettered = Question(ASKED.items, tuple("ABCDE"))
    assert read("choice", "I'd rule out A and E, and B loses by a hair.\n\n**D.**", lettered).ranked == ("i4",)
    assert read("choice", "I would rule out A and E, and B loses by a hair.\n\n(D)", lettered).ranked == ("i4",)
    assert read("choice", "C\nB\nA", lettered).ranked == ()


def test_a_name_in_characters_before_the_title_is_its_translation() -> None:
    assert places(read("titles", "1. 盗火线 Heat (1995)\n2. Fargo (1996) 冰血暴", ASKED)) == [1, 2]
    assert places(read("permutation", "首先是3，其次是5，然后是4，最后是2", numbered(5))) == [3, 5, 4, 2]


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>analysis<|message|>Heat > Fargo > Alien, or Fargo first?",
        '<details type="reasoning" done="false">\n<summary>Thinking…</summary>\n1. Heat\n2. Fargo',
        "<seed:think>1. Heat\n2. Fargo\n3. Alien",
    ],
)
def test_reasoning_that_never_ends_is_not_an_answer(text: str) -> None:
    assert read("titles", text, ASKED).reason == "truncated"


def test_collapsed_reasoning_is_dropped() -> None:
    folded = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n> Heat first.\n</details>\n'
    )
    assert places(read("titles", f"{folded}1. Fargo\n2. Alien", ASKED)) == [2, 3]
    assert places(read("titles", "<seed:think>Heat first.</seed:think>1. Fargo\n2. Alien", ASKED)) == [2, 3]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("yes_no", "Yes, I can help with that! Could you first send me the films they liked?"),
        ("yes_no", "Nein, das kann ich so nicht beurteilen. Dafür müsste ich mehr wissen."),
        ("yes_no", "No, I can't judge that."),
        ("choice", "There is 1 thing I need before I can choose: what has this person played?"),
        ("choice", "2 would win if they had not seen it. As it is, I'd rather choose nothing."),
        ("rating", "2 (with 1 the best and 5 the worst, or was it the other way round?)"),
    ],
)
def test_questions_and_ignorance_are_not_verdicts(name: str, text: str) -> None:
    answer = read(name, text, numbered(5) if name == "choice" else Question(items("Heat (1995)")))
    assert answer.value is None and not answer.ranked


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("yes_no", "No, I can't say they would enjoy it.", 0.0),
        ("yes_no", "Yes, the cast is great, and yes, it won awards. But will this user like it? No.", 0.0),
        ("yes_no", "No. Wait, I overlooked that he gave Contact five stars. Yes.", 1.0),
        ("yes_no", "She'll enjoy this one.", 1.0),
        ("rating", "4, on the scale where 1 is the worst", 4.0),
    ],
)
def test_a_statement_at_the_end_is_a_verdict(name: str, text: str, value: float) -> None:
    assert read(name, text, Question(items("Heat (1995)"))).value == value


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Will they like it? No idea.", None),
        ("Would the user like it? No clue, honestly.", None),
        ("Will they like it? Yes, at first glance, but they have seen it. Final answer: No", False),
        ("Would they like it? Yes and no.", None),
        ("They would like something lighter than this.", None),
        ("They will watch anything but this.", None),
        ("He would enjoy the soundtrack, but not the film.", None),
        ("They would like it if it were shorter.", None),
        ("Plutôt pas mal, il devrait aimer.", None),
        ("Eher nicht sein Genre, aber er wird ihn mögen.", None),
        ("Raczej nie dla dzieci, ale użytkownik go polubi.", None),
        ("Would they be bored? Probably not.", None),
        ("It is a bit long. Would they mind? Definitely not.", None),
        ("I'd recommend it, though not to this user.", None),
        ("To answer this, I need to consider the user's history. They like crime films.\n\nAnswer: Yes", True),
        ("No, potrebbe annoiarlo.", False),
        ("Ja, das könnten Sie mögen.", True),
        ("Yes. You can't judge a book by its cover, but the genre fits.", True),
        ("Yes, viewers can't tell what happens next, which they love.", True),
        ("Yes, first give it ten minutes.", True),
        ("Yes\n\nCould you tell me if you'd like a reason?", True),
    ],
)
def test_a_sentence_that_only_looks_like_a_verdict_is_not_one(text: str, yes: bool | None) -> None:
    assert read("yes_no", text, Question(items("Heat (1995)"))).value == (None if yes is None else float(yes))


@pytest.mark.parametrize(
    "text",
    [
        "The best choice is C.\n\nRejected:\nA\nB",
        "Best: C. Others, in order:\n\nD",
        "I'd go with C. The other finalist was\n\n**B**",
        "Ich empfehle C. Der Rest ist schwächer:\nA\nB",
        "C\n\nI need more information to be certain, but it fits.",
        "None of these is a perfect fit, but C comes closest.",
        "C\n\nCould you tell me whether this suits you?",
    ],
)
def test_a_named_choice_takes_precedence_over_the_last_line(text: str) -> None:
    assert read("choice", text, Question(ASKED.items, tuple("ABCDE"))).ranked == ("i3",)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ('{"excluded": "[\\"Ran\\"]", "ranking": ["Fargo","Heat"]}', [2, 1]),
        ("1. Fargo\n❌ Heat: too long\n2. Alien\n3. Casino\n4. Ran", [2, 3, 4, 5]),
        ("❌ **Heat** – already seen\n\n1. Fargo\n2. Alien", [2, 3]),
        ("- ✅ Fargo\n- ❌ **Heat** (seen)\n- ✅ Alien\n- ✅ Ran", [2, 3, 5]),
        ("1. Fargo is not included in your history but fits\n2. Heat", [2, 1]),
        ("1. Fargo — no wait for the action to begin\n2. Heat", [2, 1]),
        (
            "1. Fargo\n2. Heat\n3. Alien\n4. Casino\n5. Ran\n\nN'oubliez pas de vérifier la disponibilité.",
            [2, 1, 3, 4, 5],
        ),
        ("1. Fargo\n2. Heat\n3. Alien\n4. Casino\n5. Ran\n\n¡No olvide disfrutar!", [2, 1, 3, 4, 5]),
        ("1. Fargo\n2. Heat\n3. Alien\n4. Casino\n5. Ran\n\nVergessen Sie nicht, Popcorn zu kaufen.", [2, 1, 3, 4, 5]),
        (
            "1. Fargo\n2. Heat\n3. Alien\n4. Casino\n5. Ran\n\nFeel free to remove any of these from the list.",
            [2, 1, 3, 4, 5],
        ),
        (
            "1. Fargo\n2. Heat\n3. Alien\n4. Casino\n5. Ran\n\nDaj znać, jeśli chcesz więcej rekomendacji!",
            [2, 1, 3, 4, 5],
        ),
        ("1. Fargo\n2. Heat\n3. Alien\n4. Casino\n5. Ran\n\nHeat und Fargo liegen fast gleichauf.", [2, 1, 3, 4, 5]),
        ("1. Fargo - cops vs. robbers\n2. Heat - detective vs. thief\n3. Alien", [2, 1, 3]),
        ("Don't miss out on these:\n1. Fargo\n2. Heat", [2, 1]),
        ("From must-see to skippable:\n1. Fargo\n2. Heat\n3. Alien\n4. Casino\n5. Ran", [2, 1, 3, 4, 5]),
        ("```python\n# 1. Fargo\n# 2. Heat\n# 3. Alien\n```", [2, 1, 3]),
    ],
)
def test_ordinary_words_beside_a_list_change_nothing(text: str, order: list[int]) -> None:
    assert places(read("titles", text, ASKED)) == order


def test_remarks_on_identifiers_do_not_end_a_list() -> None:
    lettered = Question(ASKED.items, tuple("ABCDE"))
    assert places(read("permutation", "E > B > A > C\nD (a weak match)", lettered)) == [5, 2, 1, 3, 4]
    assert places(read("permutation", "[5], [2]\n[1], [3] as well\n[4]", numbered(5))) == [5, 2, 1, 3, 4]
    symphonies = Question(items("交響曲第9番", "ピアノ協奏曲第5番", "交響曲第7番"))
    assert places(read("titles", "1. 交響曲第9番\n2. 交響曲第7番\n3. ピアノ協奏曲第5番", symphonies)) == [1, 3, 2]
    assert read("rating", "5. It is the #1 best-selling novel.", Question(items("Heat (1995)"))).value == 5.0


@pytest.mark.parametrize(
    "text",
    [
        "| Rang | Nr. | Rezept |\n|---|---|---|\n| 1 | 3 | Film called c |\n| 2 | 1 | Film called a |",
        "| Rank | No. |\n|---|---|\n| 1 | 3 |\n| 2 | 1 |",
        "1re place : n° 3\n2e place : n° 1",
        "1-е место: № 3\n2-е место: № 1",
        "1.º lugar: nº 3\n2.º lugar: nº 1",
    ],
)
def test_ranks_and_identifiers_are_distinguished_in_other_languages(text: str) -> None:
    assert places(read("permutation", text, numbered(4))) == [3, 1]


def test_a_book_is_known_without_its_edition() -> None:
    books = Question(items("Linear Algebra Done Right, 3rd Edition", "Calculus, 4th Edition", "Calculus, 2nd Edition"))
    assert places(read("titles", "1. Linear Algebra Done Right", books)) == [1]
    assert read("titles", "1. Calculus", books).outcome is Outcome.UNPARSED


def test_watched_items_before_a_dash_are_not_missing_from_the_list() -> None:
    films = Question(items("Toy Story (1995)", "Heat (1995)", "Fargo (1996)"))
    text = "Toy Story 3 (2010) - Heat (1995)\nPocahontas (1995) - Fargo (1996)"
    assert places(read("titles", text, films)) == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "Oui, mais non.",
        "Ja und nein.",
        "Yes, but not for this user.",
        "Ja, warum nicht? Also doch eher nein.",
        "Yes, they would like the start, but no.",
    ],
)
def test_a_retracted_yes_is_ambiguous(text: str) -> None:
    assert read("yes_no", text, numbered(1)).reason == "ambiguous"


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("I started at 5, then took off one point for the length and another half. That leaves 3.5.", 3.5),
        ("It is a 4-star house, but I'd expect a 3 from them.", 3.0),
        ("I'd have said 3, but they gave Sagrada a 5, so let me revise that up to 4.", 4.0),
    ],
)
def test_the_rating_that_remains_is_read(text: str, rating: float) -> None:
    assert read("rating", text, numbered(1)).value == rating


@pytest.mark.parametrize(
    "text",
    [
        "Yes. So there is no reason to say no.",
        "Yes - they would also not say no.",
        "Yes, but not for the faint-hearted.",
        "Yes, but not to the same degree as Heat.",
        "Sí, y no solo por el director.",
        "Sim, e não só.",
    ],
)
def test_a_yes_with_a_no_beside_it_stays_a_yes(text: str) -> None:
    assert read("yes_no", text, numbered(1)).value == 1.0


def test_what_is_expected_besides_a_rating_is_none() -> None:
    assert read("rating", "I'd expect 2 hours of joy. Rating: 5", numbered(1)).value == 5.0


LISTED = "1. Heat\n2. Fargo\n3. Alien\n4. Casino\n\n"


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("permutation", "- A: 2\n- B: 1\n- C: 4\n- D: 3", "BADC"),
        ("permutation", "- A → 2nd\n- B → 1st\n- C → 4th\n- D → 3rd", "BADC"),
        (
            "titles",
            "- Heat\n  Score: 7/10\n- Fargo\n  Score: 9/10\n- Alien\n  Score: 3/10\n- Casino\n  Score: 5/10",
            "",
        ),
        ("titles", f"{LISTED}Casino is also a top pick.", "ABCD"),
        ("titles", f"{LISTED}If they are in the mood for horror, Alien is the best choice.", "ABCD"),
        ("titles", f"{LISTED}Heat is the weakest match here.", ""),
        ("titles", f"**Least recommended**\n{LISTED}", ""),
        ("titles", f"Ranked 1 (worst) to 4:\n{LISTED}", "DCBA"),
        ("titles", "1. Heat 2. Fargo 3. Alien. Not recommended: Casino", "ABC"),
        ("titles", "1. Heat\n2. Fargo\n3. Alien\n4. Casino was excluded because they have seen it.", "ABC"),
        ("titles", "Fargo\nAlien\nHeat\nFun fact: Casino (1995) was filmed in Las Vegas.", "BCA"),
        (
            "titles",
            "You've watched and loved, in this order:\n1. Heat\n2. Fargo\n\nRanking:\n1. Alien\n2. Casino",
            "CD",
        ),
        ("rating", "I can't watch films, but I'd say 4 stars.", "4"),
    ],
)
def test_plain_answers_that_only_one_rule_reads(name: str, text: str, places: str) -> None:
    titles = ("Heat (1995)", "Fargo (1996)", "Alien (1979)", "Casino (1995)")
    items = tuple(Item(letter, title) for letter, title in zip("ABCD", titles, strict=True))
    answer = answer_format(name).read(Response(text), Question(items, tuple("ABCD") if name == "permutation" else ()))
    assert "".join(answer.ranked) + ("" if answer.value is None else f"{answer.value:g}") == places


@pytest.mark.parametrize(
    ("name", "text", "order"),
    [
        ("permutation", "id, rank\n1, 5\n2, 3\n3, 1\n4, 2\n5, 4", [3, 4, 2, 5, 1]),
        ("permutation", "2. Fargo\n\n1. Heat\n\n3. Alien\n\n5. Ran\n\n4. Casino", [2, 1, 3, 5, 4]),
        ("permutation", "1. Heat\n2. Fargo\n\n5. Ran\n4. Casino\n3. Alien", [1, 2, 5, 4, 3]),
        ("titles", "Fargo (best match) - 1\nHeat (good match) - 2\nAlien (weak match) - 3", [2, 1, 3]),
        ("titles", "Alien [1]\nHeat [2]\nFargo [3]", [3, 1, 2]),
        ("titles", "- Alien [98]\n- Heat [170]\n- Fargo [117]", []),
        ("titles", "Alien: match 1\nHeat: match 2\nFargo: match 3", []),
        ("titles", "Alien (score: 3)\nHeat (score: 1)\nFargo (score: 2)", [3, 2, 1]),
        ("titles", "Bottom to top:\n- Casino\n- Ran\n- Fargo\n\nContinued:\n- Alien\n- Heat", [1, 3, 2, 5, 4]),
        ("json", '{"recommendation_1": "3", "recommendation_2": "1", "recommendation_3": "2"}', [3, 1, 2]),
        ("json", '["item_3", "item_1", "item_2"]', [3, 1, 2]),
    ],
)
def test_numbers_are_read_as_what_they_are(name: str, text: str, order: list[int]) -> None:
    numbered = ASKED if name == "titles" else Question(ASKED.items, ("1", "2", "3", "4", "5"))
    assert places(read(name, text, numbered)) == order


def test_chains_of_marked_titles_and_of_songs_are_read() -> None:
    dishes = Question(items("Shakshuka", "Vegetable Lasagna", "Chicken Tikka"), ("A", "B", "C"))
    chain = "(C) Chicken Tikka > (A) Shakshuka > (B) Vegetable Lasagna"
    assert places(read("permutation", chain, dishes)) == [3, 1, 2]
    songs = Question(items("Radiohead - Karma Police", "Portishead - Glory Box", "Massive Attack - Teardrop"))
    chain = 'In order:\n"Glory Box" by Portishead → "Teardrop" by Massive Attack → "Karma Police" by Radiohead'
    assert places(read("titles", chain, songs)) == [2, 3, 1]
    robots = Question(items("WALL·E (2008)", "Up (2009)", "Coco (2017)"))
    assert places(read("json", r'{"ranking": ["Up (2009)", "WALL\u00b7E (2008)", "Co', robots, "length")) == [2, 1]


def test_an_article_a_count_and_a_series_are_no_choice() -> None:
    animated = Question(items("Toy Story (1995)", "Aladdin (1992)", "Toy Story 3 (2010)", "Bug's Life, A (1998)"))
    lettered = Question(animated.items, tuple("ABCD"))
    assert places(read("choice", "A Bug's Life would be my recommendation here.", lettered)) == [4]
    numbered = Question(animated.items, ("1", "2", "3", "4"))
    assert places(read("choice", "With 2 previous purchases, the third item makes the most sense.", numbered)) == []
    text = "I think the best pick is the third Toy Story film, as they liked the first two."
    series = read("one_title", text, animated)
    assert series.ranked == () and series.reason == "ambiguous"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("permutation", "B: 5, A: 4, C: 3, E: 2, D: 1"),  # ranks, or scores
        ("permutation", "B: 3\nA: 2\nC: 1"),
        ("json", '{"B": 5, "A": 4, "C": 3, "E": 2, "D": 1}'),
        ("json", '{"B": 5, "A": 5}'),
        ("yes_no", "The user will like it with probability 0.3"),
        ("yes_no", "Yes, with a 30% chance."),
    ],
)
def test_ranks_or_scores_and_a_small_chance_are_ambiguous(name: str, text: str) -> None:
    answer = read(name, text, Question(ASKED.items, tuple("ABCDE")))
    assert answer.outcome == "unparsed" and answer.reason == "ambiguous"


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("This is a part 2.", None),
        ("Overall 4 of 5 films were liked.", None),
        ("4 of 5 stars", 4),
        ("They liked part 2, so 4.", 4),
        ("Part 2 deserves a 3.", 3),
    ],
)
def test_parts_and_counts_are_no_rating(text: str, rating: float | None) -> None:
    assert read("rating", text, ASKED).value == rating
