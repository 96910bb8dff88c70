import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmrank.cli.prompts import prompts
from llmrank.engine import estimated_tokens
from llmrank.errors import InputError
from llmrank.prompting import check_file, shipped_folder, shipped_wordings, template_paths
from llmrank.types import Message


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a candidate file of four users, and no templates of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path / "cache"))
    rows = [
        {
            "user_id": f"{user}",
            "history": [
                {"item_id": f"h{n}", "title": f"Seen {n}", "rating": 4, "timestamp": n} for n in range(user + 2)
            ],
            "candidates": [{"item_id": f"c{n}", "title": f"Offer {n}", "score": 1 / (n + 1)} for n in range(5)],
            "relevant": ["c2"],
        }
        for user in range(40, 44)
    ]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ratings = [
        {
            "user_id": row["user_id"],
            "history": row["history"],
            "target": {"item_id": "t", "title": "PreparedRequest"},
            "rating": 3,
        }
        for row in rows
    ]
    (tmp_path / "ratings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ratings))
    return tmp_path


def run(*arguments: str, **options: object) -> Result:
    result = CliRunner().invoke(prompts, arguments, **options)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_list_shows_all_with_their_provenance(folder: Path):
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    wordings = {name for names in shipped_wordings().values() for name in names}
    assert rows.keys() == template_paths().keys() - wordings >= {"palr", "google-zero-shot"}
    assert rows["palr-recommend"]["wording"] == "verbatim"
    assert (rows["palr"]["wording"], rows["palr"]["task"]) == ("reconstructed", "ranking")
    assert "google-few-shot" in run("list", env={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize("columns", [80, 200])
def test_a_list_fits_the_terminal_and_says_all(folder: Path, columns: int):
    shown = run("list", "--long", env={"COLUMNS": str(columns)}).stdout
    texts = [text for row in json.loads(run("list", "--json").stdout) for text in (row["description"], row["ranker"])]
    together = "".join(shown.split())
    assert [text for text in texts if "".join(text.split()) not in together] == []
    own = [line for line in shown.splitlines() if "/" not in line]  # a path has no place to break at
    assert max(map(len, own)) <= columns


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_list_has_one_line_per_template_with_its_whole_name(folder: Path, columns: int):
    lines = run("list", env={"COLUMNS": str(columns)}).stdout.splitlines()
    names = [row["name"] for row in json.loads(run("list", "--json").stdout)]
    assert [line.split()[0] for line in lines] == names and max(map(len, lines)) <= columns


def test_list_of_what_there_is_not_brings_the_nearest(folder: Path):
    with pytest.raises(InputError, match="did you mean 'listwise'"):
        run("list", "--ranker", "listwize")
    with pytest.raises(InputError, match="did you mean 'ranking'"):
        run("list", "--task", "rankng")


def test_list_survives_a_broken_template(folder: Path):
    (folder / "prompts").mkdir()
    (folder / "prompts" / "bad.jinja").write_text("no front matter")
    [row] = [row for row in json.loads(run("list", "--json").stdout) if row["name"] == "bad"]
    assert row["problem"] == "no front matter"
    text = (shipped_folder() / "rankgpt.jinja").read_text()
    (folder / "prompts" / "bad.jinja").write_text(re.sub(r"(?m)^answer: .*$", "answer: permutatoin", text))
    assert "broken: " in run("list").stdout


def test_show_prints_the_file_and_the_variables(folder: Path):
    assert run("show", "palr").stdout == (shipped_folder() / "palr.jinja").read_text()
    text = run("show", "--variables").stdout
    assert all(word in text for word in ("history", "candidates", "event.rating", "domain.past", "sampling"))
    assert run("show").exit_code == 2


def test_new_begins_a_template_that_is_well(folder: Path):
    path = folder / run("new", "mine").stdout.strip()
    assert path == folder / "prompts" / "mine.jinja"
    assert check_file(path) == []
    assert run("check", "mine").exit_code == 0
    with pytest.raises(InputError, match="already exists"):
        run("new", "mine")
    with pytest.raises(InputError, match="name"):
        run("new", "Not A Name")
    assert [one.name for one in path.parent.iterdir()] == ["mine.jinja"]
    assert '- "Offer 3"' in run("render", "mine", "--data", "cases.jsonl").stdout
    assert "] " in run("render", "mine", "--data", "cases.jsonl", "--ids", "letters").stdout


def test_new_takes_no_place_of_another_and_edit_opens_a_path_itself(folder: Path):
    with pytest.raises(InputError, match="llmrank ships"):
        run("new", "palr")
    with pytest.raises(InputError, match="llmrank ships"):
        run("new", "palr-terse")
    assert run("new", "own.jinja").output == "prompts/own.jinja\n"
    edited = run("edit", "prompts/own.jinja", env={"EDITOR": "true"})
    assert edited.exit_code == 0 and [path.name for path in folder.rglob("*.jinja")] == ["own.jinja"]


def test_edit_copies_once_opens_the_editor_and_checks(folder: Path):
    editor = folder / "editor.sh"
    editor.write_text("#!/bin/sh\necho '{% block system %}{{ histroy }}{% endblock %}' >> \"$1\"\n")
    editor.chmod(0o755)
    result = run("edit", "palr", env={"EDITOR": str(editor), "VISUAL": str(editor)})
    path = folder / "prompts" / "palr.jinja"
    assert path.read_text().startswith((shipped_folder() / "palr.jinja").read_text())
    assert result.exit_code == 2 and "did you mean 'history'" in result.stdout
    lines = len(path.read_text().splitlines())
    run("edit", "palr", env={"EDITOR": str(editor), "VISUAL": str(editor)})
    assert len(path.read_text().splitlines()) == lines + 1


def test_edit_with_an_editor_that_there_is_not_leaves_no_copy(folder: Path):
    result = run("edit", "palr", env={"EDITOR": "nonexistent-editor", "VISUAL": "nonexistent-editor"})
    assert result.exit_code == 1 and "Editing failed" in result.output
    assert not (folder / "prompts" / "palr.jinja").exists()


def test_check_names_file_and_line_and_fails(folder: Path):
    assert run("check", "--all").exit_code == 0
    run("new", "mine")
    path = folder / "prompts" / "mine.jinja"
    path.write_text(path.read_text().replace("event.title", "event.titel"))
    result = run("check", "mine")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), start=1) if "titel" in text)
    assert result.exit_code == 2
    assert f"prompts/mine.jinja:{line}: event.titel: an event has no 'titel'; did you mean 'title'?" in result.stdout
    assert run("check").exit_code == 2
    with pytest.raises(InputError, match="did you mean 'mine'"):
        run("check", "mien")


