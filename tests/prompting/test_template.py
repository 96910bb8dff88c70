import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.prompting import PromptTemplate, View
from llmrank.prompting.variables import show_item
from llmrank.types import Case, Event, Item

from .cases import CANDIDATES, FRONT, events, item, listed, rated, shown, template

RATING = "name: mine\ntask: rating\nranker: pointwise\nanswer: rating\n"
TITLES = "{% for event in history %}{{ event.title }};{% endfor %}"


def test_messages_are_system_then_user_and_blocks_are_trimmed():
    made = template("{% block user %}\n\nask {{ n }}\n\n{% endblock %}\n{% block system %}\nbe brief\n{% endblock %}")
    messages = made.render(listed(), made.question(listed()))
    assert [(m.role, m.content) for m in messages] == [("system", "be brief"), ("user", "ask 3")]


@given(st.text(max_size=40).filter(lambda text: text.split()))
def test_an_items_text_is_data_whatever_it_holds(title: str):
    case = Case("u", (), (Item("1", title), Item("2", "{{ 7 * 7 }}<b>&")))
    lines = shown(CANDIDATES, case).split("\n")
    assert lines == [" ".join(title.split()), "{{ 7 * 7 }}<b>&"]


def test_an_attribute_named_like_the_truth_is_never_shown():
    told = Item("1", "A", {"rating": "5", "relevant": "yes", "brand": "X"})
    assert show_item(told, ("rating", "relevant", "brand")).values == {"brand": "X", "title": "A", "item_id": "1"}


def test_a_blank_attribute_is_a_missing_one():
    told = Item("1", "A", {"brand": " \n", "colour": "", "size": " L\nXL "})
    values = show_item(told, ("brand", "colour", "size", "price")).values
    assert values == {"size": "L XL", "title": "A", "item_id": "1"}


def test_json_is_for_a_model_and_not_for_a_browser():
    titles = "Schindler's List", "Amélie & Co", "<b>"
    case = Case("u", (), tuple(Item(str(n), title) for n, title in enumerate(titles)))
    listing = """["Schindler's List", "Amélie & Co", "<b>"]"""
    assert shown("{{ candidates | tojson }}", case) == listing
    assert shown("{{ candidates | map(attribute='title') | list | tojson }}", case) == listing


def test_only_the_newest_events_are_shown_in_the_order_wanted():
    front = FRONT + "history: 2\n"
    assert shown(TITLES, listed(5), front) == "Title 103;Title 104;"
    assert shown(TITLES, listed(5), front, view=View(history=3)) == "Title 102;Title 103;Title 104;"
    assert shown(TITLES, listed(5), front, view=View(history_order="newest-first")) == "Title 104;Title 103;"
    assert shown(TITLES, listed(5), front, view=View(show_history=False)) == ""
    assert shown("{{ newest.title }}", listed(5), front, view=View(history_order="newest-first")) == "Title 104"


def test_a_shuffled_history_has_the_same_events_and_depends_on_the_seed_and_the_user_alone():
    views = [View(history_order="shuffled", seed=seed) for seed in (0, 0, 1)]
    texts = [shown(TITLES, listed(9), view=view) for view in views]
    assert texts[0] == texts[1] != texts[2]
    assert sorted(texts[0].split(";")) == sorted(shown(TITLES, listed(9)).split(";"))


def test_values_are_shown_as_people_write_them():
    case = Case("u", (Event(item(1), 4.0, 874_724_710.0), Event(item(2), 3.5, 0.0)), (item(3),))
    body = "{% for event in history %}{{ event.rating }} {{ event.date }} {{ event.timestamp }};{% endfor %}"
    assert shown(body, case) == "4 1997-09-20 874724710;3.5 1970-01-01 0;"


@pytest.mark.parametrize(
    ("scale", "liked"),
    [((1.0, 5.0), "4 5"), ((0.5, 5.0), "4 5"), ((0.0, 1.0), "1 3 4 5"), ((1.0, 10.0), "")],
)
def test_an_event_is_liked_from_three_quarters_of_the_scale(scale: tuple[float, float], liked: str):
    case = Case("u", tuple(Event(item(n), float(n)) for n in (0, 1, 3, 4, 5)), (item(9),))
    made = template("{% for event in history if event.liked %}{{ event.rating }} {% endfor %}")
    [message] = made.render(case, made.question(case), history_scale=scale)
    assert message.content.strip() == liked
    assert shown("{{ history[0].liked | default('unknown') }}", Case("u", (Event(item(1)),), (item(3),))) == "unknown"


