"""Rows a second of one process, two shards, two Ray actors, on one stub: `python tests/benchmarks/scale.py [ROWS]`.

The stub answers after 200 ms and each process has 32 calls in flight, so it can reach at most 160 rows a second, like a
replica with its own limit. The output is Markdown; the machine's cores are shared with the stub.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from llmrank.data.candidate_writing import write_cases
from llmrank.types import Case, Event, Item
from tests.scale.answering_server import MODEL, answering

FILES, CANDIDATES, HISTORY, MILLISECONDS, CONCURRENCY = 8, 50, 20, 200, 32
RERANK = (sys.executable, "-m", "llmrank", "rerank", "in")
ASKS = ("--prompt", "rankgpt", "--ranker", "listwise", "--model", MODEL, "--concurrency", str(CONCURRENCY))


def cases(users: range) -> Iterator[Case]:
    items = [Item(str(number), f"A title of about the usual length, number {number} (1999)") for number in range(5000)]
    for user in users:
        drawn = random.Random(user).sample(items, CANDIDATES + HISTORY)
        yield Case(str(user), tuple(Event(item, 4.0) for item in drawn[:HISTORY]), tuple(drawn[HISTORY:]))


class Peaks(threading.Thread):
    """Watches the processes under one, and keeps the highest memory of each that works for llmrank."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.megabytes, self.ended = root, dict[int, tuple[str, int]](), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.2):
            parents, seen = dict[int, int](), dict[int, tuple[str, int]]()
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
                    command = (status.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:  # ended meanwhile
                    continue
                number = int(status.parent.name)
                parents[number] = int(fields["PPid"])
                if "VmHWM" in fields:  # not of one that has ended and is not yet waited for
                    seen[number] = (command, int(fields["VmHWM"].split()[0]) // 1024)
            for number, (command, megabytes) in seen.items():
                above = number
                while above not in (0, self.root):
                    above = parents.get(above, 0)
                if above == self.root:
                    self.megabytes[number] = (command, megabytes)


def measure(folder: Path, commands: list[tuple[str, ...]]) -> tuple[float, Peaks]:
    started = time.perf_counter()
    peaks = Peaks(os.getpid())
    peaks.start()
    running = [subprocess.Popen(one, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for one in commands]
    for process in running:
        _, stderr = process.communicate()
        assert process.returncode == 0, stderr.decode()
    seconds = time.perf_counter() - started
    peaks.ended.set()
    peaks.join()
    return seconds, peaks


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    each = rows // FILES
    print(f"{rows:,} rows of {CANDIDATES} candidates in {FILES} files, {os.cpu_count()} cores\n")
    print("| how | seconds | rows/s | seconds without calls | peak MB of each working process |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, answering(MILLISECONDS) as endpoint:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(FILES):
            write_cases(folder / "in" / f"part-{number}.parquet", cases(range(number * each, (number + 1) * each)))
        rerank = (*RERANK, *ASKS, "--base-url", endpoint.base_url)
        ways = {
            "1 process": [("-o", "one")],
            "2 shards": [("-o", "shards", "--shard", "1/2"), ("-o", "shards", "--shard", "2/2")],
            "2 Ray actors": [("-o", "ray", "--engine", "ray", "--actors", "2")],
        }
        for way, arguments in ways.items():
            seconds, peaks = measure(folder, [(*rerank, *one) for one in arguments])
            # All but the calls: starting, reading, checking, writing.
            for path in (folder / arguments[0][1]).glob("part-*.parquet"):
                path.unlink()
            idle, _ = measure(folder, [(*RERANK, *one, "--ranker", "bm25", "--force") for one in arguments])
            working = [
                f"{megabytes} ({'actor' if command.startswith('ray::') else 'command'})"
                for command, megabytes in peaks.megabytes.values()
                if command.startswith("ray::Map") or " llmrank rerank " in command
            ]
            print(f"| {way} | {seconds:.1f} | {rows / seconds:.0f} | {idle:.1f} | {', '.join(working)} |", flush=True)


if __name__ == "__main__":
    main()
