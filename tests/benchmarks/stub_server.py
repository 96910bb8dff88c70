"""An endpoint that costs almost nothing, in its own process: `python -m tests.benchmarks.stub_server`.

It implements the OpenAI chat interface on plain asyncio, so that benchmarks measure the client. After LATENCY seconds
every call gets a permutation of the numbers that its prompt shows in brackets, drawn by a hash of the prompt; a call
for log-probabilities gets one for each letter shown. `GET /calls` returns the number of answered calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import IO, Any
from urllib.request import urlopen

MODEL = "stub"
NUMBER = re.compile(r"\[(\d{1,3})\]")
LETTER = re.compile(r"^\[([A-Z])\]", re.MULTILINE)
LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


def reply(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chat completion for a request's JSON; the same for the same messages."""
    text = "\n".join(str(message["content"]) for message in body["messages"] if message["role"] == "user")
    random = Random(zlib.crc32(text.encode()))
    logprobs = None
    if body.get("logprobs"):
        letters = sorted(set(LETTER.findall(text)))[: body.get("top_logprobs", 0)]
        top = [{"token": letter, "logprob": -10 * random.random()} for letter in letters]
        top.sort(key=lambda entry: -entry["logprob"])
        logprobs = {"content": [{**top[0], "top_logprobs": top}]} if top else None
        answer = top[0]["token"] if top else "A"
    else:
        places = list(range(1, 1 + max(map(int, NUMBER.findall(text)), default=1)))
        random.shuffle(places)
        answer = " > ".join(f"[{place}]" for place in places)
    message = {"role": "assistant", "content": answer}
    usage = {"prompt_tokens": len(text) // 4, "completion_tokens": len(answer) // 2}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


@dataclass
class State:
    """What the connections share."""

    latency: float
    record: IO[bytes] | None = None
    calls: int = 0


class Connection(asyncio.Protocol):
    """One client; its calls come one after the other, as HTTP/1.1 has it."""

    def __init__(self, state: State) -> None:
        self.state, self.buffer = state, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = LENGTH.search(head)
        wanted = int(length[1]) if length else 0
        if len(rest) < wanted:
            return
        self.buffer = rest[wanted:]
        if head.startswith(b"POST"):
            self.state.calls += 1
            if self.state.record is not None:
                self.state.record.write(rest[:wanted] + b"\n")
                self.state.record.flush()
            content = reply(json.loads(rest[:wanted]))
            asyncio.get_running_loop().call_later(self.state.latency, self.send, content)
        elif head.startswith(b"GET /calls"):
            self.send({"calls": self.state.calls})
        else:
            self.send({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "stub"}]})

    def send(self, content: Mapping[str, Any]) -> None:
        body = json.dumps(content).encode()
        if not self.transport.is_closing():
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.transport.write(head.encode() + body)


@dataclass(frozen=True)
class Stub:
    """A running stub."""

    base_url: str

    def calls(self) -> int:
        """Return how many calls were answered so far."""
        with urlopen(f"{self.base_url.removesuffix('/v1')}/calls") as answer:
            return json.load(answer)["calls"]


@contextmanager
def serving_stub(latency: float, record: Path | None = None) -> Generator[Stub]:
    """Run a stub in a process of its own; with `record`, the JSON of every call is kept there, one a line."""
    command = [sys.executable, "-m", "tests.benchmarks.stub_server", "--latency", str(latency)]
    command += ["--record", str(record)] if record else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Stub(process.stdout.readline().strip())
        finally:
            process.terminate()


async def serve(latency: float, record: Path | None) -> None:
    """Serve until the process is ended; the base URL is printed first."""
    state = State(latency, record.open("ab") if record else None)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds before an answer")
    parser.add_argument("--record", type=Path, help="file that keeps the JSON of every call")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.latency, arguments.record))


if __name__ == "__main__":
    main()
