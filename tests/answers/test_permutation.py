import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.answers import answer_format
from llmrank.answers.formats.ranking import by_identifier, read_identifiers
from llmrank.answers.items.identifiers import Identifiers, chain_alone
from llmrank.answers.items.matching import Match
from llmrank.answers.text.blocks import split
from llmrank.types import Outcome, Question, Response
from tests.answers.asking import items, numbered, places, read


@pytest.mark.parametrize(
    ("text", "count", "labels", "expected"),
    [
        ("Here are the 10 passages ranked: [4] > [2] > [1]", 10, "numbers", [4, 2, 1]),
        ("1. [3]\n2. [1]\n3. [2]", 3, "numbers", [3, 1, 2]),
        ("<think>maybe [3]</think> [2] > [1] > [3]", 3, "numbers", [2, 1, 3]),
        ("[11], [3], [2]", 11, "numbers", [11, 3, 2]),
        ("C > A > B", 3, "letters", [3, 1, 2]),
        ("(C), (A), (B)", 3, "letters", [3, 1, 2]),
        ("C A B", 3, "letters", [3, 1, 2]),
        ('```json {"ranking": [3, 1, 2]} ```', 3, "numbers", [3, 1, 2]),
        ("4 > 2 > 1", 4, "numbers", [4, 2, 1]),
        ("4, 2, 1", 4, "numbers", [4, 2, 1]),
        ("4\n2\n1", 4, "numbers", [4, 2, 1]),
        ("1. 3\n2. 1\n3. 2", 3, "numbers", [3, 1, 2]),
        ("1: [3]\n2: [1]", 3, "numbers", [3, 1]),
        ("1) C\n2) A\n3) B", 3, "letters", [3, 1, 2]),
        ("Document 3, Document 1", 3, "numbers", [3, 1]),
        ("Here are the top 3: 4, 2, 1", 5, "numbers", [4, 2, 1]),
        ("Here are the 10 passages ranked: 4 > 2 > 1", 10, "numbers", [4, 2, 1]),
        ("I think it is B", 10, "letters", [2]),
        ("A good ranking is C > A > B", 3, "letters", [3, 1, 2]),
        ("c > a > b", 3, "letters", [3, 1, 2]),
        ("3. Film\n1. Film\n2. Film", 3, "numbers", [3, 1, 2]),
        ("[4] Heat > [2] Alien > [1] Fargo", 4, "numbers", [4, 2, 1]),
        ("1. [3] Heat (similar to [2], [1])\n2. [1] Alien", 3, "numbers", [3, 1]),
        ("[2] > [1] > [3]\n\nExplanation:\n[2] is best because it is like [1].\n[1] is ok", 3, "numbers", [2, 1, 3]),
        ("<think>so</think><answer>[2] > [1]</answer>", 2, "numbers", [2, 1]),
        ("**[2]** > **[1]**", 2, "numbers", [2, 1]),
        ("[1 2 3]", 3, "numbers", [1, 2, 3]),
        ("03 > 01", 3, "numbers", [3, 1]),
    ],
)
def test_the_ranking_expression_is_read(text: str, count: int, labels: str, expected: list[int]) -> None:
    answer = read("permutation", text, numbered(count, labels))
    assert places(answer) == expected
    assert not {**answer.repairs, "missing": 0, "named_beside": 0}.keys() - {"missing", "named_beside"}


def test_duplicates_and_ids_out_of_range_are_counted() -> None:
    answer = read("permutation", "[1] > [2] > [2] > [1]", numbered(3))
    assert (places(answer), answer.repairs) == ([1, 2], {"duplicate": 2, "missing": 1})
    answer = read("permutation", "[7] > [1] > [-1] > [3]", numbered(3))
    assert (places(answer), answer.repairs) == ([1, 3], {"not_a_candidate": 2, "missing": 1})
    answer = read("permutation", "C > Z > A", numbered(3, "letters"))
    assert (places(answer), answer.repairs) == ([3, 1], {"not_a_candidate": 1, "missing": 1})
    assert places(read("permutation", "[0,0,3]", numbered(3))) == [3]


def test_a_list_from_zero_is_recognised_or_refused_but_never_shifted_silently() -> None:
    whole = read("permutation", "[0] > [2] > [1]", numbered(3))
    assert (places(whole), whole.repairs) == ([1, 3, 2], {"zero_based": 1})
    part = read("permutation", "[0] > [2]", numbered(5))
    assert (part.outcome, part.reason) == (Outcome.UNPARSED, "zero_based")
    assert read("permutation", "Doc: 0", numbered(4)).reason == "zero_based"
    zero = Question(items("Alien", "Heat"), ("0", "1"))
    assert places(read("permutation", "[1] > [0]", zero)) == [2, 1]


