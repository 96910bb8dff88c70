import pytest

from llmrank.types import Outcome, Question
from tests.answers.asking import items, numbered, places, read


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "(B)",
        "[B]",
        "**B**",
        "B.",
        "Passage B",
        "I think it is B",
        "The most relevant passage is B.",
        "Answer: B",
        "answer: b",
        "B. Film called b",
        "<think>A? No.</think>B",
        "At least one fits: B",
        "Film called b (B)",
    ],
)
def test_the_choice_is_read(text: str) -> None:
    answer = read("choice", text, numbered(3, "letters"))
    assert (places(answer), answer.outcome) == ([2], Outcome.OK)


@pytest.mark.parametrize(
    "text",
    [
        "A\n\nLet me reconsider. The user likes family films: B",
        "A\n\nOn reflection, B.",
        "B: I can't wait to hear what they think of A.",
        "Between A and B, the stronger match is B.",
        "I would choose B because A is worse",
        "I would avoid A, so B.",
        "The most relevant is B, the least relevant A.",
        "A? No. B? Yes.",
        "Answer: A\n\nCorrected answer: B",
        "B\n\nI was torn between A and B.",
        "They have seen A, which leaves B.",
        "Je choisirais B. Le film A est trop sombre.",
        "A < B",
        "B, although A would be a close second.",
        "A\n\nWait — B is about jazz. A is about love. So B.",
    ],
)
def test_another_choice_named_beside_is_counted(text: str) -> None:
    answer = read("choice", text, numbered(3, "letters"))
    assert (places(answer), answer.outcome, answer.repairs) == ([2], Outcome.REPAIRED, {"named_beside": 1})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A or B", "ambiguous"),
        ("If they want action, B; if not, A.", "ambiguous"),
        ("If they are in the mood for a laugh, choose A; otherwise C.", "ambiguous"),
        ("I have no preference between B) Film called b and A) Film called a.", "ambiguous"),
        ("B is better than A", "ambiguous"),
        ("The answer isn't A", "no_candidate_named"),
        ("I don't think it is A", "no_candidate_named"),
        ("Z", "no_candidate_named"),
        ("I think so", "no_candidate_named"),
        ("", "empty"),
        ("The least relevant is A.", "no_candidate_named"),
        ("The worst choice is A", "no_candidate_named"),
        ("Skip A.", "no_candidate_named"),
        ("A is a poor fit", "no_candidate_named"),
        ("Anything but A", "no_candidate_named"),
        ("A: 0.2, B: 0.8", "ambiguous"),
        ("I'd avoid A and B", "no_candidate_named"),
        ("Least likely: A", "no_candidate_named"),
        ("I cannot choose.", "refusal"),
    ],
)
def test_unparsed_choices_have_a_reason(text: str, reason: str) -> None:
    answer = read("choice", text, numbered(3, "letters"))
    assert (answer.outcome, answer.reason, answer.ranked) == (Outcome.UNPARSED, reason, ())


def test_a_title_in_place_of_the_label() -> None:
    question = Question(items("Alien (1979)", "Heat (1995)"), ("A", "B"))
    answer = read("choice", "Heat (1995)", question)
    assert (places(answer), answer.repairs) == ([2], {"title_for_identifier": 1})
    for text in ("Heat (1995), i.e. option A", "**Heat** (A)", "A: Heat (1995)"):
        assert read("choice", text, question).reason == "ambiguous"


def test_numbers() -> None:
    assert places(read("choice", "[2]", numbered(3))) == [2]
    assert places(read("choice", "Passage: 2", numbered(3))) == [2]
    assert read("choice", "7", numbered(3)).repairs == {"not_a_candidate": 1}


@pytest.mark.parametrize(
    "text",
    [
        "None of the 3 candidates is a good match.",
        "2 of the 3 products are suitable.",
        "The answer should be an identifier in brackets, e.g. [1].",
        "The worst fit among these is [3].",
        "I would not recommend film called a.",
    ],
)
def test_counts_examples_and_rejected_items_are_not_choices(text: str) -> None:
    assert read("choice", text, numbered(3)).outcome is Outcome.UNPARSED


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("While Heat (1995) and Fargo (1996) are also good, the best recommendation for this user is Alien (1979).", 3),
        ("Embora Heat (1995) e Fargo (1996) sejam boas, a melhor recomendação é Alien (1979).", 3),
        ("I considered Heat (1995). My choice is Fargo (1996), not Alien (1979).", 2),
        ("I'd go with Alien: it is more daring than Heat, as the user likes.", 3),
        ("1. Fargo (1996)", 2),
        ("I'd recommend Heat (1995), or Fargo (1996).", None),
        ("I'd go with Heat (1995), Fargo (1996).", None),
        ("Heat (1995) and Fargo (1996) are both good.", None),
        ("3. Fargo (1996)", None),
    ],
)
def test_the_title_that_is_called_the_choice_wins(text: str, chosen: int | None) -> None:
    films = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"), ("1", "2", "3"))
    answer = read("choice", text, films)
    assert (places(answer), answer.reason) == (([chosen], "") if chosen else ([], "ambiguous"))


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("A Serious Man. It is the most personal of them.", "2"),
        ("For a quiet stay I'd choose B&B Luna.", "3"),
        ("I'm torn between A and C, as both are excellent.", "ambiguous"),
        ("Ich würde A empfehlen – oder nein, besser D.", "4"),
        ("A or C? **D** is the one I'd go with.", "4"),
        ("I have no access to prices, so I can't choose one for you. Try A to D on a booking site.", "refusal"),
        ("## Recommendation\n\nTrue Grit\n\n## Runner-up\n\nB&B Luna (C)", "4"),
    ],
)
def test_letters_in_titles_and_undecided_texts_choose_nothing(text: str, reading: str) -> None:
    mixed = Question(items("Heat (1995)", "A Serious Man (2009)", "B&B Luna", "True Grit (2010)"), tuple("ABCD"))
    answer = read("choice", text, mixed)
    assert (str(places(answer)[0]) if answer.ranked else answer.reason) == reading