def test_check_reads_an_answer_back_as_eval_does(folder: Path):
    text = (shipped_folder() / "palr.jinja").read_text().replace("name: palr", "name: mine")
    (folder / "prompts").mkdir()
    (folder / "prompts" / "mine.jinja").write_text(re.sub(r"(?m)^answer: .*$", "answer: json", text))
    result = run("check", "mine", "palr")
    assert result.exit_code == 2 and "2 checked, 1 problem" in result.stderr
    assert "which the format 'json' does not read in full" in result.stdout


def test_render_shows_the_messages_the_tokens_and_the_shared_prefix(folder: Path):
    result = run("render", "palr", "--user", "42", "--data", "cases.jsonl", "--profile", "WAR")
    assert result.stdout.startswith("[user]\nTask Instruction: Recommend 5 other items")
    assert '"Seen 43"' in result.stdout and '"Seen 23"' not in result.stdout and "WAR" in result.stdout
    assert "estimated: one token per four letters" in result.stderr and "the prompt of user 43" in result.stderr
    value = json.loads(run("render", "palr", "--user", "42", "--data", "cases.jsonl", "--json").stdout)
    [message] = value["messages"]
    shared = value["shared_prefix"]
    assert "(the answer to palr-profile, which is not in the Store)" in message["content"]
    assert value["tokens"] == estimated_tokens([Message("user", message["content"])])
    assert 0 < shared["characters"] < shared["of"] == len("[user]\n" + message["content"])
    for switch in (("--no-profile",), ("--no-history",), ("--history", "0")):
        assert "keywords" not in run("render", "palr", "--data", "cases.jsonl", *switch).stdout


