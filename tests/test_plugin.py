"""Packages from outside: whose name it is, and who is blamed. Real modules, real metadata, on the real path."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from llmrank.answers import answer_format, answer_formats
from llmrank.errors import InputError
from llmrank.plugin import find_plugin
from llmrank.prompting import check
from llmrank.rankers import build_ranker, ranker_names
from llmrank.rankers.baselines import RatingMeans
from llmrank.rankers.registry import BASELINES, BUILDERS, BaselineData, build_baseline
from tests.plugins import install
from tests.prompting.cases import CANDIDATES, FRONT, template
from tests.rankers.oracle import prompt

FORMAT = "from llmrank.answers.formats.ranking import Titles\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", answer_formats())
def test_no_answer_format_of_ours_can_be_taken_over(folder, name):
    install(folder, "usurper", FORMAT, f"answers:{name}=usurper:Titles")
    with pytest.raises(InputError, match=r"provided by llmrank and by usurper 1\.0 \(usurper:Titles\)") as caught:
        answer_format(name)
    assert "pip uninstall usurper" in caught.value.hint and answer_formats().count(name) == 1


@pytest.mark.parametrize("name", [*BUILDERS, *BASELINES])
def test_no_ranker_of_ours_can_be_taken_over(folder, name):
    install(folder, "usurper", "", f"rankers:{name}=usurper:build")
    with pytest.raises(InputError, match="provided by llmrank and by usurper"):
        build_ranker(name, prompt("rankgpt"))
    if name in BASELINES:
        with pytest.raises(InputError, match="provided by llmrank and by usurper"):
            build_baseline(name, BaselineData(dict, lambda: RatingMeans.of([])), 0)
    assert ranker_names().count(name) == 1


def test_two_packages_cannot_give_one_name(folder):
    install(folder, "first", FORMAT, "answers:haiku=first:Titles")
    install(folder, "second", FORMAT, "answers:haiku=second:Titles")
    with pytest.raises(InputError, match=r"'haiku' is provided by (first|second) .* and by (first|second) ") as caught:
        answer_format("haiku")
    assert "pip uninstall first" in caught.value.hint and "pip uninstall second" in caught.value.hint


def test_the_linter_knows_what_is_installed(folder):
    near = FRONT.replace("listwise", "listwize").replace("titles", "titels")
    assert "did you mean 'listwise'" in check(template(CANDIDATES, near))[0].problem
    install(folder, "near", FORMAT, "answers:titels=near:Titles", "rankers:listwize=near:build")
    assert check(template(CANDIDATES, near)) == []
    assert check(template(CANDIDATES, FRONT.replace("titles", "titels"))) == []


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("import absent_module\n", "broken_{n}:Titles", ["line 1", "ModuleNotFoundError", "absent_module"]),
        (f"{FORMAT}\n1 / 0\n", "broken_{n}:Titles", ["line 3", "ZeroDivisionError"]),
        ("class Own(Exception):\n    pass\nraise Own('no')\n", "broken_{n}:Titles", ["line 3", "Own: no"]),
        ("def f(:\n", "broken_{n}:Titles", ["SyntaxError", "line 1"]),
        (FORMAT, "broken_{n}:Absent", ["AttributeError", "Absent"]),
        (None, "broken_{n}:Titles", ["ModuleNotFoundError", "broken_"]),
    ],
    ids=["its import", "its module", "an exception of its own", "its syntax", "no such name", "no such module"],
)
@pytest.mark.parametrize("group", ["answers", "rankers"])
def test_a_package_that_cannot_be_loaded_is_named(folder, source, target, says, group):
    package = f"broken_{folder.name}"
    target = target.replace("broken_{n}", package)
    install(folder, package, source, f"{group}:haiku={target}")
    with pytest.raises(InputError) as caught:
        answer_format("haiku") if group == "answers" else build_ranker("haiku", prompt("rankgpt"))
    text = str(caught.value)
    for part in [*says, f"'haiku' of {package} 1.0 ({target}) cannot be loaded", f"pip uninstall {package}"]:
        assert part in text


def test_what_nobody_adds_is_none(folder):
    assert find_plugin("llmrank.rankers", "haiku") is None
    install(folder, "poet", FORMAT, "answers:haiku=poet:Titles")
    plugin = find_plugin("llmrank.answers", "haiku")
    assert plugin is not None and plugin.package == "poet 1.0" and "haiku" in answer_formats()


def test_the_installed_packages_are_looked_through_once(folder, monkeypatch):
    looked = []
    monkeypatch.setattr("llmrank.plugin.entry_points", lambda group: looked.append(group) or entry_points(group=group))
    assert [find_plugin("llmrank.rankers", "haiku") for _ in range(3)] == [None] * 3
    assert looked == ["llmrank.rankers"]
    install(folder, "poet", "", "rankers:haiku=poet:build")
    assert find_plugin("llmrank.rankers", "haiku") is not None, "what is installed meanwhile is found"