@pytest.mark.parametrize(
    "between",
    [
        ". Wait, the user hated 3, so it goes last: ",
        "\n\nHmm, but they don't like romance, so let me revise: ",
        "\n\nCorrection, since the user would not enjoy 1:\n",
    ],
)
def test_a_revised_order_of_all_items_is_not_taken_for_exclusions(between: str) -> None:
    assert places(read("permutation", f"[1] > [3] > [2]{between}[2] > [1] > [3]", numbered(3))) == [2, 1, 3]
    assert places(read("permutation", "[3] > [1]\n\nI would not recommend: [2]", numbered(3))) == [3, 1]


@pytest.mark.parametrize("form", ["{}: {} - {}", "[{}] {}: {}/10", "{}. {} (score: {})", "{}) **{}** – {}% – slow"])
def test_scores_that_do_not_fall_are_not_a_ranking(form: str) -> None:
    films = Question(items("Alien", "Heat", "Apollo 13"), ("A", "B", "C"))
    for scores, named in (((7, 9, 5), []), ((5, 7, 9), []), ((9, 9, 7), [1, 2, 3]), ((1, 2, 3), [1, 2, 3])):
        lines = map(form.format, "ABC", ("Alien", "Heat", "Apollo 13"), scores)
        assert places(read("permutation", "\n".join(lines), films)) == named


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[3] > [1] > [2]\n[1] might be even better.", 1),
        ("[3] > [1] > [2]. But what of [1]?", 1),
        ("[1]: crime\n[2]: comedy\n\n[3] > [1] > [2]\nFilm called b is the one to see.", 3),
        ("Here is my ranking of 3 films:\n[3] > [1] > [2]\nEnjoy!", 0),
        ("1. [3] because of the cast\n2. [1] for its wit\n3. [2]", 0),
        ('{"ranking": ["3", "1", "2"], "why": "[3] is a classic"}', 0),
    ],
)
def test_a_ranking_with_candidates_named_beside_it_is_never_ok(text: str, lines: int) -> None:
    answer = read("permutation", text, numbered(3))
    assert (places(answer), answer.repairs.get("named_beside", 0)) == ([3, 1, 2], lines)
    assert answer.outcome == (Outcome.REPAIRED if lines else Outcome.OK)


@pytest.mark.parametrize(
    "said",
    [
        "That is just the order you gave.",
        "I left the list as it was provided.",
        "There is not enough history to rank them.",
    ],
)
def test_the_order_shown_is_not_a_ranking_if_the_answer_says_so(said: str) -> None:
    assert read("permutation", f"[1] > [2] > [3]\n\n{said}", numbered(3)).reason == "ambiguous"
    assert places(read("permutation", f"[1] > [3] > [2]\n\n{said}", numbered(3))) == [1, 3, 2]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (" (where 3 is the least likely and 1 the most likely)", []),
        ("\n\n1 is the best match.", []),
        ("\n3 = worst, 1 = best", []),
        ("\n\n3 is the best, 1 is the worst.", [3, 2, 1]),
        ("\n\nI would not put one above another.", []),
        ("\n\nThey are all about equally relevant.", []),
        ("\n\nIt was not easy to put one above the other.", [3, 2, 1]),
    ],
)
def test_statements_about_the_ends_of_a_list_are_checked(said: str, named: list[int]) -> None:
    assert places(read("permutation", f"3 > 2 > 1{said}", numbered(3))) == named


@pytest.mark.parametrize(("text", "expected"), [("[4] > [", [4]), ("[4] > [1", [4]), ("[4] > [5]", [4, 5])])
@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_a_truncated_order_gives_what_was_complete(text: str, expected: list[int], finish: str) -> None:
    answer = read("permutation", text, numbered(11), finish)
    assert (places(answer), answer.repairs["truncated"]) == (expected, 1)
    assert places(read("json", "[4, 5, 1", numbered(11), finish)) == [4, 5], "it may have become 10"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("I'm sorry, but I can't …", "refusal"),
        ("I like 3 of them", "no_candidate_named"),
        ("None of these.", "no_candidate_named"),
        ("<think>[1] > [2]", "truncated"),
        ("Error code: 429 - try again in 3s", "no_candidate_named"),
    ],
)
def test_unparsed_says_why(text: str, reason: str) -> None:
    answer = read("permutation", text, numbered(10))
    assert (answer.outcome, answer.reason) == (Outcome.UNPARSED, reason)


def test_titles_in_place_of_labels_are_read_and_counted() -> None:
    question = Question(items("Alien (1979)", "Heat (1995)", "Fargo (1996)"), ("1", "2", "3"))
    answer = read("permutation", "1. Fargo (1996)\n2. Alien\n3. Heat", question)
    assert (places(answer), answer.repairs) == ([3, 1, 2], {"title_for_identifier": 3})


