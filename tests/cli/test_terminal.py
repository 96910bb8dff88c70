"""What a person sees in a terminal of 80 columns: the help, and progress that is redrawn in its one line."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click import Command, Context, Group, Option
from click.testing import CliRunner

import llmrank as lr
from llmrank.cli import VERBS, cli, main
from llmrank.data.candidate_writing import write_cases
from tests.cli.command import asking, command, environment
from tests.evaluation.serving import cases, serving
from tests.scripted_server import ScriptedServer, good

COLUMNS = 80


def verb_command(verb: str) -> Command:
    found = cli.get_command(Context(cli), verb)
    assert found is not None
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_and_wraps_no_example(verb: str) -> None:
    shown = CliRunner().invoke(cli, [verb, "--help"], terminal_width=COLUMNS, catch_exceptions=False).output
    assert [line for line in shown.splitlines() if len(line) > COLUMNS] == []
    assert not re.search(r"^  \[?[A-Z]+\]?$", shown, re.MULTILINE)  # no entry without a text


@pytest.mark.parametrize("verb", [verb for verb in VERBS if isinstance(verb_command(verb), Group)])
def test_a_list_of_commands_says_each_in_a_whole_sentence(verb: str) -> None:
    shown = CliRunner().invoke(cli, [verb, "--help"], terminal_width=COLUMNS, catch_exceptions=False).output
    lines = shown.partition("Commands:\n")[2].splitlines()
    assert lines and all(line.endswith((".", "?")) and not line.endswith("...") for line in lines)


def test_every_option_of_every_verb_has_a_text() -> None:
    for verb in VERBS:
        found = verb_command(verb)
        for one in found.commands.values() if isinstance(found, Group) else [found]:
            assert [option.name for option in one.params if isinstance(option, Option) and not option.help] == []


def test_help_shows_every_default() -> None:
    shown = CliRunner().invoke(cli, ["eval", "--help"], terminal_width=200, catch_exceptions=False).output
    for option, default in (("--repeats", "1"), ("--seed", "0"), ("--timeout", "600"), ("--window", "20")):
        line = next(line for line in shown.splitlines() if line.strip().startswith(option))
        assert f"[default: {default}]" in line


def in_terminal(folder: Path, *arguments: str, columns: int = COLUMNS) -> str:
    """Return what the command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command(*arguments), cwd=folder, env=environment(TERM="xterm"), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            written += os.read(ours, 65536)
        except OSError:  # the last writer has gone
            break
    os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


def test_a_terminal_that_does_not_know_a_character_is_shown_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tied = lr.evaluate(cases(4), ranker="random", out=tmp_path / "run", progress=False)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "argv", ["llmrank", "show", str(tied.path), "--depth"])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    main()
    sys.stdout.flush()
    assert rb"\u2500" in written.getvalue(), "a rule of the table"


@pytest.mark.parametrize("columns", [1, 12])
def test_a_terminal_too_narrow_for_anything_is_written_to(tmp_path: Path, columns: int) -> None:
    made = lr.evaluate(cases(4), ranker="random", out=tmp_path / "run", progress=False)
    for more in ((), ("--user", cases(1)[0].user_id), ("--depth",)):
        assert in_terminal(tmp_path, "show", str(made.path), *more, columns=columns).strip()


def test_progress_stays_in_one_line(tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.parquet", cases(60))
    with serving(ScriptedServer(good("[2] > [1] > [3] > [4] > [5]"))) as server:
        arguments = ("eval", "--data", "cases.parquet", "--prompt", "rankgpt", "--ids", "numbers", "--out", "run")
        written = in_terminal(tmp_path, *asking(server.base_url, *arguments, concurrency=2))
    shown = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", written)]
    assert any(line.startswith("Cases ") and "/60" in line and "left" in line for line in shown)
    assert [line for line in shown if len(line) > COLUMNS] == []