def test_what_the_data_lacks_is_false_and_printing_it_names_the_line_and_the_user():
    case = Case("u9", (Event(item(1)), Event(item(2, genres="Drama"))), (item(3),))
    front = FRONT + "attributes: [genres]\n"
    body = "{% for event in history %}{% if event.genres %}{{ event.genres }}{% else %}none{% endif %};{% endfor %}"
    assert shown(body, case, front) == "none;Drama;"
    with pytest.raises(InputError, match="genres") as caught:
        shown("line\n{{ history[0].genres }}", case, front)
    assert (caught.value.line, caught.value.user) == (10, "u9")
    with pytest.raises(InputError, match="rating"):
        shown("{{ history[0].rating }}", case)


def test_candidates_are_shown_in_the_order_given_with_the_labels_of_the_scheme():
    body = "{% for item in candidates %}{{ item.identifier }}={{ item.title }} {% endfor %}"
    case = replace(listed(), candidates=(item(2), item(0), item(1)))
    assert shown(body, case, FRONT + "ids: numbers\n") == "1=Title 2 2=Title 0 3=Title 1 "
    assert shown(body, case, FRONT + "ids: numbers\n", view=View(ids="letters")) == "A=Title 2 B=Title 0 C=Title 1 "
    made = template(body, FRONT + "ids: item_id\n")
    assert made.question(case).identifiers == ("i2", "i0", "i1")


def test_recall_scores_are_shown_only_when_asked_for():
    body = "{% for item in candidates %}{{ item.title }}{% if item.score %} {{ item.score }}{% endif %};{% endfor %}"
    case = replace(listed(candidates=2), recall_scores=(0.0, 0.123456))
    assert shown(body, case) == "Title 0;Title 1;"
    assert shown(body, case, view=View(show_scores=True)) == "Title 0 0;Title 1 0.1235;"


def test_scores_that_nobody_gave_are_refused_and_an_example_needs_none():
    body = (
        "{% block user %}{% for shot in shots %}{{ shot }} {% endfor %}{% for item in candidates %}"
        "{{ item.title }}{% if item.score %}={{ item.score }}{% endif %} {% endfor %}{% endblock %}"
        "{% block shot %}{% for item in candidates %}{{ item.title }}{{ item.score or '' }};{% endfor %}{% endblock %}"
    )
    view, unscored = View(show_scores=True), listed(candidates=2, history=0)
    with pytest.raises(InputError, match="no recall scores"):
        shown(body, unscored, view=view)
    scored = replace(unscored, recall_scores=(2.0, 1.0))
    assert shown(body, scored, view=view, shots=[unscored]) == "Title 0;Title 1; Title 0=2 Title 1=1 "


def test_a_ranking_prompt_may_ask_on_a_scale_of_its_own():
    body, front = "{{ scale.low }} to {{ scale.high }}", RATING.replace("rating\nranker", "ranking\nranker")
    assert shown(body, rated(), front) == "1 to 5"
    own = template(body, front + "scale: [1, 10]\n")
    assert own.question(rated(), scale=(0.5, 5.0)).scale == (1.0, 10.0)
    assert shown(body, rated(), front + "scale: [1, 10]\n") == "1 to 10"


def test_a_switch_that_the_template_cannot_follow_is_refused():
    for view, words in ((View(show_scores=True), "drop show_scores"), (View(ids="letters"), "drop ids")):
        with pytest.raises(InputError, match=words):
            template(CANDIDATES).question(listed(), view)
    judged = FRONT.replace("titles", "permutation") + "ids: numbers\n"
    with pytest.raises(InputError, match="reads identifiers"):
        template("{{ candidates[0].identifier }}", judged).question(listed(), View(ids="titles"))


def test_top_is_never_more_than_what_is_shown():
    made = template("{{ top }}{{ candidates }}", FRONT + "top: 10\n")
    assert made.question(listed(candidates=3)).top == 3
    assert made.question(listed(candidates=30)).top == 10
    assert template("{{ top }}").question(listed()).top is None
    assert shown("{{ top }} of {{ n }}", listed(candidates=4)) == "4 of 4"


