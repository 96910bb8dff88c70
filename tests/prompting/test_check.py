from dataclasses import replace
from pathlib import Path

import pytest

from llmrank.prompting import check, check_file, template_paths
from tests.plugins import install

from .cases import CANDIDATES, FRONT, template

RATING = "name: mine\ntask: rating\nranker: pointwise\nanswer: rating\n"


def found(body: str, front: str = FRONT) -> list[tuple[int, str]]:
    return [(problem.line, problem.problem) for problem in check(template(body, front, strict=False))]


def test_a_good_template_has_no_problems():
    assert found(CANDIDATES) == []
    kept = "{% for i in candidates %}\n- {{ i.title }}{% if i.genres %} {{ i.genres }}{% endif +%}\n{% endfor %}"
    assert found(kept, FRONT + "attributes: [genres]\n") == []
    assert found("- Candidates: {% for item in candidates %}{{ item.title }}; {% endfor %}") == []
    assert found("{{ target.title }}", RATING) == []


@pytest.mark.parametrize("name", template_paths())
def test_every_template_that_comes_with_llmrank_is_well(name: str):
    assert check_file(template_paths()[name]) == []


@pytest.mark.parametrize(
    ("body", "front", "line", "words"),
    [
        (CANDIDATES, FRONT.replace("titles", "rating"), 5, "'rating' does not fit a listwise ranking"),
        ("{{ target.title }}", RATING.replace("answer: rating", "answer: titles"), 5, "does not fit a rating"),
        ("{{ target.title }}", RATING.replace("pointwise", "listwise"), 4, "'listwise' ranks"),
        (CANDIDATES, FRONT.replace("listwise", "listwize"), 4, "did you mean 'listwise'"),
        (CANDIDATES, FRONT.replace("titles", "permutation"), 5, "items have none"),
        (CANDIDATES, FRONT + "ids: letters\n", 6, "no block shows"),
        (CANDIDATES, FRONT.replace("ranker: listwise\n", ""), 3, "needs the key 'ranker'"),
        (CANDIDATES, FRONT.replace("mine", "other"), 2, "not the file's name"),
        (CANDIDATES + "{{ profile }}", FRONT + "profile: palr  # not a task: profile\n", 6, "not a profile prompt"),
        (CANDIDATES, FRONT + "shots: 2\n", 6, "no block 'shot'"),
        (CANDIDATES, FRONT + "profile: palr-profile\n", 6, "no block shows `profile`"),
        (CANDIDATES + "{{ profile }}", FRONT + "profile: palr-profil\n", 6, "did you mean 'palr-profile'"),
        (CANDIDATES + "{{ profile }}", FRONT + "profile: palr\n", 6, "not a profile prompt"),
        (
            "x",
            FRONT.replace("titles", "permutation") + "candidates: catalogue\n",
            6,
            "names items freely must answer with titles",
        ),
        ("{{ n }} candidates", FRONT, 7, "the prompt does not show 12 of 12 candidates"),
        (
            CANDIDATES + "[{{ candidates[0].identifier }}] > …",
            FRONT.replace("titles", "permutation") + "ids: numbers\n",
            8,
            "the prompt shows 11 of 12 candidates without the identifier",
        ),
        ("{% for i in candidates | reverse %}{{ i.title }}{% endfor %}", FRONT, 7, "not in the order given"),
        (
            "{% for i in candidates %}\n- {{ i.title }}{% if i.genres %} {{ i.genres }}{% endif %}\n{% endfor %}",
            FRONT + "attributes: [genres]\n",
            8,
            "several candidates are on one line of a list",
        ),
        (
            "{% for i in candidates %}{{ i.title }} {{ i.genres }}\n{% endfor %}",
            FRONT + "attributes: [genres]\n",
            9,
            "an item or event may have no 'genres'",
        ),
        (
            "{% for i in candidates %}{{ i.title }}{% if i.stars %}{{ i.stars ~ i.price }}{% endif %}\n{% endfor %}",
            FRONT + "attributes: [stars, price]\n",
            9,
            "an item or event may have no 'price'",
        ),
        (CANDIDATES + "{{ candidates[0].item_id == 'c000x' }}", FRONT, 7, "changes more than their order"),
        (
            "{{ (history | first).title if history else 0 }}" + CANDIDATES,
            FRONT + "history: 5\n",
            8,
            "the newest event is not shown",
        ),
        ("{{ n }}", RATING, 8, "not available"),
        ("a {{ scale.low }}", RATING, 7, "the item asked about is not shown"),
        ("{{ target.title }}", RATING + "scale: [1, 10]\n", 6, "uses the scale of the data"),
        (CANDIDATES, FRONT + "scale: [10, 1]\n", 6, "the lowest value must be below the highest"),
        ("{% for e in history %}{{ e.rating }}{% endfor %}" + CANDIDATES, FRONT, 8, "rating"),
        ("{{ history.title }}" + CANDIDATES, FRONT, 8, "history is a list of event"),
        ("{{ newest.title }}" + CANDIDATES, FRONT, 8, "title"),
        ("{{ newest }}" + CANDIDATES, FRONT, 8, "cannot be printed"),
        (CANDIDATES, FRONT + "attributes: [score]\n", 6, "'score' is reserved"),
        (CANDIDATES, FRONT + "attributes: [year, rating]\n", 6, "'rating' is reserved"),
        (
            "{% block user %}" + CANDIDATES + "{% endblock %}{% block shot %}x{% endblock %}",
            FRONT,
            8,
            "no block shows `shots`",
        ),
        (
            "{% block user %}{{ shots | join }}{{ target.title }}{% endblock %}{% block shot %}x{% endblock %}",
            RATING.replace("task: rating", "task: ranking").replace("answer: rating", "answer: yes_no"),
            7,
            "has no solved examples",
        ),
    ],
)
def test_a_fault_is_found_with_its_line(body: str, front: str, line: int, words: str):
    problems = found(body, front)
    assert any(at == line and words in message for at, message in problems), problems


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ("numbers", "{{ i.identifier | int }}"),
        ("numbers", "{{ '%02d' | format(i.identifier | int) }}"),
        ("letters", "{{ i.identifier | upper }}"),
        ("letters", "{{ i.identifier | replace(' ', '') }}"),
    ],
)
@pytest.mark.parametrize(
    "line", ('[SHOWN] "{{ i.title }}"\n', '"{{ i.title }}": SHOWN\n', 'title: "{{ i.title }}"\n  id: SHOWN\n')
)
def test_identifiers_may_be_shown_in_any_form_and_place(ids: str, shown: str, line: str):
    body = "{% for i in candidates %}" + line.replace("SHOWN", shown) + "{% endfor %}"
    problems = found(body, FRONT.replace("titles", "permutation") + f"ids: {ids}\n")
    assert not any("without the identifier" in message for _, message in problems), problems


