"""A real HTTP server on the loopback that does what real endpoints do, fault by fault, as the test scripts it.

A step with `raw` bytes goes past the HTTP library: what stands on the wire is what the test wrote, however wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Literal, Self

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
    raw: tuple[bytes, ...] | None = None
    """What is sent in the place of HTTP."""
    pause: float = 0.0
    """Seconds between one part of `raw` and the next."""
    then: Literal["close", "reset", "hold", "repeat"] = "close"
    """What becomes of the connection after `raw`: closed, reset, silent, or the last part sent again and again."""

    @property
    def slow(self) -> bool:
        """Whether a client must lose patience."""
        return bool(self.hang or self.trickle or self.pause) or (
            self.raw is not None and self.then in ("hold", "repeat")
        )


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


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def raw(*parts: bytes, then: Literal["close", "reset", "hold", "repeat"] = "close", pause: float = 0.0) -> Step:
    """Return a step that sends these bytes."""
    return Step(raw=parts, then=then, pause=pause)


def framed(body: bytes, *headers: str, length: int | None = None) -> Step:
    """Return a step that sends a body with headers of its own, and a length that may be wrong."""
    lines = [*headers, f"Content-Length: {len(body) if length is None else length}"]
    return raw(HEAD + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)


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
        self,
        *script: Step,
        answer: Callable[[Mapping[str, Any]], Step] | None = None,
        models: Step | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self.tls = tls
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
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http{'s' if self.tls else ''}://{host}:{port}/v1"
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
        if step.raw is not None:
            return await self._play_raw(step, step.raw, request)
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

    async def _play_raw(self, step: Step, parts: tuple[bytes, ...], request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        for number, part in enumerate(parts):
            await asyncio.sleep(step.pause if number else 0)
            transport.write(part)
        while step.then == "repeat" and not transport.is_closing():
            transport.write(parts[-1])
            await asyncio.sleep(0.001)
        if step.then == "hold":
            await asyncio.sleep(3600)
        if step.then == "reset":
            transport.abort()
        else:
            transport.close()
        # The library has nothing to add: the connection is gone.
        return web.Response()
