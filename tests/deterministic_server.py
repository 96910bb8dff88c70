"""`python -m tests.deterministic_server LOG`: a real HTTP server in a process of its own, whose answers are a function
of the question alone. Every question it gets is a line in LOG, the moment it has come."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.scripted_server import ScriptedServer, Step, completion

FASTEST, SLOWEST = 0.02, 0.06
"""Seconds that an answer takes; how many, the question decides."""
TITLE = re.compile(r"Film \d+")


def question_hash(messages: Sequence[Sequence[str]]) -> str:
    """Return the hash of a question, given as pairs of role and text: as the Store has it, too."""
    return hashlib.sha256(json.dumps([list(message) for message in messages]).encode()).hexdigest()


def answer(question: str, text: str) -> Step:
    """Return the one answer to a question: films it speaks of, in an order of its own, now and then badly put."""
    choice = random.Random(question)
    titles = sorted(set(TITLE.findall(text)))
    choice.shuffle(titles)
    dressing = choice.random()
    if dressing < 0.05:
        content, reason = "I'm sorry, but I can't help with that.", "stop"
    elif dressing < 0.15:
        content, reason = "\n".join([*titles[:3], *titles[:1], *(title[:5] for title in titles[3:4])]), "length"
    else:
        content, reason = "\n".join(titles), "stop"
    body: dict[str, Any] = completion(content, finish_reason=reason)
    body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"] = len(text) // 4, len(content) // 4
    return Step(body=json.dumps(body), hang=choice.uniform(FASTEST, SLOWEST))


async def serve(log: Path) -> None:
    """Serve until killed; the base URL is the first line of stdout."""
    with log.open("ab", buffering=0) as lines:

        def choose(content: Mapping[str, Any]) -> Step:
            messages = [(message["role"], message["content"]) for message in content["messages"]]
            question = question_hash(messages)
            lines.write(f"{question}\n".encode())
            return answer(question, messages[-1][1])

        async with ScriptedServer(answer=choose) as server:
            print(server.base_url, flush=True)
            await asyncio.Event().wait()


@contextmanager
def deterministic_server(log: Path) -> Generator[str]:
    """Start one in a process of its own, and give its base URL."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "tests.deterministic_server", str(log)]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
