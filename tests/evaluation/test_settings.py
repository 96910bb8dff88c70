"""Settings: written once, and the same for the command line, the environment, a file, and Python."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner

import llmrank as lr
from llmrank.cli.options import DECLARATIONS, HELP_OFF, config_option, option_name, settings_from, settings_options
from llmrank.errors import InputError
from llmrank.evaluation.method import MadeRanker, asked_template
from llmrank.evaluation.settings import (
    CaseSettings,
    Limits,
    ModelSettings,
    PromptSettings,
    ScaleSettings,
    ScoreSettings,
    flat,
    gather,
    settings_of,
    split_settings,
)
from llmrank.evaluation.setup import Setup
from llmrank.prompting import View
from llmrank.rankers.baselines import Oracle
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.registry import RankerOptions
from llmrank.types import Thinking

RECORDS = (CaseSettings, PromptSettings, ModelSettings, Limits, ScaleSettings, ScoreSettings)


@pytest.mark.parametrize("record", RECORDS)
def test_every_setting_has_a_help_text(record: type) -> None:
    assert [setting.name for setting in settings_of(record) if not setting.help] == []


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_gathered_from_nothing_has_its_defaults(record: type) -> None:
    assert gather(record, {}) == record()
    assert gather(record, {setting.name: None for setting in settings_of(record)}) == record()


def test_no_name_is_a_setting_of_two_records_of_one_verb() -> None:
    for records in ((CaseSettings, PromptSettings, ModelSettings, Limits), (PromptSettings, ModelSettings, Limits)):
        names = [setting.name for record in records for setting in settings_of(record)]
        assert len(names) == len(set(names))


def test_settings_within_a_record_reach_the_record_that_holds_them() -> None:
    made = gather(PromptSettings, {"ids": "letters", "window": 7, "shots": 2})
    assert (made.view.ids, made.options.window, made.shots) == ("letters", 7, 2)
    assert flat(made)["window"] == 7 and flat(made)["history"] is None


def test_inner_settings_are_those_of_their_records() -> None:
    names = {setting.name for setting in settings_of(PromptSettings)}
    elsewhere = {"seed", "first", "labels"}
    assert {one.name for one in fields(View)} - elsewhere <= names
    assert {one.name for one in fields(RankerOptions)} - elsewhere <= names


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"windw": 3}, "did you mean 'window'"),
        ({"window": 1}, "window"),
        ({"shots": -1}, "shots"),
        ({"ids": "roman"}, "ids"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        gather(PromptSettings, values)


def test_a_setting_of_no_record_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'base_url'"):
        split_settings({"base_urll": "x"}, PromptSettings, ModelSettings)


def test_what_stands_beside_the_settings_is_named_too() -> None:
    with pytest.raises(InputError, match="did you mean 'measures'"):
        lr.evaluate([], **cast("Any", {"measure": "MRR"}))
    with pytest.raises(InputError, match="did you mean 'deadline'"):
        lr.Reranker(dead_line=1)
    with pytest.raises(InputError, match="did you mean 'out'"):
        lr.rerank([], **cast("Any", {"ouput": "x"}))


def test_a_class_in_the_place_of_an_object_is_refused() -> None:
    with pytest.raises(InputError, match=r"'ranker': .*got the class Oracle\n.*make an instance: Oracle\(…\)"):
        Setup.of(ranker=cast("Any", Oracle))


def command() -> tuple[click.Command, dict[str, object]]:
    got: dict[str, object] = {}

    @click.command()
    @settings_options(CaseSettings, "data")
    @settings_options(PromptSettings, "prompt")
    def verb(**values: object) -> None:
        got["prompt"] = settings_from(PromptSettings, values)
        got["cases"] = settings_from(CaseSettings, values)
        assert not values

    return verb, got


def test_options_and_variables_are_derived_from_the_fields() -> None:
    verb, got = command()
    line = [
        "--no-history",
        "--ids",
        "words",
        "--window",
        "9",
        "--column",
        "user=uid",
        "--column",
        "item=iid",
        "-k",
        "7",
    ]
    ran = CliRunner().invoke(verb, line, env={"LLMRANK_USERS": "12", "LLMRANK_SORT_TOP": "3"}, catch_exceptions=False)
    assert ran.exit_code == 0
    prompt, cases = got["prompt"], got["cases"]
    assert isinstance(prompt, PromptSettings) and isinstance(cases, CaseSettings)
    assert (prompt.view.show_history, prompt.view.ids, prompt.options.window) == (False, "words", 9)
    assert (cases.columns, cases.k, cases.users, prompt.options.sort_top) == (("user=uid", "item=iid"), 7, 12, 3)


@pytest.mark.parametrize(("value", "shown"), [("true", False), ("1", False), ("false", True)])
def test_a_switch_turns_its_setting_off_wherever_it_is_given(tmp_path: Path, value: str, shown: bool) -> None:
    verb, got = command()
    config = tmp_path / "run.yaml"
    config_option(verb)
    config.write_text(f"no_history: {value}\n")
    for line, variables in ((["--config", str(config)], {}), ([], {"LLMRANK_NO_HISTORY": value})):
        ran = CliRunner().invoke(verb, line, env=variables, catch_exceptions=False)
        assert ran.exit_code == 0 and got["prompt"] == PromptSettings(view=View(show_history=shown))


def test_without_options_the_command_line_has_the_defaults_of_the_records() -> None:
    verb, got = command()
    assert CliRunner().invoke(verb, [], catch_exceptions=False).exit_code == 0
    assert got == {"prompt": PromptSettings(), "cases": CaseSettings()}


def test_help_shows_what_stands_at_the_field() -> None:
    verb, _ = command()
    shown = " ".join(CliRunner().invoke(verb, ["--help"], terminal_width=200).output.split())
    for setting in (*settings_of(CaseSettings), *settings_of(PromptSettings)):
        assert option_name(setting.name) in shown
        assert " ".join(HELP_OFF.get(setting.name, setting.help).split()) in shown


def test_renamed_options_are_those_of_settings() -> None:
    names = {setting.name for record in RECORDS for setting in settings_of(record)}
    assert set(DECLARATIONS) <= names
    assert {one.name for record in RECORDS for one in settings_of(record) if one.default is True} == set(HELP_OFF)


def test_paths_are_kept_as_text_for_json() -> None:
    assert flat(ModelSettings(store=Path("a/b.sqlite")))["store"] == "a/b.sqlite"


def test_what_is_said_of_every_call_is_said_of_the_one_for_a_profile_too() -> None:
    asking = lr.make_ranker("listwise", "palr", thinking="on", extra_body='{"seed_of_my_own": 7}')
    assert isinstance(asking, MadeRanker) and isinstance(asking.ranker, Listwise)
    asked = asking.ranker.prompt
    profile = asked.profile
    assert profile is not None
    for front in (asked.template.front, profile.template.front):
        assert front.thinking.on and front.extra_body == {"seed_of_my_own": 7}


@pytest.mark.parametrize(
    ("given", "thinking"), [(False, Thinking()), (True, Thinking(True)), (512, Thinking(True, 512))]
)
def test_reasoning_and_a_body_are_given_as_python_has_them(given: object, thinking: Thinking) -> None:
    settings = gather(PromptSettings, {"prompt": "palr", "thinking": given, "extra_body": {"min_p": 0.1}})
    template = asked_template(settings)
    assert template is not None
    assert (template.front.thinking, template.front.extra_body) == (thinking, {"min_p": 0.1})


def test_a_temperature_has_a_number() -> None:
    with pytest.raises(InputError, match="temperature"):
        gather(PromptSettings, {"temperature": float("inf")})


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ('{"user": "sk-1234567890"}', "contains the endpoint's key"),
        ('{"headers": {"X-Api-Token": "abc"}}', "would be stored with every answer"),
        ('{"min_p": 0.1, "min_p": 0.2}', "'min_p' is given twice"),
        ('{"include_stop_token": true}', None),
        ('{"user": "none"}', None),
    ],
)
def test_a_key_is_not_sent_where_answers_would_keep_it(
    extra: str, says: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890")
    settings = PromptSettings(extra_body=extra)
    if says is None:
        assert asked_template(settings).front.extra_body
    else:
        with pytest.raises(InputError, match=says):
            asked_template(settings)


def test_a_folder_of_candidate_files_and_a_model_without_a_name_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "candidates.parquet").mkdir()
    with pytest.raises(InputError, match="expected a candidate file, got a folder"):
        lr.load_cases(tmp_path / "candidates.parquet")
    with pytest.raises(InputError, match="the name of the model is empty"):
        lr.Reranker("rankgpt", model=" ", base_url="http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"users": -4}, "expected an integer of at least 0, got -4"),
        ({"k": "many"}, "expected an integer of at least 1, got 'many'"),
        ({"force_target": "yes please"}, "expected true or false, got 'yes please'"),
        ({"split": 3}, "expected text, got 3"),
        ({"columns": 5}, "expected a list, got 5"),
    ],
)
def test_a_wrong_number_or_switch_is_told_what_is_expected(values: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        gather(CaseSettings, values)
