"""A full disk, a read-only folder, two processes at once, files that are no Store: a clear error, nothing broken, and
the same command goes on once that is mended. Real processes against a real server."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import resource
import shlex
import subprocess
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import pytest

from llmrank.files import cannot_write
from llmrank.run import read_records
from tests.cli.command import asking, command, environment, run
from tests.deterministic_server import deterministic_server
from tests.killing import EVAL, RERANK, metrics_of, write_candidates

CASES = 60
CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with deterministic_server(tmp_path_factory.mktemp("server") / "log") as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_candidates(tmp_path / "candidates.jsonl", CASES)
    return tmp_path


def no_file_grows_beyond(size: int) -> Callable[[], None]:
    """Return what makes the disk full for a process: no file of it can grow beyond so many bytes."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))


def obeys_permissions() -> None:
    """Give up root's right to write everywhere."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        os._exit(99)


def refused(ran: subprocess.CompletedProcess[str], *said: str) -> None:
    assert ran.returncode == 2, ran.stderr
    assert "Traceback" not in ran.stderr and "hint:" in ran.stderr
    for text in said:
        assert text in ran.stderr


def goes_well(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 0, ran.stderr


def test_a_system_that_starts_programs_with_few_open_files_is_asked_for_more(folder: Path, url: str) -> None:
    """macOS starts them with 256, and an endpoint may be sent as many calls at once."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    few = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (24, hard))
    goes_well(run(folder, *asking(url, *EVAL, concurrency=CASES), before=few))


@pytest.mark.parametrize(
    ("size", "which"),
    [
        pytest.param(40_000, "records.jsonl", id="the Run, its Store being full of answers"),
        pytest.param(400_000, "store.sqlite", id="the Store"),
    ],
)
def test_a_full_disk_stops_a_run_that_then_goes_on(folder: Path, url: str, size: int, which: str) -> None:
    if which == "records.jsonl":
        goes_well(run(folder, *asking(url, *EVAL[:-1], "first")))
    ran = run(folder, *asking(url, *EVAL), before=no_file_grows_beyond(size))
    refused(ran, which, "the same command then continues")
    done = read_records(folder / "run")
    assert 0 < len(done) < CASES
    assert (folder / "run" / "records.jsonl").read_bytes().endswith(b"}\n"), "no half line is left"
    goes_well(run(folder, *asking(url, *EVAL)))
    assert {user: record for user, record in read_records(folder / "run").items() if user in done} == done
    goes_well(run(folder, *asking(url, *EVAL[:-1], "undisturbed", store="other.sqlite")))
    (folder / "u").mkdir()
    (folder / "undisturbed").rename(folder / "u" / "run")
    assert metrics_of(folder) == metrics_of(folder / "u")


def test_answers_that_a_full_disk_did_not_take_are_counted(folder: Path, url: str) -> None:
    ran = run(folder, *asking(url, *EVAL), before=no_file_grows_beyond(400_000))
    refused(ran, "store.sqlite: the store cannot be used", "the same command then continues")
    assert re.search(r"disk I/O error; [1-8] answers arrived but could not be stored", ran.stderr), ran.stderr
    goes_well(run(folder, *asking(url, *EVAL)))
    assert len(read_records(folder / "run")) == CASES


def test_a_full_disk_stops_a_reranking_that_then_goes_on(folder: Path, url: str) -> None:
    output = "reranked.jsonl"
    arguments = asking(url, "rerank", "candidates.jsonl", "-o", output, "--prompt", "palr")
    goes_well(run(folder, *asking(url, *RERANK)))
    (folder / "reranked.jsonl").rename(folder / "whole.jsonl")
    refused(run(folder, *arguments, before=no_file_grows_beyond(40_000)), output, "the same command then continues")
    assert not (folder / output).exists()
    goes_well(run(folder, *arguments))
    assert (folder / output).read_bytes() == (folder / "whole.jsonl").read_bytes()
    assert [path.name for path in folder.iterdir() if path.name.endswith((".part", ".tmp"))] == []


def test_a_full_disk_behind_stdout_is_an_error_in_words(folder: Path, url: str) -> None:
    goes_well(run(folder, *asking(url, *EVAL)))
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            command("store", "stats", "--store", "store.sqlite"),
            cwd=folder,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    refused(ran, "error: stdout: No space left")


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2>&- <&-", "2> >(true)"])
def test_progress_that_nobody_gets_ends_no_run(folder: Path, url: str, stderr: str) -> None:
    line = f"{shlex.join(command(*asking(url, *EVAL)))} {stderr}"
    ran = subprocess.run(["bash", "-c", line], cwd=folder, env=environment(), stdout=subprocess.PIPE, check=False)
    assert ran.returncode == 0 and b"NDCG@10" in ran.stdout
    assert len(read_records(folder / "run")) == CASES


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("show", "run"), id="a table"),
        pytest.param(("show", "run", "--json"), id="JSON"),
        pytest.param(("--help",), id="help"),
        pytest.param(EVAL, id="a run"),
    ],
)
def test_a_reader_that_has_seen_enough_changes_no_exit_code(folder: Path, url: str, arguments: tuple[str, ...]) -> None:
    asked = asking(url, *arguments) if arguments == EVAL else arguments
    if arguments != EVAL:
        goes_well(run(folder, *asking(url, *EVAL)))
    line = f"{shlex.join(command(*asked))} | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", line], cwd=folder, env=environment(), capture_output=True, check=False)
    said = ran.stderr.decode()
    assert ran.returncode == 0 and "Traceback" not in said and "rror" not in said
    assert len(read_records(folder / "run")) == CASES


