"""One long, unattended run over an endpoint of which every tenth call fails, in every way.

`python -m tests.benchmarks.soak [--cases 20000] [--processes 2]`. `llmrank rerank` runs in its own process against the
tests' scripted server; several processes rerank the same file into outputs of their own, with one Store. The user and
the number of the attempt decide which call fails, and how, so every soak meets the same faults. At the end every row is
compared with what the server sent for it: a ranking must be the one that was answered, and an unreadable answer must be
`unparsed`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks.lists import rows, write_jsonl
from tests.benchmarks.machine import heading, table
from tests.scripted_server import MODEL, ScriptedServer, Step, completion, good, refused

CANDIDATES = 20
MARK = re.compile(r"Diary of User (\d+)")
PAGE = "<html><head><title>Sign in</title></head><body>Please [3] > [1] sign in</body></html>"
BARS = "▁▂▃▄▅▆▇█"


def page(status: int) -> Step:
    """Return a proxy's page."""
    return Step(status, PAGE, {"Content-Type": "text/html"})


def busy(**headers: str) -> Step:
    """Return a 429 with these headers."""
    return refused(429, "slow down", headers={name.replace("_", "-"): value for name, value in headers.items()})


def soon() -> str:
    """Return the time in two seconds, as HTTP writes it."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


REFUSED: dict[str, Callable[[Step], Step]] = {
    "429": lambda answer: busy(),
    "429, Retry-After: 1": lambda answer: busy(retry_after="1"),
    "429, Retry-After: a date": lambda answer: busy(retry_after=soon()),
    "429, Retry-After: 1s": lambda answer: busy(retry_after="1s"),
    "429, retry-after-ms: 300": lambda answer: busy(retry_after_ms="300"),
    "500": lambda answer: refused(500, "internal error"),
    "502, a proxy's page": lambda answer: page(502),
    "503, Retry-After: 1": lambda answer: refused(503, "overloaded", headers={"retry-after": "1"}),
    "200, a proxy's page": lambda answer: page(200),
    "reset in the middle of the body": lambda answer: replace(answer, reset=True),
    "reset after 1 s of silence": lambda answer: replace(answer, hang=1.0, reset=True),
    "half of the JSON": lambda answer: replace(answer, body=answer.body[: len(answer.body) // 2]),
    "no choices": lambda answer: replace(answer, body=json.dumps(completion() | {"choices": []})),
    "a choice without a message": lambda answer: replace(answer, body=json.dumps(completion() | {"choices": [{}]})),
    "200 with an error in it": lambda answer: replace(answer, body=json.dumps({"error": {"message": "[2] > [1]"}})),
}
"""What is no answer, and has to be asked again."""
ANSWERED: dict[str, tuple[str, Callable[[Step], Step]]] = {
    "3 s of silence, then the answer": ("ok", lambda answer: replace(answer, hang=3.0)),
    "cut off by the token limit": ("repaired", lambda answer: good("[2] > [1] > [", finish_reason="length")),
    "no content": ("unparsed", lambda answer: good(None)),
    "a refusal": ("unparsed", lambda answer: good(None, refusal="I cannot rank these.")),
    "the content filter": ("unparsed", lambda answer: good(None, finish_reason="content_filter")),
}
"""What is an answer, with the Outcome it must have; it is paid for, and must not be asked again."""


def permutation(user: str) -> list[int]:
    """Return the order of places that this user's question is answered with."""
    places = list(range(1, CANDIDATES + 1))
    Random(f"answer:{user}").shuffle(places)
    return places


@dataclass
class Endpoint:
    """Answers every user's question, and fails by schedule."""

    rate: float
    latency: float
    calls: Counter[str] = field(default_factory=Counter[str])
    """By user."""
    faults: Counter[str] = field(default_factory=Counter[str])
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    """The Outcome that each answered user must have."""
    asked_again: int = 0
    """Calls for a question that had been answered."""

    def __call__(self, body: Mapping[str, Any]) -> Step:
        found = MARK.search(body["messages"][-1]["content"])
        assert found is not None
        user = found[1]
        self.asked_again += user in self.outcomes
        self.calls[user] += 1
        answer = replace(good(" > ".join(f"[{place}]" for place in permutation(user))), hang=self.latency)
        draw = Random(f"fault:{user}:{self.calls[user]}")
        if draw.random() >= self.rate:
            self.outcomes[user] = "ok"
            return answer
        name = draw.choice([*REFUSED, *ANSWERED])
        self.faults[name] += 1
        if name in REFUSED:
            return REFUSED[name](answer)
        self.outcomes[user], change = ANSWERED[name]
        return change(answer)


@dataclass(frozen=True)
class Sample:
    """How far the run was at one moment."""

    seconds: float
    answered: int
    calls: int
    memory: float
    """Megabytes resident, of the largest process."""
    files: int
    """Open file descriptors, of the process with most."""


def marked(cases: int) -> Iterator[dict[str, Any]]:
    """Yield rows whose histories tell the server which user asks."""
    for row in rows(cases, candidates=CANDIDATES):
        row["history"][-1]["title"] = f"Diary of User {row['user_id']}"
        yield row