def test_a_choice_with_a_colon_in_its_title_is_not_cut() -> None:
    games = Question(items("Azul", "Azul: Summer Pavilion", "The Mind"))
    assert places(read("choice", "Best: Azul: Summer Pavilion\nSecond best: Azul\nWorst: The Mind", games)) == [2]


@pytest.mark.parametrize(
    "text",
    [
        "{B}. Best choice for a fan of Heat.",
        "{B} is the best match for someone who loved Heat.",
        "I'd say {B}. It's the best choice for fans of Heat.",
        "{B}\n\nThis is the best option after Heat.",
        "{B}, the best fit given Heat in the history.",
        "Recommendation: {B}\n\nReason: my pick shares its mood with Heat.",
        "{B}\nHeat\nAlien",
        "I'd recommend Fargo for fans of Heat.",
        "Heat? No, my pick is Fargo.",
        "Answer: Fargo (1996). It is the best choice for Heat lovers.",
        "I would recommend Fargo because it's the best match for Heat.",
        "Recommendation: Fargo (1996)\nReason: it's like Heat.",
        '{{"choice": "Fargo (1996)", "reason": "best match with Heat (1995)"}}',
    ],
)
@pytest.mark.parametrize("identifiers", ["letters", "numbers"])
def test_an_item_named_in_the_reason_is_not_the_choice(text: str, identifiers: str) -> None:
    shown = tuple("ABC") if identifiers == "letters" else tuple("123")
    films = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"), () if "{B}" not in text else shown)
    assert places(read("choice", text.format(B=shown[1]), films)) == [2]


def test_a_number_beside_the_title_of_another_item_is_ambiguous() -> None:
    question = Question(items("Alien (1979)", "Heat (1995)"), ("1", "2"))
    assert places(read("choice", '{"choice": 2, "title": "Heat"}', question)) == [2]
    assert read("choice", '{"choice": 1, "title": "Heat"}', question).reason == "ambiguous"


@pytest.mark.parametrize(
    "text",
    [
        "B) Paprika. They have seen it.",
        "B. The user has already watched it.",
        "B) Paprika, which they have already seen.",
        "Paprika. They have seen it.",
        "I'd pick B. However, you've already seen it.",
    ],
)
def test_an_item_that_the_user_has_seen_is_no_clear_choice(text: str) -> None:
    question = Question(items("Akira", "Paprika", "Ghost in the Shell"), ("A", "B", "C"))
    assert read("choice", text, question).reason == "ambiguous"


@pytest.mark.parametrize("text", ["B) Paprika. They haven't seen it.", "B. A is close, but they have seen it."])
def test_what_is_said_of_an_unseen_or_another_item_leaves_the_choice(text: str) -> None:
    question = Question(items("Akira", "Paprika", "Ghost in the Shell"), ("A", "B", "C"))
    assert places(read("choice", text, question)) == [2]


@pytest.mark.parametrize(
    "text",
    [
        *("A ≈ B", "A = B", "B = A", "A=B", "A ~ B", "A / B", "A & B", "A + B", "**A** = **B**", "[A] ≈ [B]"),
        *("A, B", "A; B", "(A) (B)", "[A, B]", "A and B", "A\nB", "A vs. B", "A versus B", "A (B)"),
        *("Answer: A = B", "I'd pick A / B", "Both.", "A tie."),
    ],
)
def test_two_identifiers_side_by_side_are_no_choice(text: str) -> None:
    question = Question(items("Heat (1995)", "Fargo (1996)"), ("A", "B"))
    assert read("choice", text, question).outcome is Outcome.UNPARSED


@pytest.mark.parametrize("letters", [True, False])
@pytest.mark.parametrize(
    "text",
    ["{A}, {B}, {C}", "{A},{B},{C}", "[{A}, {B}, {C}]", "{A}, {B} and {C}", "{A}, {B}, and {C}", "**{A}; {B}; {C}**"],
)
def test_a_list_of_all_identifiers_as_shown_is_no_choice(text: str, letters: bool) -> None:
    names = ("A", "B", "C") if letters else ("1", "2", "3")
    question = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"), names)
    assert read("choice", text.format(A=names[0], B=names[1], C=names[2]), question).reason == "ambiguous"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        *(("C, A, B", 3), ("A > B > C", 1), ("1. A\n2. B\n3. C", 1), ("B, C", 2), ("A, then B", 1), ("B > C = A", 2)),
        *(("A = Heat", 1), ("C = Alien, A = Heat", 3), ("Answer = B", 2), ("B vs. C: C", 3), ("A, B, C: B", 1)),
        ("B + C are both fine, so B", 2),
    ],
)
def test_an_order_or_a_title_beside_identifiers_chooses(text: str, place: int) -> None:
    question = Question(items("Heat (1995)", "Fargo (1996)", "Alien (1979)"), ("A", "B", "C"))
    assert places(read("choice", text, question)) == [place]