def test_render_shows_a_sort_that_starts_from_the_recall_order_without_scores(folder: Path):
    lines = (folder / "cases.jsonl").read_text()
    (folder / "ids.jsonl").write_text(re.sub(r', "score": [\d.]+', "", lines))
    options = ("--ranker", "pairwise", "--sort", "insertion")
    shown = run("render", "pairwise", *options, "--data", "ids.jsonl").stdout
    assert shown.count("Offer") >= 2 and shown == run("render", "pairwise", *options, "--data", "cases.jsonl").stdout


def test_render_of_a_user_does_not_depend_on_who_else_is_there(folder: Path):
    before = run("render", "palr", "--user", "42", "--data", "cases.jsonl").stdout
    rows = (folder / "cases.jsonl").read_text().splitlines(keepends=True)
    (folder / "fewer.jsonl").write_text("".join(rows[:0:-1]))
    assert run("render", "palr", "--user", "42", "--data", "fewer.jsonl").stdout == before
    assert run("render", "palr", "--user", "42", "--data", "cases.jsonl", "--seed", "1").stdout != before


def test_render_of_one_item_prompts_shares_with_the_next_item_of_the_user(folder: Path):
    result = run("render", "pointwise-yes-no", "--user", "41", "--data", "cases.jsonl")
    assert result.stdout.count("Offer") == 1 and "the same user's next call" in result.stderr
    rating = run("render", "google-few-shot", "--user", "41", "--data", "ratings.jsonl", "--shots", "2").stdout
    assert rating.count("Rating: 4\n\nItems the user has rated") == 2 and "Title: PreparedRequest" in rating
    assert "Rating: 3" not in rating


@pytest.mark.parametrize(
    ("arguments", "offers"),
    [
        (("rankgpt", "--order", "recall"), [0, 1, 2, 3, 4]),
        (("rankgpt", "--order", "recall", "--window", "3", "--step", "2"), [2, 3, 4]),
        (("pairwise", "--order", "recall"), [0, 1]),
        (("pairwise", "--order", "reversed"), [4, 3]),
        (("setwise", "--order", "recall", "--group", "3"), [1, 3, 4]),
        (("rankgpt", "--order", "target-at-0"), [2]),
        (("recranker-pairwise", "--order", "recall", "--show-scores"), [0, 1]),
    ],
)
def test_render_shows_what_the_methods_first_call_shows(folder: Path, arguments: tuple[str, ...], offers: list[int]):
    text = run("render", *arguments, "--data", "cases.jsonl", "--user", "42").stdout
    assert re.findall(r"Offer (\d)", text)[: len(offers)] == [str(offer) for offer in offers]
    if "target-at-0" not in arguments:
        assert text.count("Offer") == len(offers)


def test_render_of_a_list_that_needs_no_call_says_so(folder: Path):
    with pytest.raises(InputError, match="makes no calls for a list of 1"):
        run("render", "palr", "--data", "cases.jsonl", "-k", "1", "--no-profile")


