"""The wording of the templates that come with llmrank, against the papers' texts, and against each other's."""

import re
from dataclasses import replace

import pytest

from llmrank.audit.paraphrase import TEXT
from llmrank.prompting import View, load_template, shipped_wordings, template_paths
from llmrank.types import Case, Event, Item

PLAIN = View(domain="movies")
FILMS = ("Pink Floyd - The Wall", "Canadian Bacon", "G.I. Jane")
CANDIDATES = ("The Blues Brothers", "Platoon", "Almost Famous")
CASE = Case(
    "42",
    tuple(Event(Item(str(n), title, {"genres": "Drama"}), 5.0 - 2 * n) for n, title in enumerate(FILMS)),
    tuple(Item(f"c{n}", title) for n, title in enumerate(CANDIDATES)),
    target=Item("c0", "Top Gun", {"genres": "Action, Romance"}),
)


def rendered(name: str, case: Case = CASE, view: View = PLAIN, **more: object) -> str:
    made = load_template(name)
    return made.render(case, made.question(case, view), view=view, **more)[-1].content


def test_palr_recommend_retrieval_is_the_papers():
    assert rendered("palr-recommend-retrieval") == (
        "Task Instruction: Recommend 3 other movies based on user's watching history from the candidate list. "
        'Input: User watched movies "Pink Floyd - The Wall", "Canadian Bacon", "G.I. Jane". '
        'The candidates are "The Blues Brothers", "Platoon", "Almost Famous". Output:'
    )


def test_palr_recommend_is_the_papers():
    assert rendered("palr-recommend") == (
        "Task Instruction: Recommend 10 other movies based on user's watching history. "
        'Input: User watched movies "Pink Floyd - The Wall", "Canadian Bacon", "G.I. Jane". Output:'
    )


def test_palr_for_beauty_is_the_papers():
    case = Case(
        "A",
        (Event(Item("B000142FVW", "Opi Nail Lacquer, Not So Bora Pink, 0.5 Fluid Ounce")),),
        (Item("B000SQRMOS", "FHI Heat Hot Sauce (50ml), 1.7 fluid ounces bottle"),),
    )
    assert rendered("palr-recommend-retrieval-beauty", case) == (
        "Task Instruction: Recommend 1 other items based on user's history from the candidate list. "
        'Input: User has purchased the following products"B000142FVW (Opi Nail Lacquer, Not So Bora Pink, 0.5 Fluid '
        'Ounce)". The candidates are "B000SQRMOS (FHI Heat Hot Sauce (50ml), 1.7 fluid ounces bottle)". Output:'
    )


def test_palr_profile_is_the_figures():
    lines = rendered("palr-profile").split("\n")
    assert lines[0] == (
        "Input: Your task is to use two keywords to summarize user's preference based on history interactions."
    )
    assert lines[1] == "The output is an itemized list based on importance. The output template is:"
    assert lines[2] == '{KEYWORD_1: "HISTORY_MOVE_1", "HISTORY_MOVE_2"; KEYWORD_2: "HISTORY_MOVE_2"}'
    assert lines[3:] == ["The history movies and their keywords", *(f'"{film}": Drama' for film in FILMS)]


def test_palr_has_the_papers_three_parts_and_does_without_a_profile():
    text = rendered("palr", profile="war, music")
    assert text.index("G.I. Jane") < text.index("war, music") < text.index("The Blues Brothers")
    assert "keywords" not in rendered("palr") and "watched movies" not in rendered(
        "palr", view=View(show_history=False)
    )
    assert 'B. "Platoon"' in rendered("palr", view=View(ids="letters"))


def test_llmrank_prompts_are_the_repositorys():
    tail = (
        "Please show me your ranking results with order numbers. Split your output with line break. You MUST rank the "
        "given candidate movies. You can not generate movies that are not in the given candidate list."
    )
    candidates = "['0. The Blues Brothers', '1. Platoon', '2. Almost Famous']"
    please = (
        "Please rank these 3 movies by measuring the possibilities that I would like to watch next most, according to "
        "my watching history. Please think step by step.\n"
    )
    history = (
        "I've watched the following movies in the past in order:\n"
        "['0. Pink Floyd - The Wall', '1. Canadian Bacon', '2. G.I. Jane']\n\n"
    )
    assert rendered("llmrank-sequential") == (
        f"{history}Now there are 3 candidate movies that I can watch next:\n{candidates}\n{please}{tail}"
    )
    assert rendered("llmrank-recency") == (
        f"{history}Now there are 3 candidate movies that I can watch next:\n{candidates}\n{please}"
        f"Note that my most recently watched movie is G.I. Jane. {tail}"
    )
    assert rendered("llmrank-icl") == (
        "I've watched the following movies in the past in order:\n"
        "['0. Pink Floyd - The Wall', '1. Canadian Bacon']\n\n"
        "Then if I ask you to recommend a new movie to me according to my watching history, you should recommend "
        "G.I. Jane and now that I've just watched G.I. Jane, there are 3 candidate movies that I can watch next:\n"
        f"{candidates}\n{please}{tail}"
    )


