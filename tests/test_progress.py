"""What progress says of the time: the pace is that of the Cases, without the model's start."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace

import pytest

from llmrank import progress
from llmrank.progress import Progress, duration, open_stderr


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that progress sees, in its one entry."""
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (45, "45 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (4320, "1 h 12 min"), (394103, "4 d 13 h")],
)
def test_times_are_said_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_rest_is_estimated_by_the_pace_since_the_first_case(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress()
    shown.begin(10, 2, str)
    for second in (100, 112):  # the model takes 100 s to start, a Case 12 s
        clock[0] = second
        shown.advance("ok")
    assert "Cases 4/10, 1 min 52 s, 1 min 12 s left: new: ok 2" in capsys.readouterr().err


def test_how_far_the_work_came_is_said_once(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress()
    for count in (1, 2):
        shown.begin(count, 0, str)
        clock[0] += 100
        for _ in range(count):
            shown.advance("ok")
        shown.end()
    assert [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "Cases 1/1",
        "Cases 1/2",
        "Cases 2/2",
    ]


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_process_without_stderr_works_in_silence(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed if stream else None)
    shown = Progress()
    shown.message("the model is read")
    shown.begin(2, 0, str)
    shown.advance("ok")
    shown.end()
    assert open_stderr() is None


def test_what_stands_for_stderr_needs_only_to_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr("sys.stderr", SimpleNamespace(write=lines.append, flush=lambda: None))
    Progress().message("reading")
    assert "".join(lines) == "reading\n"
