from pathlib import Path

import pytest

from llmrank.errors import InputError
from llmrank.prompting import (
    check_file,
    describe_templates,
    find_template,
    load_template,
    shipped_folder,
    shipped_path,
    shipped_wordings,
    template_origin,
    template_paths,
)
from llmrank.yaml_text import read_text

from .cases import FRONT


def test_what_lies_nearer_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    text = f"---\n{FRONT.replace('mine', 'palr')}---\n{{% block user %}}x{{% endblock %}}\n"
    assert find_template("palr") == shipped_folder() / "palr.jinja"
    config = tmp_path / "config" / "llmrank" / "prompts"
    for folder in (config, tmp_path / "prompts"):
        folder.mkdir(parents=True)
        (folder / "palr.jinja").write_text(text)
        assert find_template("palr").resolve() == folder / "palr.jinja"
        assert template_paths()["palr"].resolve() == folder / "palr.jinja"
    elsewhere = tmp_path / "elsewhere.jinja"
    elsewhere.write_text(text)
    assert load_template(elsewhere).path == load_template(str(elsewhere)).path == elsewhere


def test_a_byte_order_mark_is_no_part_of_the_text_and_a_name_that_no_file_can_have_is_not_advised(tmp_path: Path):
    text = read_text(find_template("palr"))
    (path := tmp_path / "palr.jinja").write_text("\ufeff" + text)
    assert load_template(path).text == text
    (path := tmp_path / "My prompt.jinja").write_text(text)
    assert [problem.hint for problem in check_file(path)] == ["rename the file to palr.jinja"]


def test_an_unknown_name_brings_the_nearest():
    with pytest.raises(InputError, match="did you mean 'palr'"):
        load_template("parl")
    with pytest.raises(InputError, match="no such template file"):
        load_template("missing/palr.jinja")


def test_all_can_be_loaded_and_say_where_their_words_come_from():
    templates = {one.name: one for one in describe_templates()}
    assert {"palr", "google-few-shot", "liu2023-zero-shot", "rankgpt", "tallrec"} <= templates.keys()
    for one in templates.values():
        assert one.description and one.note and (one.paper or one.wording == "own")
        assert (one.origin, one.problem) == ("shipped", "")
    assert (templates["palr"].ranker, templates["palr"].answer) == ("listwise", "titles, permutation")


def test_a_list_can_be_narrowed_to_a_task_and_a_ranker():
    assert {one.task for one in describe_templates(task="rating")} == {"rating"}
    assert {one.name for one in describe_templates(ranker="first_token")} == {"first-token", "llamarec"}


def test_a_wording_is_named_like_a_prompt_and_is_none_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    name = shipped_wordings()["palr"][0]
    assert template_paths()[name] == find_template(name) == shipped_path(name)
    assert template_origin(load_template(name)) == "shipped" and shipped_path("mine") is None
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / f"{name}.jinja").write_text(load_template(name).text + "{# mine #}\n")
    assert template_origin(load_template(name)) == "edited" and name in {one.name for one in describe_templates()}


def test_an_edited_template_is_told_from_the_one_whose_name_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    shipped = load_template("palr")
    assert template_origin(shipped) == "shipped"
    path = tmp_path / "prompts" / "palr.jinja"
    path.parent.mkdir()
    path.write_text(shipped.text)
    assert template_origin(load_template("palr")) == "shipped"
    path.write_text(shipped.text + "{# mine #}\n")
    assert template_origin(load_template("palr")) == "edited"
    (tmp_path / "prompts" / "mine.jinja").write_text(f"---\n{FRONT}---\n{{% block user %}}x{{% endblock %}}\n")
    assert template_origin(load_template("mine")) == "own"
    (tmp_path / "prompts" / "broken.jinja").write_text("no front matter")
    [broken] = [one for one in describe_templates() if one.name == "broken"]
    assert broken.problem == "no front matter"