@pytest.mark.parametrize(
    "form", ["{n}. {title}", "- {title}", "{n}. **{title}** – fits", "| {n} | {title} |", "{n}\t{title}"]
)
@pytest.mark.parametrize("labels", ["1234", "ABCL"])
def test_a_number_or_a_letter_in_a_title_is_not_an_identifier(form: str, labels: str) -> None:
    titles = ["Sun Lotion SPF 3, 1 L", "L'Oréal Cream SPF 2, 1 L", "Soap A, pack of 2", "Sun Lotion B, SPF 2, 3 oz."]
    text = "\n".join(form.format(n=n, title=titles[at]) for n, at in enumerate((3, 1, 0, 2), 1))
    answer = read("permutation", text, Question(items(*titles), tuple(labels)))
    assert (places(answer), answer.repairs) == ([4, 2, 1, 3], {"title_for_identifier": 4})


def test_shortened_titles_in_place_of_identifiers_are_read() -> None:
    question = Question(items("Philips Sensitive Shampoo, pack of 2", "L'Oréal Pro Hand Cream, 1 L"), ("A", "L"))
    assert places(read("permutation", "1. L'Oréal Pro Hand Cream\n2. Philips Sensitive Shampoo", question)) == [2, 1]


def test_item_ids_and_words_as_labels() -> None:
    films = items("Alien", "Heat", "Fargo")
    assert places(read("permutation", "B00X > A11Y, C22Z", Question(films, ("A11Y", "B00X", "C22Z")))) == [2, 1, 3]
    words = Question(films, ("Apple", "New York", "Plum"))
    assert places(read("permutation", "Plum > apple", words)) == [3, 1]
    assert places(read("permutation", "Plum > New York", words)) == [3, 2]


def test_missing_goes_as_far_as_the_question_asked() -> None:
    assert read("permutation", "[2] > [1]", numbered(5, top=3)).repairs == {"missing": 1}
    assert read("permutation", "[2] > [1] > [3]", numbered(5, top=3)).outcome is Outcome.OK


NAMES = {
    "numbers": [str(number) for number in range(1, 129)],
    "letters": [*string.ascii_uppercase, *(f"A{letter}" for letter in string.ascii_uppercase)],
    "item_id": [str(19 * number**3 + 1) for number in range(60)],
}


@given(st.data())
def test_a_chain_alone_is_read_as_the_stages_read_it(data: st.DataObject) -> None:
    names = NAMES[data.draw(st.sampled_from(sorted(NAMES)))]
    offered = tuple(data.draw(st.lists(st.sampled_from(names), min_size=2, unique=True)))
    some = st.lists(st.sampled_from(offered), min_size=1, unique=True)
    chain = data.draw(some | st.lists(st.sampled_from(names)))
    text = data.draw(st.sampled_from(["", "\n", "  "])) + " > ".join(f"[{one}]" for one in chain) + "\n"
    question = Question(items(*offered), offered, data.draw(st.none() | st.integers(1, 9)))
    found = chain_alone(text, Identifiers.of(question))
    assert (found is not None) == (1 < len(chain) == len({*chain} & {*offered}))
    if found is not None:
        listing = read_identifiers(split(text), text, question)
        assert not listing.ambiguous
        assert [one.match for one in listing.mentions] == [Match((at,), "identifier") for at in found]
        answer = by_identifier(listing.mentions, Response(text), question, text, False)
        assert answer == answer_format("permutation").read(Response(text), question)


@pytest.mark.parametrize(
    "text",
    [
        "[3] > [1] > [2]\n\nI can't say how sure this is.",
        "I don't know this user well.\n[3] > [1] > [2]",
        "[3] > [1] > [2], but I'm not sure.",
        "Suppose that they like crime.\n\n[3] > [1] > [2]",
        "What each of them grossed, its gross at home, decides:\n[3] > [1] > [2]",
        "[3] the crime film\n[1] the comedy\n[2] the strange one\n\n(Turned over: the last of them is what I mean.)",
        "[3] is the one they'd leave for another day, the least of all\n[1] comes next\n[2] is what they want",
        "The end of the evening first: [3], [1], [2]",
        "Each by what its producers paid, a cost they never told: [3], [1], [2]",
    ],
)
def test_a_ranking_with_contradicting_words_around_it_is_never_ok(text: str) -> None:
    answer = read("permutation", text, numbered(3))
    assert (places(answer), answer.outcome, answer.repairs) == ([3, 1, 2], Outcome.REPAIRED, {"commented": 1})


