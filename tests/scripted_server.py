"""A real HTTP server on the loopback that does what real endpoints do, fault by fault, as the test scripts it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

MODEL = "scripted-model"


@dataclass(frozen=True)
class Step:
    """What one call gets."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: float = 0.0
    """Seconds of silence before anything is sent."""
    reset: bool = False
    """Cut the connection in the middle of the body."""
    trickle: float = 0.0
    """Seconds between one byte of the body and the next."""


def completion(content: Any = "fine", *, finish_reason: str | None = "stop", **message: Any) -> dict[str, Any]:
    """Return a well-formed chat completion."""
    return {
        "id": "1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


def good(content: Any = "fine", **more: Any) -> Step:
    """Return a step that answers."""
    return Step(body=json.dumps(completion(content, **more)), headers={"Content-Type": "application/json"})


def refused(status: int, message: str = "no", *, headers: Mapping[str, str] | None = None, **error: Any) -> Step:
    """Return a step that refuses as OpenAI does."""
    body = json.dumps({"error": {"message": message, **error}})
    return Step(status, body, {"Content-Type": "application/json", **(headers or {})})


class ScriptedServer:
    """Plays the script's steps in order, one a call; the last one is played again for every further call.

    A script may also be a function of the request's JSON, for a server under load.
    """

    def __init__(
        self, *script: Step, answer: Callable[[Mapping[str, Any]], Step] | None = None, models: Step | None = None
    ) -> None:
        self.script, self.choose, self.calls = list(script) or [good()], answer, 0
        self.models = models or Step(body=json.dumps({"data": [{"id": MODEL, "owned_by": "someone"}]}))
        self.seen: list[dict[str, Any]] = []
        """The JSON of every call to chat/completions."""
        self.authorization: list[str | None] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/chat/completions", self._complete), web.get("/v1/models", self._models)]

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 26)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        return await self._play(self.models, request)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        content = json.loads(await request.read())
        self.seen.append(content)
        self.authorization.append(request.headers.get("Authorization"))
        step = self.choose(content) if self.choose else self.script[min(self.calls, len(self.script) - 1)]
        self.calls += 1
        return await self._play(step, request)

    async def _play(self, step: Step, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(step.hang)
        headers = {"Content-Type": "application/json", **step.headers}
        if step.trickle:
            slow = web.StreamResponse(status=step.status, headers=headers)
            await slow.prepare(request)
            # The client gives up in the middle.
            with contextlib.suppress(ConnectionResetError):
                for byte in step.body.encode():
                    await slow.write(bytes([byte]))
                    await asyncio.sleep(step.trickle)
            return slow
        if not step.reset:
            return web.Response(status=step.status, body=step.body.encode(), headers=headers)
        response = web.StreamResponse(status=step.status, headers={**headers, "Content-Length": "1000"})
        await response.prepare(request)
        await response.write(step.body.encode()[:20] or b'{"choices": [{"m')
        assert request.transport is not None
        request.transport.abort()
        return response