def test_a_history_that_no_memory_could_hold_is_checked_with_a_part_of_it():
    shows = "{% for event in history %}{{ event.title }}{% endfor %}" + CANDIDATES
    assert found(shows, FRONT + f"history: {10**20}\n") == []


def test_all_faults_of_a_file_are_reported_at_once(tmp_path: Path):
    path = tmp_path / "mine.jinja"
    path.write_text(f"---\n{FRONT}---\n{{% block user %}}\n{{{{ a }}}}\n{{{{ b }}}}\n{{% endblock %}}\n")
    assert [problem.line for problem in check_file(path)] == [8, 9]
    path.write_text("---\nname: mine\n")
    assert [problem.line for problem in check_file(path)] == [1]
    path.write_bytes(f"---\n{FRONT}---\n{{% block user %}}\ncaf\xe9".encode("latin-1"))
    assert [(problem.line, problem.problem) for problem in check_file(path)] == [(8, "not UTF-8")]


def test_a_ranker_or_answer_of_another_package_is_let_be_if_it_is_installed(tmp_path: Path, monkeypatch):
    front = FRONT.replace("listwise", "mystery").replace("titles", "haiku")
    assert found(CANDIDATES, front) == [
        (4, "unknown ranker 'mystery': not one of the installed rankers that use a prompt"),
        (5, "unknown answer format 'haiku': not one of the installed formats"),
    ]
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "mysteries", "", "rankers:mystery=mysteries:Mystery", "answers:haiku=mysteries:Haiku")
    assert found(CANDIDATES, front) == []
    assert found(CANDIDATES, FRONT.replace("listwise", "mystery").replace("titles", "mystery")) == [
        (5, "unknown answer format 'mystery': not one of the installed formats")
    ]
    assert (
        "unknown ranker 'lisstwise'; did you mean 'listwise'?"
        in found(CANDIDATES, FRONT.replace("list", "lisst"))[0][1]
    )


def test_an_override_of_the_front_matter_is_checked_too():
    made = template(CANDIDATES)
    wrong = replace(made, front=made.front.model_copy(update={"answer": "rating"}))
    assert "does not fit" in check(wrong)[0].problem
