"""An endpoint in a process of its own, whose answers depend on the question alone, and which counts the questions.

`python tests/scale/answering_server.py MILLISECONDS` prints its base URL and answers until it is ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

MODEL = "answering-model"


def ranked(prompt: str) -> str:
    """Return all labels of the prompt, `[1] "Title"`, in an order that only the prompt decides."""
    labels = re.findall(r'^\[(\w+)\] "', prompt, re.MULTILINE)
    random.Random(prompt).shuffle(labels)
    return " > ".join(f"[{label}]" for label in labels)


async def serve(seconds: float) -> None:
    asked = Counter[str]()

    async def complete(request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        text = json.dumps(body["messages"])
        asked[hashlib.sha256(text.encode()).hexdigest()] += 1
        await asyncio.sleep(seconds)
        message = {"role": "assistant", "content": ranked(body["messages"][-1]["content"])}
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 20}
        return web.json_response(
            {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
        )

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": MODEL, "owned_by": "someone"}]})

    async def counts(_: web.Request) -> web.Response:
        return web.json_response(asked)

    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/asked", counts)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", flush=True)
    await asyncio.Event().wait()


@dataclass(frozen=True)
class Endpoint:
    base_url: str

    def asked(self) -> dict[str, int]:
        """Return how often each question was asked."""
        with urllib.request.urlopen(self.base_url.removesuffix("v1") + "asked", timeout=10) as answer:
            return json.loads(answer.read())


@contextmanager
def answering(milliseconds: int) -> Iterator[Endpoint]:
    """Start the server, and end it."""
    command = [sys.executable, str(Path(__file__)), str(milliseconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield Endpoint(server.stdout.readline().strip())
        finally:
            server.terminate()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) / 1000))
