"""Ray actors on this machine, with a real endpoint: the rankings of one process, and real kills that cost little."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmrank.data.candidate_writing import write_cases
from llmrank.scale import Partition
from llmrank.scale.actors import work_on_actors
from tests.scale.answering_server import MODEL, Endpoint, answering
from tests.scale.test_rerank_parts import cases, rankings
from tests.scale.workers import opened

pytest.importorskip("ray", reason="the actors need Ray: pip install 'llmrank[ray]'")

ROWS = (6, 40, 40, 6)
"""Of each file: unequal, so that one is done while another is under way."""
ALL, CONCURRENCY, ACTORS = sum(ROWS), 4, 2
CALLS_A_ROW = 4
"""Windows of 4, each 2 further on, over 10 candidates: 7-10, 5-8, 3-6, 1-4."""
# Slow enough for a kill to fall into the middle.
MILLISECONDS = 100
ASKS = ("--prompt", "rankgpt", "--window", "4", "--step", "2", "--concurrency", str(CONCURRENCY), "--model", MODEL)
RAY = ("--engine", "ray", "--actors", str(ACTORS))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with answering(MILLISECONDS) as found:
        yield found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, rows in enumerate(ROWS):
        first = sum(ROWS[:number])
        write_cases(folder / f"part-{number}.parquet", cases(range(first, first + rows)))
    return folder


def command(endpoint: Endpoint, output: str, *more: str) -> list[str]:
    asks = ("-o", output, *ASKS, "--base-url", endpoint.base_url, *more)
    return [sys.executable, "-m", "llmrank", "rerank", "in", *asks]


def run(folder: Path, arguments: list[str]) -> str:
    ran = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False, timeout=180)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stdout


def wait_for(what: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def rows_under_way(output: Path) -> dict[Path, int]:
    """Return the unfinished files with how many rows each has."""
    counted: dict[Path, int] = {}
    for path in output.glob("*.part"):
        try:
            counted[path] = path.read_bytes().count(b"\n") - 1
        except FileNotFoundError:  # finished meanwhile
            continue
    return counted


def writers(path: Path) -> list[int]:
    """Return the processes that have the file open."""
    found: list[int] = []
    for opened_file in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if opened_file.readlink() == path:
                found.append(int(opened_file.parts[2]))
        except OSError:  # closed, or the process has ended
            continue
    return found


def same_as_one_process(folder: Path, endpoint: Endpoint, output: str) -> None:
    run(folder, command(endpoint, "alone", "--concurrency", "32"))
    for number in range(len(ROWS)):
        name = f"part-{number}.parquet"
        assert (folder / output / name).read_bytes() == (folder / "alone" / name).read_bytes()
    users = [user for user, _ in rankings(*sorted((folder / output).glob("*.parquet")))]
    assert users == [str(user) for user in range(ALL)]


def test_two_actors_give_the_rankings_of_one_process(tmp_path: Path, endpoint: Endpoint, source: Path) -> None:
    said = json.loads(run(tmp_path, command(endpoint, "out", *RAY, "--json")))
    assert said["rows"] == ALL and said["outcomes"] == {"ok": ALL}
    assert said["calls"] == said["spent"]["requests"] == ALL * CALLS_A_ROW
    assert said["spent"]["completion_tokens"] == ALL * CALLS_A_ROW * 20
    assert set(endpoint.asked().values()) == {1}
    same_as_one_process(tmp_path, endpoint, "out")
    names = [path.name for path in source.iterdir()]
    kept = {"_settings.json", "_stores", *names, *(f"_{name}.settings.json" for name in names)}
    assert {path.name for path in (tmp_path / "out").iterdir()} == kept


def test_a_killed_actor_costs_only_its_calls_in_flight(tmp_path: Path, endpoint: Endpoint, source: Path) -> None:
    output = tmp_path / "out"
    with subprocess.Popen(
        command(endpoint, "out", *RAY), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as job:
        wait_for(lambda: any(3 <= rows < 20 for rows in rows_under_way(output).values()))
        (actor, *_) = [actor for path in rows_under_way(output) for actor in writers(path)]
        assert actor != job.pid
        os.kill(actor, signal.SIGKILL)
        _, said = job.communicate(timeout=180)
    assert job.returncode == 0, said
    again = sum(count - 1 for count in endpoint.asked().values())
    assert again <= CONCURRENCY, "what was answered is asked again"
    same_as_one_process(tmp_path, endpoint, "out")


def test_a_killed_job_continues_and_leaves_alone_what_is_done(tmp_path: Path, endpoint: Endpoint, source: Path) -> None:
    output = tmp_path / "out"
    with subprocess.Popen(
        command(endpoint, "out", *RAY), cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True
    ) as job:
        wait_for(lambda: any(output.glob("*.parquet")) and any(rows_under_way(output).values()))
        os.killpg(job.pid, signal.SIGKILL)
    # Ray ends what the driver started; until then somebody still writes.
    wait_for(lambda: not any(writers(path) for path in [*output.glob("*.part"), *output.glob("_stores/*.sqlite")]))
    done = {path: path.stat().st_mtime_ns for path in output.glob("*.parquet")}
    under_way = rows_under_way(output)
    assert done and sum(under_way.values()) > 0
    said = json.loads(run(tmp_path, command(endpoint, "out", *RAY, "--json")))
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert said["rows"] == sum(ROWS) - sum(len(rankings(path)) for path in done)
    assert said["outcomes"]["ok"] == said["rows"] - sum(under_way.values())
    again = sum(count - 1 for count in endpoint.asked().values())
    assert again <= ACTORS * CONCURRENCY, "what was answered is asked again"
    same_as_one_process(tmp_path, endpoint, "out")


def test_what_kills_actors_is_given_up_and_a_dead_engine_is_replaced(
    tmp_path: Path,
) -> None:
    names = ("a", "killer", "b", "engine", "c")
    partitions = [Partition(tmp_path / name, tmp_path / f"out-{name}", tmp_path / "store") for name in names]
    results = {result.output.name: result for result in work_on_actors(partitions, opened, actors=2, gpus=None)}
    assert set(results) == {f"out-{name}" for name in names}
    assert [name for name, result in results.items() if result.error] == ["out-killer"]
    assert "killed 4 actors" in results["out-killer"].error
    children = [int(line) for line in (tmp_path / "out-killer").read_text().split()]
    assert len(children) == 4
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
