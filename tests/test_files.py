from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmrank.errors import InputError
from llmrank.files import cache_folder, cannot_write, claim, expanded, make_private, write_whole, writing
from llmrank.prompting import load_template


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")
    with pytest.raises(KeyError), writing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "before" and [*tmp_path.iterdir()] == [path]
    with writing(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after" and [*tmp_path.iterdir()] == [path]


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "private", b"history")
        with writing(tmp_path / "output"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "output").stat().st_mode & 0o777 == 0o644


def test_what_another_process_has_made_stays(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("theirs")
    with pytest.raises(FileExistsError), writing(path, overwrite=False) as temporary:
        temporary.write_text("mine")
    assert path.read_text() == "theirs" and [*tmp_path.iterdir()] == [path]


def test_only_what_the_file_itself_meets_is_its_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/a: cannot be written"), writing(tmp_path / "nowhere" / "a"):
        pass
    with pytest.raises(FileNotFoundError), writing(tmp_path / "a"):
        (tmp_path / "input").read_bytes()


HOLDER = """
import sys, time
from llmrank.files import claim
file = open(sys.argv[1], "ab")
print(claim(file), flush=True)
time.sleep(600)
"""


def test_a_claim_is_lost_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "True\n"
    with path.open("ab") as file:
        assert not claim(file, path)
        holder.kill()
        holder.wait()
        holder.stdout.close()
        assert claim(file, path)
        path.rename(tmp_path / "moved")
        assert not claim(file, path), "the name is another file's by now"


def test_what_a_killed_process_left_beside_a_file_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    path, left, other = tmp_path / "a[1]", tmp_path / ".a[1].12345678.tmp", tmp_path / ".a[1].swap.tmp"
    left.write_text("half")
    other.write_text("of another program")
    with writing(path) as temporary:
        assert {*tmp_path.iterdir()} == {temporary, other}
    left.write_text("half")
    with left.open() as held:
        assert claim(held)
        write_whole(path, b"whole")
    assert {*tmp_path.iterdir()} == {path, left, other}


def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    with pytest.raises(InputError, match="is a device or a pipe"):
        write_whole(pipe, b"{}")
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_a_dash_is_no_file_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="standard input and output"):
        write_whole(Path("-"), b"a page")
    assert not [*tmp_path.iterdir()]


def test_a_link_stays_a_link_when_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (link := tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    write_whole(link, b"new")
    assert link.is_symlink() and (tmp_path / "there" / "file").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["file"]


def test_a_link_to_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.symlink_to(tmp_path / "scratch" / "runs")
    with pytest.raises(OSError, match="File exists") as caught:
        path.mkdir(parents=True, exist_ok=True)
    assert (
        cannot_write(path, caught.value).problem
        == f"is a link to {tmp_path / 'scratch' / 'runs'}, which does not exist"
    )


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in a container that runs under a number (`runAsUser`) that no name belongs to."""

    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "LLMRANK_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(InputError, match="no home folder") as caught:
        cache_folder()
    assert "LLMRANK_CACHE" in caught.value.hint
    assert expanded("~/model") == Path("~/model") and load_template("palr").name == "palr"
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    # No shell has replaced it where a container's settings set the variable.
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLMRANK_CACHE", "~/cache")
    assert cache_folder() == tmp_path / "cache"


def test_a_file_system_without_locks_or_owners_is_met(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.touch()

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    def no_owners(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with path.open() as file, pytest.raises(InputError, match="has no locks") as caught:
        claim(file, path)
    assert caught.value.path == path
    monkeypatch.setattr(Path, "chmod", no_owners)
    make_private(path)