def test_a_rating_prompt_asks_about_the_target_on_the_datas_scale():
    made = template("{{ target.title }} {{ scale.low }} {{ scale.high }}", RATING)
    question = made.question(rated(), scale=(0.5, 5.0))
    assert question.items == (item(7),)
    assert made.render(rated(), question)[0].content == "Title 7 0.5 5"


def test_a_case_of_the_wrong_kind_is_refused():
    with pytest.raises(InputError, match="no target"):
        template("{{ target.title }}", RATING).question(listed())
    with pytest.raises(InputError, match="no candidates"):
        template(CANDIDATES).question(rated())


def test_who_names_freely_sees_no_candidates_and_is_read_against_all():
    made = template("name {{ top }}", FRONT + "candidates: catalogue\ntop: 10\n")
    question = made.question(listed())
    assert (len(question.items), question.identifiers, question.top) == (3, (), 10)
    assert made.render(listed(), question)[0].content == "name 10"


@given(st.booleans(), st.floats(1, 5), st.lists(st.sampled_from(["i0", "i1", "i2"]), max_size=3))
def test_no_prompt_depends_on_the_truth(one_item: bool, rating: float, relevant: list[str]):
    made = template("{{ target.title }}{{ history }}", RATING) if one_item else template(CANDIDATES)
    case = rated() if one_item else listed()
    other = replace(case, rating=rating, relevant=tuple(relevant))
    assert made.question(case) == made.question(other)
    assert made.render(case, made.question(case)) == made.render(other, made.question(other))


def test_shots_show_their_own_history_items_and_answer():
    body = (
        "{% block user %}{% for shot in shots %}{{ shot }} | {% endfor %}{{ target.title }}{% endblock %}"
        "{% block shot %}{{ history | length }} {{ target.title }} = {{ solved }}{% endblock %}"
    )
    solved = Case("other", events(5), target=item(3), rating=2.0)
    assert shown(body, rated(), RATING + "history: 2\n", shots=[solved]) == "2 Title 3 = 2 | Title 7"
    with pytest.raises(InputError, match="without a rating"):
        shown(body, rated(), RATING, shots=[solved.blinded()])
    ranking = (
        "{% block user %}{% for shot in shots %}{{ shot }} | {% endfor %}{{ n }}{% endblock %}"
        "{% block shot %}{{ n }}: {% for item in solved %}{{ item.identifier }} "
        "{{ item.title }}{% endfor %}{% endblock %}"
    )
    solved = Case("other", events(5), (item(3), item(4)), relevant=("i4",))
    assert shown(ranking, listed(), FRONT + "ids: letters\n", shots=[solved]) == "2: B Title 4 | 3"
    with pytest.raises(InputError, match="no block 'shot'"):
        shown(CANDIDATES, shots=[solved])


def test_the_profile_is_shown_and_empty_where_there_is_none():
    body = "[{% if profile %}{{ profile }}{% endif %}]"
    assert (shown(body), shown(body, profile="{{ n }}")) == ("[]", "[{{ n }}]")


def test_macros_outside_the_blocks_serve_all_blocks():
    made = template(
        "{% macro m(x) %}<{{ x }}>{% endmacro %}"
        "{% block system %}{{ m(1) }}{% endblock %}{% block user %}{{ m(n) }}{% endblock %}"
    )
    assert [m.content for m in made.render(listed(), made.question(listed()))] == ["<1>", "<3>"]


