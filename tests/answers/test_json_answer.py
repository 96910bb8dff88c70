import pytest

from llmrank.types import Outcome, Question
from tests.answers.asking import items, numbered, places, read

FILMS = items("Alien (1979)", "Heat (1995)", "Good, the Bad and the Ugly, The (1966)")
BY_NUMBER = Question(FILMS, ("1", "2", "3"))
BY_TITLE = Question(FILMS)


@pytest.mark.parametrize("question", [BY_NUMBER, BY_TITLE])
@pytest.mark.parametrize(
    "text",
    [
        '{"ranking": [3, 1, 2]}',
        '{"candidates": [1, 2, 3], "ranking": [3, 1, 2]}',
        "[3, 1, 2]",
        '["3", "1", "2"]',
        'Here it is:\n```json\n{"ranking": [3, 1, 2]}\n```\nDone.',
        '["The Good, the Bad and the Ugly", "Alien", "Heat"]',
        '["i3", "i1", "i2"]',
        '[{"id": 3}, {"id": 1}, {"id": 2}]',
        '{"items": [{"title": "Heat", "rank": 3}, {"title": "Alien", "rank": 2}, {"id": "i3", "rank": 1}]}',
        '<think>[1, 2]</think>{"reason": "crime", "ranking": [3, 1, 2]}',
    ],
)
def test_arrays_of_labels_ids_and_titles(text: str, question: Question) -> None:
    answer = read("json", text, question)
    assert (places(answer), answer.outcome) == ([3, 1, 2], Outcome.OK)


def test_numbers_are_identifiers_even_if_a_title_is_a_number() -> None:
    films = items("A (1979)", "9 (2009)", "Heat (1995)", "1984 (1984)")
    answer = read("json", "[3, 1, 2, 4]", Question(films))
    assert (places(answer), answer.outcome) == ([3, 1, 2, 4], Outcome.OK)


def test_repairs_are_counted() -> None:
    assert read("json", "[1, 1, 9]", BY_NUMBER).repairs == {"duplicate": 1, "not_a_candidate": 1, "missing": 2}
    assert read("json", '["Alien", "Fargo"]', BY_TITLE).repairs == {"not_a_candidate": 1, "missing": 2}
    assert read("json", "[0, 2, 1]", BY_NUMBER).repairs == {"zero_based": 1}


def test_invalid_json_is_read_and_counted() -> None:
    for finish in ("length", "content_filter"):
        cut = read("json", '["Alien (1979)", "Heat (1995)", "Good, the B', BY_TITLE, finish)
        assert (places(cut), cut.repairs) == ([1, 2], {"truncated": 1, "missing": 1, "not_json": 1})
    assert places(read("json", "['Heat (1995)', 'Alien (1979)']", BY_TITLE)) == [2, 1]
    assert read("json", "3 > 1 > 2", BY_NUMBER).repairs == {"not_json": 1}


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("[]", "no_candidate_named"), ("I'm sorry.", "refusal")])
def test_unparsed_says_why(text: str, reason: str) -> None:
    assert read("json", text, BY_NUMBER).reason == reason


def test_model_output_is_parsed_and_never_executed() -> None:
    assert read("json", "__import__('os').abort()", numbered(3)).outcome is Outcome.UNPARSED


SONGS = items("Hello - Adele", "Hello - Lionel Richie", "Creep - Radiohead", "1979 - The Smashing Pumpkins")


@pytest.mark.parametrize("key", ["title", "track"])
def test_a_creator_in_another_field_tells_songs_of_one_name_apart(key: str) -> None:
    records = (("Creep", "Radiohead"), ("Hello", "Lionel Richie"), ("1979", "The Smashing Pumpkins"))
    lines = [f'{{"artist": "{artist}", "{key}": "{work}"}}' for work, artist in records]
    for text in ("\n".join(lines), f"[{', '.join(lines)}]"):
        assert places(read("json", text, Question(SONGS))) == [3, 2, 4]


def test_records_with_unescaped_quotation_marks_in_their_remarks_are_read_in_full() -> None:
    text = """[
      {"title": "Heat (1995)", "reason": "They gave "Con Air" 5 stars"},
      {"title": "Alien (1979)", "reason": "More tense than "Aliens", more space"},
      {"title": "The Good, the Bad and the Ugly", "reason": "A western"}
    ]"""
    assert places(read("json", text, BY_TITLE)) == [2, 1, 3]


def test_keys_that_count_are_ranks_if_the_titles_beside_them_are_of_other_items() -> None:
    text = '{"2": "Alien (1979)", "1": "Heat (1995)", "3": "The Good, the Bad and the Ugly"}'
    assert places(read("json", text, BY_NUMBER)) == [2, 1, 3]
    from_zero = '{"0": "Alien (1979)", "1": "Heat (1995)", "2": "The Good, the Bad and the Ugly"}'
    assert places(read("json", from_zero, BY_TITLE)) == [1, 2, 3]


def test_comments_in_python_name_no_item() -> None:
    lines = ("ranked = [", "    'Heat',  # before Alien", "    'Alien',", "    # 'The Good, the Bad and the Ugly'", "]")
    text = "\n".join(("```python", *lines, "```"))
    assert places(read("json", text, BY_TITLE)) == [2, 1]


def test_an_entry_that_is_commented_out_is_not_ranked() -> None:
    text = "recommendations = [\n    'Heat',\n    # 'The Good, the Bad and the Ugly',  too long\n    'Alien',\n]"
    assert places(read("json", text, BY_TITLE)) == [2, 1]


def test_a_complete_list_replaces_one_that_left_items_out() -> None:
    text = '["Heat"]\n\nOops, I left out half of the candidates. Here is the complete list:\n\n["Alien", "Heat"]'
    assert places(read("json", text, BY_TITLE)) == [1, 2]


def test_the_numbers_of_an_error_are_no_identifiers() -> None:
    text = '{"error": {"message": "maximum context length is 4096 tokens", "type": "invalid_request_error", "code": 2}}'
    assert read("json", text, BY_NUMBER).reason == "no_candidate_named"


@pytest.mark.parametrize("name", ["cluster_{}", "Group {}", "{}"])
def test_lists_numbered_otherwise_than_they_stand_have_two_orders(name: str) -> None:
    falling, rising = (f'{{"{name.format(one)}": [1, 3], "{name.format(two)}": [2]}}' for one, two in ((2, 1), (1, 2)))
    assert read("json", falling, BY_NUMBER).reason == "ambiguous"
    assert places(read("json", rising, BY_NUMBER)) == [1, 3, 2]
