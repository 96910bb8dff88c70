import pytest

from llmrank.types import Outcome, Question
from tests.answers.asking import items, read

FIVE = Question()
HALVES = Question(scale=(0.5, 5.0))
TEN = Question(scale=(1.0, 10.0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.5 stars", 3.5),
        ("Rating: 4", 4),
        ("4/5", 4),
        ("**4**", 4),
        ("four", 4),
        ("4", 4),
        ("4.", 4),
        (" 4\n", 4),
        ("4.0", 4),
        ("4,5", 4.5),
        ("3½", 3.5),
        ("3 1/2 stars", 3.5),
        ("three and a half stars", 3.5),
        ("Four stars!", 4),
        ("★★★★☆", 4),
        ("4 out of 5", 4),
        ("Rating: 4/5 stars", 4),
        ("Rating: four", 4),
        ("My predicted rating is 4.", 4),
        ("I'd give it a 4.", 4),
        ("I would rate it four out of five", 4),
        ("On a scale of 1 to 5, I would rate this 3", 3),
        ("From 1-5: 2", 2),
        ("Based on the history, I predict a rating of 4 out of 5 for Heat (1995).", 4),
        ('{"rating": 4}', 4),
        ('```json\n{"rating": 4}\n```', 4),
        ("<think>maybe 3</think>4", 4),
        ("<answer>4</answer>", 4),
        ("4점", 4),
        ("预计该用户会给四颗星。", 4),
        ("I'd say 8/10, which comes out to 4 on your 1-to-5 scale.", 4),
        ("5점 만점에 4점을 줄 것 같습니다.", 4),
        ("我会给这部电影打4分", 4),
        ("5点満点で4点です。", 4),
        ("Rating: 3\n\nI counted two of them twice.\n\nCorrected rating for Heat (1995): 3.5\n\nI am sure.", 3.5),
        ("Rating: 4\n\nOh, I see it only now.\n\n**Revised rating: 2** (this replaces the 4 above)", 2),
        ("Short answer: five.\n\nTwo of three gave it 5, one gave 4.", 5),
        ("Mapped to the scale of 1 to 5 that you asked for, 8/10 is a **4**.", 4),
        ('{"tool": "predict", "status": "ok"}\n{"predicted_rating": 4.5}', 4.5),
        # numbers of an explanation
        ("4. The user likes crime", 4),
        ("4\n\nThe user gave 5 stars to similar films", 4),
        ("Rating: 4\nExplanation: the user rated 3 films with 5", 4),
        ("4\nTitle: Heat; Genres: Crime; Rating: 5", 4),
        ("1. Heat (1995): 4", 4),
        ("The user has seen 200 films. They will give it 4 stars.", 4),
    ],
)
def test_a_rating_is_read(text: str, value: float) -> None:
    answer = read("rating", text, FIVE)
    assert (answer.outcome, answer.value, answer.repairs) == (Outcome.OK, value, {})


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("The rating is 4, since the user rated similar films 5.", 1),
        ("4 because 2 of 3 similar films were liked", 1),
    ],
)
def test_other_ratings_named_beside_are_counted(text: str, others: int) -> None:
    answer = read("rating", text, FIVE)
    assert (answer.outcome, answer.value, answer.repairs) == (Outcome.REPAIRED, 4, {"named_beside": others})