def test_tallrec_is_the_repositorys_with_liked_above_three():
    assert rendered("tallrec").endswith(
        "### Instruction:\nGiven the user's preference and unpreference, identify whether the user will like the "
        'target movie by answering "Yes." or "No.".\n\n### Input:\nUser Preference: "Pink Floyd - The Wall"\n'
        'User Unpreference: "Canadian Bacon", "G.I. Jane"\n'
        'Whether the user will like the target movie "Top Gun"?\n\n### Response:'
    )


def test_podcasts_have_their_words():
    assert "listened to these episodes" in rendered("rankgpt", view=View(domain="podcasts"))
    assert "according to my listening history" in rendered("llmrank-sequential", view=View(domain="podcasts"))


def test_liu_2023_is_as_transcribed():
    beauty = View(domain="beauty")
    assert rendered("liu2023-zero-shot", view=beauty) == (
        'How will user rate this product_title: "Top Gun", and product_category: Beauty? (1 being lowest and 5 being '
        "highest) Attention! Just give me back the exact number a result, and you don't need a lot of text."
    )
    assert rendered("liu2023-few-shot", view=beauty) == (
        "Here is user rating history:\n1. Pink Floyd - The Wall, 5.0;\n2. Canadian Bacon, 3.0;\n3. G.I. Jane, 1.0;\n"
        'Based on above rating history, please predict user\'s rating for the product: "Top Gun", (1 being lowest and '
        "5 being highest, The output should be like: (x stars, xx%), do not explain the reason.)"
    )


def test_google_shows_title_genres_and_rating_and_solved_blocks_end_in_the_rating():
    shot = Case("7", CASE.history[:1], target=Item("9", "Alien"), rating=4.0)
    text = rendered("google-few-shot", shots=[shot])
    assert "Title: Canadian Bacon; Genres: Drama; Rating: 3\n" in text
    assert "Title: Alien\n\nRating: 4\n" in text
    assert text.endswith("Give a single number as rating without explanation.")
    assert "Title: Top Gun; Genres: Action, Romance\n" in text


@pytest.mark.parametrize(
    "name", ["tallrec", "pointwise-yes-no", "pointwise-rating", "google-zero-shot", "recranker-pointwise"]
)
def test_prompts_about_one_item_share_all_but_its_end(name: str):
    made = load_template(name)
    texts = [rendered(name, Case("42", CASE.history, target=Item(str(n), f"{n} film"))) for n in range(2)]
    shared = next(place for place, pair in enumerate(zip(*texts, strict=False)) if len(set(pair)) > 1)
    assert shared > texts[0].index("G.I. Jane") and made.front.about_one_item


def test_other_domains_have_their_words():
    text = rendered("palr-recommend-retrieval", view=View(domain="books"))
    assert text.startswith("Task Instruction: Recommend 3 other books based on user's reading history")


LIKED = 'Liked movies: "Pink Floyd - The Wall".'
DISLIKED = 'Disliked movies: "Canadian Bacon", "G.I. Jane".'
SCORED = replace(CASE, recall_scores=(9.5, 11.0, 0.25))
HINTED = View(show_scores=True, domain="movies")


def test_recranker_pointwise_is_as_transcribed():
    plain = (
        "You are a movie recommender system. Your task is to predict the relevance score to a target movie based on "
        "the user's historical movie ratings. The score should be between 1 and 10, where 1 is the lowest affinity and "
        "10 is the highest. Respond only with a number between 1 to 10.\n\n"
        'User\'s Historical movie Ratings: "Pink Floyd - The Wall": 5; "Canadian Bacon": 3; "G.I. Jane": 1;\n\n'
        "Question: Based on the user's historical ratings, predict the relavance score of the target movie "
    )
    assert rendered("recranker-pointwise") == plain + '"Top Gun" with the user.'
    one = replace(SCORED, target=SCORED.candidates[1])
    assert rendered("recranker-pointwise", one, HINTED) == (
        plain + '"Platoon" with the user.\nHint: Another recommender system gives it the score 11'
    )


def test_recranker_pairwise_is_as_transcribed_and_hints_at_the_higher_score():
    plain = (
        "You are a movie recommender system. Based on a user's likes and dislikes, determine if they would prefer one "
        'movie over another. Respond only with "Yes." or "No.".\n\n'
        f"User's {LIKED}\n\nUser's {DISLIKED}\n\nQuestion: Would the user prefer "
    )
    hint = "?\nHint: Another recommender system suggests the answer is "
    for order, answer in (((0, 1), "No."), ((1, 0), "Yes.")):
        shown = tuple(SCORED.candidates[at] for at in order)
        case = replace(SCORED, candidates=shown, recall_scores=tuple(SCORED.recall_scores[at] for at in order))
        asked = f'{plain}"{shown[0].title}" over "{shown[1].title}"'
        assert rendered("recranker-pairwise", case) == f"{asked}?"
        assert rendered("recranker-pairwise", case, HINTED) == f'{asked}{hint}"{answer}"'
    tied = replace(SCORED, candidates=SCORED.candidates[:2], recall_scores=(1.0, 1.0))
    assert "Hint" not in rendered("recranker-pairwise", tied, HINTED)


