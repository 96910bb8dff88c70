from pathlib import Path

import pytest

from llmrank.errors import InputError
from llmrank.prompting import find_template, load_template, load_templates, shipped_folder, template_paths

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


def test_an_unknown_name_brings_the_nearest():
    with pytest.raises(InputError, match="did you mean 'palr'"):
        load_template("parl")
    with pytest.raises(InputError, match="no such template file"):
        load_template("missing/palr.jinja")


def test_all_can_be_loaded_and_say_where_their_words_come_from():
    templates = list(load_templates())
    assert {"palr", "google-few-shot", "liu2023-zero-shot", "rankgpt", "tallrec"} <= {one.name for one in templates}
    for one in templates:
        assert one.front.description and (one.front.provenance.paper or one.front.provenance.wording == "own")
        assert one.front.provenance.note