async def rerank(
    folder: Path, endpoint: Endpoint, server: ScriptedServer, every: float, processes: int
) -> tuple[list[Sample], list[Path], int]:
    """Run the commands to their end, looking at them now and then; return the samples, the reranked files, and the
    number of calls that the commands counted."""
    outputs = [folder / f"reranked-{number}.jsonl" for number in range(processes)]
    running = [await start(folder, output, server) for output in outputs]
    ended = asyncio.gather(*(process.communicate() for process in running))
    started, samples = time.monotonic(), list[Sample]()
    while not ended.done():
        await asyncio.wait([ended], timeout=every)
        if sizes := [size for process in running if (size := held(process.pid)) is not None]:
            memory, files = map(max, zip(*sizes, strict=True))
            passed, calls = time.monotonic() - started, endpoint.calls.total()
            samples.append(Sample(passed, len(endpoint.outcomes), calls, memory, int(files)))
        server.seen.clear()
        server.authorization.clear()
    counted = 0
    for process, output, (printed, _) in zip(running, outputs, await ended, strict=True):
        if process.returncode:
            sys.exit(f"exit code {process.returncode}: {output.with_suffix('.txt').read_text()[-3000:]}")
        counted += json.loads(printed)["calls"]
    return samples, outputs, counted


async def start(folder: Path, output: Path, server: ScriptedServer) -> asyncio.subprocess.Process:
    """Start a command that reranks the candidates into `output`."""
    command = [sys.executable, "-m", "llmrank", "rerank", str(folder / "candidates.jsonl"), "-o", str(output)]
    command += ["--base-url", server.base_url, "--model", MODEL, "--json", "--store", str(folder / "store.sqlite")]
    command += ["--prompt", "rankgpt", "--ranker", "listwise", "--order", "recall"]
    with output.with_suffix(".txt").open("wb") as errors:
        return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=errors)


def held(process: int) -> tuple[float, int] | None:
    """Return the resident megabytes of a process and its open file descriptors; None once it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        files = len(list(Path(f"/proc/{process}/fd").iterdir()))
    except OSError:
        return None
    resident = re.search(r"VmRSS:\s+(\d+)", status)
    return None if resident is None else (int(resident[1]) / 1024, files)


def faithful(output: Path, endpoint: Endpoint, cases: int) -> Counter[str]:
    """Return the Outcomes of the reranked rows; exit at one that is not what was answered."""
    outcomes = Counter[str]()
    users = set[str]()
    with output.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            user = row["user_id"]
            items = [item["item_id"] for item in row["candidates"]]
            expected = [items[place - 1] for place in permutation(user)]
            if row["outcome"] != endpoint.outcomes[user] or (row["outcome"] == "ok" and row["ranking"] != expected):
                sys.exit(f"user {user} was answered {endpoint.outcomes[user]}, and the row says {row['outcome']}")
            users.add(user)
            outcomes[row["outcome"]] += 1
    if len(users) != cases:
        sys.exit(f"{len(users)} of {cases} rows are there")
    return outcomes


def sparkline(values: list[float]) -> str:
    """Return a bar per value, from 0 to the highest."""
    top = max(values)
    return "".join(BARS[round(value / top * (len(BARS) - 1))] for value in values)


async def soak(folder: Path, cases: int, rate: float, latency: float, every: float, processes: int = 1) -> str:
    """Run it, check it, and return what came of it."""
    write_jsonl(folder / "candidates.jsonl", marked(cases))
    endpoint = Endpoint(rate, latency)
    async with ScriptedServer(answer=endpoint) as server:
        samples, outputs, counted = await rerank(folder, endpoint, server, every, processes)
    outcomes, *_ = [faithful(output, endpoint, cases) for output in outputs]
    calls, faults = endpoint.calls.total(), endpoint.faults.total()
    lost = sum(endpoint.faults[name] for name in REFUSED)
    chosen = [samples[round(place * (len(samples) - 1) / 11)] for place in range(12)] if len(samples) > 12 else samples
    steps = [
        (
            f"{one.seconds:.0f}",
            f"{one.answered:,}",
            f"{one.answered / cases:.0%}",
            f"{one.calls:,}",
            f"{one.memory:.0f}",
            f"{one.files}",
        )
        for one in chosen
    ]
    kinds = [
        (name, f"{count:,}", "asked again" if name in REFUSED else ANSWERED[name][0])
        for name, count in sorted(endpoint.faults.items(), key=lambda pair: -pair[1])
    ]
    half = [one.memory for one in samples if one.answered >= cases / 2] or [samples[-1].memory]
    return "\n".join(
        (
            f"all {cases:,} Cases done in {samples[-1].seconds:.0f} s: "
            + ", ".join(f"{name} {count:,}" for name, count in outcomes.most_common()),
            f"each ranking is the one that was answered; llmrank counted {counted:,} calls",
            f"{calls:,} calls, {faults:,} of them met a fault ({faults / calls:.1%}), {lost:,} of these were no answer",
            f"{calls - cases:,} calls repeated, {endpoint.asked_again:,} of them for a question that had been answered",
            f"memory: at most {max(one.memory for one in samples):.0f} MB; from the half to the end "
            f"{half[0]:.0f} to {half[-1]:.0f} MB",
            f"  {sparkline([one.memory for one in samples[:: max(1, len(samples) // 100)]])}",
            f"open files: at most {max(one.files for one in samples)}",
            "",
            table(("seconds", "answered", "share", "calls", "memory MB", "open files"), steps),
            "",
            table(("fault", "calls", "what must come of it"), kinds),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--faults", type=float, default=0.1, help="share of the calls")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds before a good answer")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two looks")
    parser.add_argument("--processes", type=int, default=1, help="commands that share the Store")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(soak(Path(name), given.cases, given.faults, given.latency, given.every, given.processes))
    what = (
        f"llmrank rerank of {given.cases:,} rows, {CANDIDATES} candidates each; processes with one Store: "
        f"{given.processes}; answers after "
        f"{given.latency * 1000:.0f} ms, {given.faults:.0%} of the calls meet a fault"
    )
    command = (
        f"python -m tests.benchmarks.soak --cases {given.cases} --faults {given.faults} --latency {given.latency} "
        f"--processes {given.processes}"
    )
    print(heading(what, command, "openai", "aiohttp"), found, sep="\n\n")


if __name__ == "__main__":
    main()