def test_recranker_listwise_is_as_transcribed_and_hints_at_the_highest_scores():
    start = (
        "You are a movie recommender system. Your task is to rank a given list of candidate movies based on user "
        "preferences and return the top "
    )
    rest = (
        f" recommendations.\n\nUser's {LIKED}\nUser's {DISLIKED}\n\n"
        'Question: How would the user rank the candidate item list: "The Blues Brothers", "Platoon", "Almost Famous" '
        "based to historical perference?"
    )
    assert rendered("recranker-listwise") == f"{start}3{rest}"
    hinted = rendered("recranker-listwise", SCORED, HINTED)
    assert hinted.endswith(
        '\nHint: Another recommender model suggests "Platoon", "The Blues Brothers", "Almost Famous"'
    )
    five = replace(CASE, candidates=tuple(Item(str(n), f"Film {n}") for n in range(6)))
    assert rendered("recranker-listwise", five).startswith(f"{start}five recommendations.")


GAPS = ("this history", "given history", "user's history.", "movies .", "products.", "User history: ;")


@pytest.mark.parametrize("name", [name for name in template_paths() if name != "palr-profile"])
def test_a_history_that_is_not_shown_leaves_no_gap(name: str):
    made, view = load_template(name), View(show_history=False)
    text = "\n".join(message.content for message in made.render(CASE, made.question(CASE, view), view=view))
    assert [gap for gap in GAPS if gap in text] == []


def test_llamarec_says_how_the_history_is_ordered_and_items_are_named():
    assert "in chronological order, recommend an item from the candidate pool with its index letter." in rendered(
        "llamarec"
    )
    text = rendered("llamarec", view=View(history_order="newest-first", ids="numbers"))
    assert "in reverse chronological order" in text and "with its index number." in text
    text = rendered("llamarec", view=View(history_order="shuffled", ids="words"))
    assert "in no particular order" in text and "with its index." in text


@pytest.mark.parametrize("name", ["setwise", "pairwise", "tourrank", "rankgpt", "palr", "first-token"])
def test_scores_stand_beside_the_candidates(name: str):
    made = load_template(name)
    lines = made.render(SCORED, made.question(SCORED, HINTED), view=HINTED)[-1].content
    assert [lines.count(f"(score {score})") for score in ("9.5", "11", "0.25")] == [1, 1, 1]


WORDINGS = [(name, wording) for name, wordings in shipped_wordings().items() for wording in wordings]
NAMED = Case(
    "42",
    tuple(Event(Item(f"h{n}", f"Seen {chr(97 + n)}"), 5.0 - n) for n in range(3)),
    tuple(Item(f"c{n}", f"Film {chr(97 + n)}") for n in range(12)),
    tuple(n + 0.25 for n in range(12)),
    relevant=("c3", "c5"),
)
TOLD = re.compile(r"Seen \w|rated \d|Film \w|\bc\d+|\(score [\d.]+\)|oldest first|WAR|\b1[02]\b|quotes|commas")
"""Everything that a template tells of a Case: items, ratings, identifiers, scores, their order, keywords, numbers."""


def test_first_token_palr_rankgpt_and_setwise_have_four_other_wordings_each():
    kinds = ("expert", "form", "polite", "terse")
    assert shipped_wordings() == {
        name: tuple(f"{name}-{kind}" for kind in kinds) for name in ("first-token", "palr", "rankgpt", "setwise")
    }


@pytest.mark.parametrize(("name", "wording"), WORDINGS)
def test_a_wording_says_what_its_template_says(name: str, wording: str):
    own, other = load_template(name), load_template(wording)
    assert own.front.model_dump(exclude=TEXT) == other.front.model_dump(exclude=TEXT)
    assert own.blocks.keys() == other.blocks.keys() and other.front.provenance.wording == "own"
    for view in (PLAIN, View(ids="item_id", show_scores=True), View(show_history=False, domain="books")):
        asked = own.question(NAMED, view)
        more = {"view": view, "shots": (NAMED,) if "shot" in own.blocks else (), "profile": "WAR"}
        texts = ["\n".join(message.content for message in made.render(NAMED, asked, **more)) for made in (own, other)]
        one, another = map(TOLD.findall, texts)
        assert one == another and len(one) >= len(NAMED.candidates) and texts[0] != texts[1]