@pytest.mark.parametrize(
    "text",
    [
        "From least to most relevant: [2] < [1] < [3]",
        "[3] > [1] > [2]\n\nLet me know if you'd like another one, or if you need the reasons!",
        "Here is the ranking in JSON format:\n[3] > [1] > [2]",
        "[3]: not for children, but what they like\n[1]: a comedy, if a dark one\n[2]: no crime",
        "From most to least relevant:\n\n[3] > [1] > [2]",
    ],
)
def test_a_known_direction_common_words_and_reasons_leave_a_ranking_ok(text: str) -> None:
    answer = read("permutation", text, numbered(3))
    assert (places(answer), answer.outcome, answer.repairs) == ([3, 1, 2], Outcome.OK, {})


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("[1] is 3rd\n[2] is 1st\n[3] is 2nd", [2, 3, 1]),
        ("Loss per item, smaller is better: [1] 0.4, [2] 0.9, [3] 0.1", [3, 1, 2]),
    ],
)
def test_ranks_and_losses_are_read_in_their_direction(text: str, order: list[int]) -> None:
    answer = read("permutation", text, numbered(3))
    assert (places(answer), answer.outcome) == (order, Outcome.OK)


@pytest.mark.parametrize(
    "text",
    [
        "I understand. I will output identifiers, e.g. [2] > [1] > [3]. Please provide the history.",
        "Ranks for candidates 1 to 3, respectively: 3, 1, 2",
        "If they have seen the first: [2] > [3] > [1]\nIf they have not: [1] > [2] > [3]",
        "My ranking was [2] > [3] > [1], but I take it back.",
    ],
)
def test_lists_that_are_not_the_answer_are_not_read(text: str) -> None:
    assert read("permutation", text, numbered(3)).outcome is Outcome.UNPARSED


def test_lower_case_letters_in_brackets_are_identifiers_after_list_numbers() -> None:
    question = numbered(3, "letters")
    assert places(
        read("permutation", "1. (c) Film called c\n2. (a) Film called a\n3. (b) Film called b", question)
    ) == [3, 1, 2]
    assert places(read("permutation", "  i. (b) Film called b\n ii. (c) Film called c", question)) == [2, 3]


def test_a_word_after_a_chain_is_not_taken_for_its_last_letter() -> None:
    assert (
        read("permutation", "C > B > A. Both orders are equally valid.", numbered(3, "letters")).reason == "ambiguous"
    )


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("1. c — short\n2. a\n3. b — why is book 3 missing?", [3, 1, 2]),
        ("Step 2. Find those with snow: [3] and [2].\nStep 3. [3] before [2].\n\n**Final answer:** 3, 2, 1", [3, 2, 1]),
        ("Ranking: 3 > 1 > 2\n\nI forgot to swap 3 and 1. The ranking should read:\n\n**1 > 3 > 2**", [1, 3, 2]),
    ],
)
def test_the_final_answer_of_a_discussion_is_read(text: str, order: list[int]) -> None:
    assert places(read("permutation", text, numbered(3, "letters" if text.startswith("1. c") else "numbers"))) == order


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("- Hạng 1: Mục 4\n- Hạng 2: Mục 2\n- Hạng 3: Mục 3", [4, 2, 3]),
        ("1순위: 3번\n2순위: 1번\n3순위: 4번", [3, 1, 4]),
        ("أقترح الترتيب التالي: ٢ ثم ١ ثم ٣.", [2, 1, 3]),
    ],
)
def test_ranks_and_items_are_distinguished_in_other_languages(text: str, order: list[int]) -> None:
    assert places(read("permutation", text, numbered(4))) == order


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("C, then A. I would not show B, D or E.", [3, 1]),
        ("C, then A. I wouldn't recommend B, D or E.", [3, 1]),
        ("[C], then [A]. I would not include [B], [D] or [E].", [3, 1]),
    ],
)
def test_what_a_sentence_would_not_show_is_not_ranked(text: str, order: list[int]) -> None:
    letters = Question(items(*(f"Film {letter}" for letter in "ABCDE")), tuple("ABCDE"))
    assert places(read("permutation", text, letters)) == order


def test_a_number_before_then_is_no_list_mark() -> None:
    numbers = Question(items(*(f"Film {letter}" for letter in "ABCDE")), tuple("12345"))
    assert places(read("permutation", "3, then 1, then 2.", numbers)) == [3, 1, 2]


def test_scores_in_a_line_that_ends_in_a_full_stop_decide_the_order() -> None:
    numbers = Question(items(*(f"Film {letter}" for letter in "ABC")), tuple("123"))
    assert places(read("permutation", "Scores out of 100: [1] 42, [2] 77, [3] 18.", numbers)) == [2, 1, 3]


def test_identifiers_described_in_the_order_shown_are_no_ranking() -> None:
    text = "- [1] (weak)\n- [2] (a strong match)\n- [3] (good)"
    assert not read("permutation", text, numbered(3)).ranked
    assert places(read("permutation", "- [3] (a strong match)\n- [1] (good)\n- [2] (weak)", numbered(3))) == [3, 1, 2]