def test_render_and_diff_pass_over_lists_that_need_no_call(folder: Path):
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    single = rows[0] | {"user_id": "1", "candidates": rows[0]["candidates"][:1], "relevant": []}
    more = [single, single | {"user_id": "42", "case_id": "41.5"}, single | {"user_id": "42", "case_id": "42.5"}, *rows]
    (folder / "single.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more))
    alone = run("render", "rankgpt", "--user", "42", "--data", "cases.jsonl")
    assert run("render", "rankgpt", "--user", "42", "--data", "single.jsonl").stdout == alone.stdout
    any_case = run("render", "rankgpt", "--data", "single.jsonl").stdout
    assert any_case == run("render", "rankgpt", "--data", "cases.jsonl").stdout
    result = run("diff", "palr", "palr-terse", "--data", "single.jsonl", "--cases", "9")
    assert f"rendered prompts that differ: {len(rows)} of {len(more)}" in result.stderr


def test_render_of_a_profile_prompt_and_of_an_unknown_user(folder: Path):
    assert '"Seen 43"' in run("render", "palr-profile", "--user", "42", "--data", "cases.jsonl").stdout
    with pytest.raises(InputError, match="no case for user 'x'"):
        run("render", "palr", "--user", "x", "--data", "cases.jsonl")


def test_render_of_a_new_user_shows_no_profile(folder: Path):
    new = {"user_id": "new", "candidates": [{"item_id": "1", "title": "A"}, {"item_id": "2", "title": "B"}]}
    (folder / "new.jsonl").write_text(json.dumps(new) + "\n")
    shown = run("render", "palr", "--data", "new.jsonl").stdout
    assert "Nothing is known" in shown and "keywords" not in shown


def test_render_says_which_of_a_users_cases_it_shows(folder: Path):
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    rows = [row | {"user_id": "7", "case_id": f"7-{number}"} for number, row in enumerate(rows)]
    (folder / "requests.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert "; user 7, case 7-0, " in run("render", "rankgpt", "--user", "7", "--data", "requests.jsonl").stderr
    assert "; user 42, " in run("render", "rankgpt", "--user", "42", "--data", "cases.jsonl").stderr


def test_render_takes_the_id_of_a_case(folder: Path):
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    rows = [row | {"user_id": "7", "case_id": f"7-{number}"} for number, row in enumerate(rows)]
    (folder / "requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shown = [
        run("render", "rankgpt", "--user", user, "--data", "requests.jsonl").stdout for user in ("7-0", "7-1", "7")
    ]
    assert shown[0] == shown[2] != shown[1]


def test_diff_shows_what_an_edit_changes(folder: Path):
    for shipped in ("palr", "palr-terse"):
        assert "unchanged" in run("diff", shipped, "--data", "cases.jsonl").stderr
    (folder / "prompts").mkdir()
    text = (shipped_folder() / "palr.jinja").read_text()
    edited = text.replace("best first", "dearest first").replace("history: 20", "history: 2")
    (folder / "prompts" / "palr.jinja").write_text(edited)
    result = run("diff", "palr", "--data", "cases.jsonl", "--cases", "2")
    assert "history: 20 -> 2" in result.stdout
    assert result.stdout.count("+++ edited, user 4") == 2 == result.stdout.count("\n+NOTE:")
    assert "dearest first" in result.stdout and "rendered prompts that differ: 2 of 2" in result.stderr
    run("new", "mine")
    with pytest.raises(InputError, match=r"(?s)comes with llmrank.*llmrank prompts diff mine OTHER"):
        run("diff", "mine", "--data", "cases.jsonl")


def test_diff_renders_as_many_prompts_as_asked_for_where_users_have_several(folder: Path):
    rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    rows = [row | {"user_id": "7", "case_id": f"7-{number}"} for number, row in enumerate(rows)]
    (folder / "requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run("diff", "palr", "palr-terse", "--data", "requests.jsonl", "--cases", "2")
    assert "rendered prompts that differ: 2 of 2" in result.stderr
    assert "--- palr, user 7, case 7-0" in result.stdout and "--- palr, user 7, case 7-1" in result.stdout


def test_diff_of_two_templates_shows_how_their_prompts_differ(folder: Path):
    result = run("diff", "palr", "palr-terse", "--data", "cases.jsonl", "--cases", "1")
    assert "name: palr -> palr-terse" in result.stdout
    assert "--- palr, user 42" in result.stdout and "+++ palr-terse, user 42" in result.stdout
    assert "rendered prompts that differ: 1 of 1" in result.stderr
    assert "the same as" in run("diff", "palr", "palr", "--data", "cases.jsonl").stderr
    with pytest.raises(InputError, match=r"^unknown prompt 'palr-ters'; .*palr-terse"):
        run("diff", "palr", "palr-ters", "--data", "cases.jsonl")
    line = '{"user_id": "42", "target": {"item_id": "1", "title": "A"}, "rating": 4, "history": []}\n'
    (folder / "both.jsonl").write_text(line + (folder / "cases.jsonl").read_text().replace('"42"', '"44"'))
    with pytest.raises(InputError, match="palr asks for a ranking, google-zero-shot for a rating"):
        run("diff", "palr", "google-zero-shot", "--data", "both.jsonl")