@pytest.mark.parametrize(
    "body",
    [
        "{{ history.__class__.__mro__ }}",
        "{{ candidates[0].__init__.__globals__ }}",
        "{{ ''.__class__ }}",
        "{{ candidates[0]['values'] }}",
        "{{ n + history }}",
        "{{ 1 / 0 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ range(10 ** 9) }}",
        # What Python prints with its address, which is another one in every process.
        "{{ candidates | map('upper') }}",
        "{{ history | selectattr('title') | join | length ~ cycler('a') }}",
        "{% macro m() %}x{% endmacro %}{{ m }}",
        "{{ namespace() | string }}",
        "{{ [loop] | tojson if loop is defined else [self] | tojson }}",
        "{{ range }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox_and_its_faults_are_input_errors(body: str):
    with pytest.raises(InputError) as caught:
        shown(body)
    assert caught.value.line is not None


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("{% block user %}\n{{ histroy }}\n{% endblock %}", 8, "did you mean 'history'"),
        ("{% block user %}\n{% if histroy %}x{% endif %}\n{% endblock %}", 8, "did you mean 'history'"),
        (
            "{% block user %}\n{% for e in history %}\n{{ e.tilte }}{% endfor %}{% endblock %}",
            9,
            "did you mean 'title'",
        ),
        ("{% block user %}\n{{ history[0].genres }}{% endblock %}", 8, "attributes: [genres]"),
        ("{% block user %}{{ candidates | map(attribute='rating') | list }}{% endblock %}", 7, "truth"),
        ("{% block user %}{{ case.relevant }}{% endblock %}", 7, "truth"),
        ("{% block user %}{{ relevant }}{% endblock %}", 7, "truth"),
        ("{% block user %}{{ target.title }}{% endblock %}", 7, "not available"),
        ("{% block user %}{{ solved }}{% endblock %}", 7, "not available"),
        ("{% block user %}{{ n }{% endblock %}", 7, "hint"),
        ("{% block user %}{% include 'x' %}{% endblock %}", 7, "self-contained"),
        ("{% block usr %}x{% endblock %}", 7, "did you mean 'user'"),
        ("hello\n{% block user %}x{% endblock %}", 7, "outside"),
        ("{% block system %}x{% endblock %}", 7, "no block 'user'"),
        ("{% block user %}{{ n }}{% endblock %}\n{% block user %}x{% endblock %}", 8, "duplicate block 'user'"),
        ("{% block user %}{% if n > 99 %}\n{{ n | flaot }}{% endif %}{% endblock %}", 8, "did you mean 'float'"),
        ("{% block user %}{% if n > 99 %}\n{{ n is od }}{% endif %}{% endblock %}", 8, "did you mean 'odd'"),
        ("{% block user %}{{ n | centered }}{% endblock %}", 7, "'centered'\n"),
        ("{% block user %}{{ n | attr('x') }}{% endblock %}", 7, "unknown filter 'attr'"),
        ("{% block user %}{% block shot %}x{% endblock %}{% endblock %}", 7, "nested blocks"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_rendered(body: str, line: int, words: str):
    with pytest.raises(InputError) as caught:
        template(body, FRONT)
    # The front matter takes six lines.
    assert caught.value.line == line and words in str(caught.value)


def test_a_rating_prompt_cannot_show_the_targets_rating():
    with pytest.raises(InputError, match=r"target\.rating is the truth") as caught:
        template("line\n{{ target.rating }}", RATING)
    assert caught.value.line == 9


FITTING = (
    "frame\n{% for event in history %}\n{{ event.item_id }}\n{% endfor %}\n"
    "{% for item in candidates %}\n{{ item.item_id }}\n{% endfor %}"
)


def fitted(made: PromptTemplate, case: Case, limit: int) -> list[str]:
    """Return the words of the prompt with as much history as fits, a word being a token."""

    def words(events: int) -> list[str]:
        return made.render(case, made.question(case), view=View(history=events))[0].content.split()

    most = made.shown_events(case, View())
    return words(made.fitting_events(case, most, lambda events: len(words(events)), limit))


@given(st.integers(0, 30), st.integers(4, 40))
def test_what_does_not_fit_costs_the_oldest_events_and_no_more_than_needed(history: int, limit: int):
    case = listed(history)
    kept = min(history, limit - 4)
    ids = [event.item.item_id for event in case.history[history - kept :]]
    assert fitted(template(FITTING), case, limit) == ["frame", *ids, "i0", "i1", "i2"]


def test_dropping_counts_from_what_the_view_shows():
    made = template(FITTING, FRONT + "history: 10\n")
    assert [len(fitted(made, listed(50), limit)) for limit in (14, 11)] == [14, 11]


def test_what_cannot_fit_says_by_how_much():
    with pytest.raises(InputError, match="4 tokens even without history, 2 more than the 2") as caught:
        fitted(template(FITTING), listed(9), 2)
    assert caught.value.user == "u"


def test_a_template_can_be_sent_to_another_process():
    made = template(CANDIDATES)
    copy = pickle.loads(pickle.dumps(made))
    assert copy == made and hash(copy) == hash(made)
    assert copy.render(listed(), copy.question(listed())) == made.render(listed(), made.question(listed()))