@pytest.mark.parametrize(
    ("text", "question", "value"),
    [
        ("Seven (1995): 4", Question(items("Seven (1995)")), 4),
        ("I'd give 12 Monkeys a 4", Question(items("12 Monkeys (1995)")), 4),
        ("12 Monkeys (1995) - 4", Question(items("12 Monkeys (1995)")), 4),
        ("4.5 ★", HALVES, 4.5),
        ("4 ⭐ (★★★★☆)", HALVES, 4),
        ("0.5", HALVES, 0.5),
        ("4.5 out of 5", HALVES, 4.5),
        ("between 0.5 and 5: 3", HALVES, 3),
        ("8/10", TEN, 8),
        ("10", TEN, 10),
        ("On a scale from 1 to 10: seven", TEN, 7),
    ],
)
def test_titles_and_scales_are_known(text: str, question: Question, value: float) -> None:
    assert read("rating", text, question).value == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("7", "out_of_range"),
        ("0", "out_of_range"),
        ("-1", "out_of_range"),
        ("Rating: -2", "out_of_range"),
        ("I would rate this 7 because they watched 3 films", "out_of_range"),
        ("8/10", "other_scale"),
        ("4/10", "other_scale"),
        ("I'd give it between 3 and 4", "ambiguous"),
        ("3-4", "ambiguous"),
        ("3 or 4", "ambiguous"),
        ("4-5 stars", "ambiguous"),
        ("4\n5", "ambiguous"),
        ("5 stars? No, 3.", "ambiguous"),
        ("3\n\nOn reflection, since they gave Babe a 5, 4.", "ambiguous"),
        ("3 - wait, they gave Babe a 5, so 4.", "ambiguous"),
        ("Rating: 3. Rating: 5", "ambiguous"),
        ("I saw 2 of them, 4 maybe", "ambiguous"),
        ("", "empty"),
        ("  \n", "empty"),
        ("<think>maybe 3", "truncated"),
        ("I'm sorry, but I can't rate from 1 to 5.", "refusal"),
        ("I cannot predict a rating from the 3 movies given", "refusal"),
        ("The user would love it", "no_rating"),
        ("1-5", "no_rating"),
        ("80%", "no_rating"),
        ("Error code: 429", "no_rating"),
        ("- mean: 3.6\n\nI'd place it somewhere between 3 and 4.", "ambiguous"),
        ("10点満点で8点です。", "ambiguous"),
        ("片长4分钟", "no_rating"),
        ("Rating: 3\nCorrected rating: 4\nNo wait, 2.", "ambiguous"),
        ("Rating: 3\nNo wait, 2.", "ambiguous"),
    ],
)
def test_unparsed_ratings_have_a_reason(text: str, reason: str) -> None:
    answer = read("rating", text, FIVE)
    assert (answer.outcome, answer.reason, answer.value) == (Outcome.UNPARSED, reason, None)


def test_a_truncated_explanation_keeps_its_rating() -> None:
    answer = read("rating", "4 because the user", FIVE, "length")
    assert (answer.outcome, answer.value, answer.repairs) == (Outcome.REPAIRED, 4, {"truncated": 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("I'd call it an 8/10, which corresponds to a 4 on your 1-to-5 scale.", 4),
        ("My estimate equates to 3 stars. Final answer: 4", 4),
        ("Thrillers usually map to 4 for this user. My prediction: 2.", 2),
        ("I predict 3. (Loved films map to 5 in this history.)", 3),
        ("My rating is 4, which converts to 8 out of 10.", 4),
        ("Je prévois une note de cinq étoiles.", 5),
        ("Prediction: 3 (since Alien got a note de 5)", 3),
        ("First guess: 5. On reflection I'm lowering it to a 2.", 2),
        ("Initial guess: 3\n\nCorrected rating: 5", 5),
        ("The user is not comfortable with horror, so 2.", 2),
        ("For this user I predict 4 [2020]", 4),
        ("I predict that Apollo 13 (1995) gets 4.5 out of 5", 4.5),
    ],
)
def test_other_numbers_beside_a_rating_are_not_ratings(text: str, value: float) -> None:
    assert read("rating", text, FIVE).value == value


@pytest.mark.parametrize(
    "text",
    (
        "Rating: 3\nCorrected rating: 4\nFinal rating: 5",
        "Revised estimate: 4\nNo wait, 2.",
        "Bewertung: 3. Alien hatte eine Bewertung von 5.",
    ),
)
def test_two_ratings_with_nothing_to_decide_between_them_are_ambiguous(text: str) -> None:
    assert read("rating", text, FIVE).reason == "ambiguous"


@pytest.mark.parametrize(
    "text",
    [
        "4 out of 5, though on a rewatch 3 out of 5",
        "4/5, but on a second viewing 3/5",
        "4 stars, though 3 stars on a rewatch",
        "4/5. On a rewatch 3/5.",
        "Rating: 4/5 (rewatch: 3/5)",
        "I'd say 4, though on a second viewing 4.5.",
        "4 stars, 5 with friends",
    ],
)
def test_ratings_for_two_occasions_are_ambiguous(text: str) -> None:
    assert read("rating", text, HALVES).reason == "ambiguous"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4 out of 5, and on a rewatch still 4 out of 5", 4),
        ("4 (it gets better on a rewatch)", 4),
        ("4. On a rewatch they gave Casino a 5.", 4),
        ("4, because on a rewatch of Casino they gave it 5", 4),
        ("They gave it a 5, and on a rewatch 4. So 4.", 4),
        ("They rated it 5, on a rewatch 4. My prediction: 3", 3),
        ("4 out of 5, though critics gave it 3 out of 5", 4),
        ("4/5, with 5/5 for acting", 4),
        ("4, maybe 3 on a bad day", 4),
    ],
)
def test_an_occasion_without_a_rating_of_its_own_leaves_the_rating(text: str, value: float) -> None:
    assert read("rating", text, HALVES).value == value