def test_a_folder_that_cannot_be_written_is_named(folder: Path, url: str) -> None:
    (folder / "free").mkdir()
    folder.chmod(0o555)
    try:
        for arguments, said in (
            (asking(url, *EVAL, store="free/s.sqlite"), "run: cannot be written"),
            (asking(url, *EVAL[:-1], "free/run", store="s.sqlite"), "s.sqlite: the store cannot be used"),
            (asking(url, *RERANK, store="free/s.sqlite"), "reranked.jsonl.part: cannot be written"),
            (("store", "export", "x.jsonl", "--store", "free/s.sqlite"), "x.jsonl: cannot be written"),
        ):
            refused(run(folder, *arguments, before=obeys_permissions), said)
        assert {path.name for path in folder.iterdir()} == {"candidates.jsonl", "free"}
    finally:
        folder.chmod(0o755)
    goes_well(run(folder, *asking(url, *EVAL, store="free/s.sqlite"), before=obeys_permissions))


def test_a_store_that_can_only_be_read_is_replayed(folder: Path, url: str) -> None:
    goes_well(run(folder, *asking(url, *EVAL)))
    store = folder / "store.sqlite"
    store.chmod(0o444)
    other = asking(url, *EVAL[:-1], "other", "--seed", "1")
    refused(run(folder, *other, before=obeys_permissions), "store.sqlite", "read-only, so a new answer", "--store")
    replay = (*EVAL[:-1], "again", "--backend", "replay:run", "--store", "new.sqlite")
    goes_well(run(folder, *replay, before=obeys_permissions))


def test_of_two_processes_on_one_run_the_second_is_refused(folder: Path, url: str) -> None:
    arguments = asking(url, *EVAL, concurrency=2)
    with subprocess.Popen(command(*arguments), cwd=folder, env=environment(), stderr=subprocess.DEVNULL) as first:
        while not (folder / "run" / "records.jsonl").exists():
            assert first.poll() is None
        refused(run(folder, *arguments), "another process is working on this Run")
        assert first.wait() == 0
    assert len(read_records(folder / "run")) == CASES


def test_two_processes_fill_one_store_together(folder: Path, url: str) -> None:
    first, second = (
        subprocess.Popen(
            command(*asking(url, *EVAL[:-1], out)), cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True
        )
        for out in ("one", "two")
    )
    for process in (first, second):
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert read_records(folder / "one") == read_records(folder / "two")
    ran = run(folder, "store", "stats", "--store", "store.sqlite", "--json")
    assert json.loads(ran.stdout)["responses"] == 2 * CASES


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.part", "_out.jsonl.settings.json"])
def test_a_store_that_a_reranking_would_replace_is_refused(folder: Path, url: str, name: str) -> None:
    arguments = asking(url, "rerank", "candidates.jsonl", "-o", "out.jsonl", "--prompt", "palr", store=f"./{name}")
    for more in ((), ("--dry-run",), ("--force",)):
        refused(run(folder, *arguments, *more), "are the same file", "--store")
    assert not (folder / name).exists()


def test_a_file_that_is_no_store_is_refused_and_kept(folder: Path, url: str) -> None:
    before = (folder / "candidates.jsonl").read_bytes()
    refused(run(folder, *asking(url, *EVAL, store="candidates.jsonl")), "candidates.jsonl", "not a database", "--store")
    for verb in (("stats",), ("export", "x.jsonl"), ("prune", "--model", "m")):
        refused(run(folder, "store", *verb, "--store", "candidates.jsonl"), "not a database")
    assert (folder / "candidates.jsonl").read_bytes() == before
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("file", "said"),
    [("records.jsonl", ["records.jsonl, line 2", "not a record"]), ("manifest.json", ["manifest.json", "damaged"])],
)
def test_a_damaged_run_is_named_and_left_as_it_is(folder: Path, url: str, file: str, said: list[str]) -> None:
    goes_well(run(folder, *asking(url, *EVAL)))
    path = folder / "run" / file
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1][: len(lines[1]) // 2] + "\n", *lines[2:]]))
    before = path.read_text()
    refused(run(folder, *asking(url, *EVAL)), *said)
    assert path.read_text() == before


def test_a_run_that_is_nested_without_end_is_named(folder: Path, url: str) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "manifest.json").write_text("[" * 100_000)
    refused(run(folder, *asking(url, *EVAL)), "manifest.json", "damaged")


def test_a_folder_that_is_gone_and_too_many_open_files_are_told_as_such(folder: Path, url: str) -> None:
    def goes() -> None:
        (folder / "gone").mkdir()
        os.chdir(folder / "gone")
        (folder / "gone").rmdir()

    given = [str(folder / name) if "." in name else name for name in RERANK]
    refused(run(folder, *asking(url, *given), before=goes), "the current folder no longer exists")
    error = OSError(errno.EMFILE, "Too many open files")
    assert "ulimit -n" in cannot_write(Path("out.jsonl"), error).hint
