"""A real HTTP server on the loopback with a Batch API: /files, /batches, /files/{id}/content; and it keeps accounts."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.scripted_server import ScriptedServer, completion

Body = dict[str, Any]
Moment = tuple[Literal["upload", "create", "list", "look", "download"], Literal["before", "after"]]


def answered(body: Mapping[str, Any]) -> tuple[int, Body]:
    """Return a status and a completion that is a function of the question, so that every way of asking gives it."""
    said = str(body["messages"][-1]["content"])
    return 200, completion(f"{len(said)} characters")


def refused_line(status: int, message: str, **error: Any) -> tuple[int, Body]:
    return status, {"error": {"message": message, **error}}


@dataclass(frozen=True)
class Plan:
    """How a batch goes."""

    ends: Literal["completed", "failed", "expired", "cancelled"] = "completed"
    looks: int = 0
    """Looks before it has ended."""
    answers: int | None = None
    """How many lines are worked on before it ends; None: all."""
    errors: list[Body] = field(default_factory=list)
    """Why it is refused as a whole."""


class BatchServer(ScriptedServer):
    """Works on the lines of a batch once, when it is created: that is what costs money."""

    def __init__(
        self,
        *,
        answer: Callable[[Mapping[str, Any]], tuple[int, Body]] = answered,
        plan: Callable[[int], Plan] = lambda _: Plan(),
        hold: Moment | None = None,
    ) -> None:
        super().__init__(answer=lambda body: self._directly(body))
        self.line, self.plan, self.hold = answer, plan, hold
        self.held = asyncio.Event()
        """Set when a call has come to the moment `hold`; it gets no answer, and the hold is over."""
        self.files: dict[str, bytes] = {}
        self.batches: list[Body] = []
        self.looks: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        """How often each question was answered, directly or in a batch."""
        self.name = "batch"
        """What the names of batches begin with."""
        self.cuts = 0
        """How many downloads are cut off in the middle."""
        self.has_empty_files = False
        self.spoilt: list[Callable[[bytes], bytes]] = []
        """What becomes of the files of the next downloads, one after another, though all seems well."""
        self.refuses_once: dict[str, int] = {}
        """A status with which the next call of a kind (`create`, …) is refused; 200 is a proxy's page."""
        self.alters: dict[str, Callable[[Body], object]] = {}
        """What becomes of the JSON of each reply to a kind of call (`upload`, `create`, `look`, `list`), though what it
        asks for is done; an HTTPException is the reply."""

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.post("/v1/files", self._upload),
            web.get("/v1/files/{id}/content", self._download),
            web.post("/v1/batches", self._create),
            web.get("/v1/batches", self._list),
            web.get("/v1/batches/{id}", self._look),
        ]

    def _answer(self, body: Mapping[str, Any]) -> tuple[int, Body]:
        status, content = self.line(body)
        self.paid[json.dumps(body["messages"])] += status == 200
        return status, content

    def _directly(self, body: Mapping[str, Any]) -> Any:
        from tests.scripted_server import Step

        status, content = self._answer(body)
        return Step(status, json.dumps(content))

    async def _at(self, moment: Moment) -> None:
        if self.hold == moment:
            self.hold = None
            self.held.set()
            await asyncio.sleep(3600)

    def _refuse(self, kind: str) -> web.Response | None:
        if (status := self.refuses_once.pop(kind, None)) is None:
            return None
        if status == 200:
            return web.Response(text="<html>please sign in</html>", content_type="text/html")
        return web.json_response({"error": {"message": f"{kind} is refused"}}, status=status)

    def _reply(self, kind: str, content: Body) -> web.Response:
        altered = self.alters[kind](content) if kind in self.alters else content
        if isinstance(altered, web.HTTPException):
            raise altered
        return web.json_response(altered)

    def _add(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    async def _upload(self, request: web.Request) -> web.Response:
        content = await request.post()
        await self._at(("upload", "before"))
        assert content["purpose"] == "batch"
        upload = content["file"]
        assert isinstance(upload, web.FileField)
        name = self._add(upload.file.read())
        await self._at(("upload", "after"))
        return self._reply("upload", {
            "id": name, "object": "file", "bytes": len(self.files[name]), "created_at": int(time.time()),
            "filename": upload.filename, "purpose": "batch", "status": "processed",
        })  # fmt: skip

    async def _create(self, request: web.Request) -> web.Response:
        content = await request.json()
        await self._at(("create", "before"))
        if refusal := self._refuse("create"):
            return refusal
        batch = {
            "id": f"{self.name}_{len(self.batches)}",
            "object": "batch",
            "endpoint": content["endpoint"],
            "completion_window": content["completion_window"],
            "input_file_id": content["input_file_id"],
            "metadata": content["metadata"],
            "created_at": int(time.time()),
            "status": "validating",
        }
        plan = self.plan(len(self.batches))
        self.batches.append(batch)
        self._work(batch, plan)
        await self._at(("create", "after"))
        return self._reply("create", {**batch, "output_file_id": None, "error_file_id": None, "errors": None})

    def _work(self, batch: Body, plan: Plan) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        good, bad = [], []
        for number, line in enumerate([] if plan.ends == "failed" else lines):
            assert (line["method"], line["url"]) == ("POST", batch["endpoint"])
            whole = {"id": f"batch_req_{number}", "custom_id": line["custom_id"], "response": None, "error": None}
            if plan.answers is not None and number >= plan.answers:
                if plan.ends == "expired":
                    why = {"code": "batch_expired", "message": "This request could not be executed in time."}
                    bad.append({**whole, "error": why})
                continue
            status, body = self._answer(line["body"])
            whole["response"] = {"status_code": status, "request_id": "r", "body": body}
            (good if status == 200 else bad).append(whole)
        # Lines come back in no order.
        for kind, found in (("output_file_id", good[::-1]), ("error_file_id", bad)):
            batch[kind] = (
                self._add(b"".join(json.dumps(line).encode() + b"\n" for line in found))
                if found or self.has_empty_files
                else None
            )
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        batch["errors"] = {"object": "list", "data": plan.errors} if plan.errors else None
        batch["ends"], batch["needs"] = plan.ends, plan.looks

    async def _look(self, request: web.Request) -> web.Response:
        found = next((one for one in self.batches if one["id"] == request.match_info["id"]), None)
        if found is None:
            return web.json_response({"error": {"message": "No batch found"}}, status=404)
        await self._at(("look", "before"))
        if refusal := self._refuse("look"):
            return refusal
        self.looks[found["id"]] += 1
        if self.looks[found["id"]] > found["needs"]:
            return self._reply("look", {**found, "status": found["ends"]})
        return self._reply("look", {**found, "status": "in_progress", "output_file_id": None, "error_file_id": None})

    async def _list(self, request: web.Request) -> web.Response:
        await self._at(("list", "before"))
        newest_first = self.batches[::-1]
        names = [batch["id"] for batch in newest_first]
        after = request.query.get("after")
        start = names.index(after) + 1 if after in names else 0
        # Smaller pages than were asked for, so that paging is always at work.
        page = newest_first[start : start + 2]
        more = start + 2 < len(names)
        return self._reply("list", {"object": "list", "data": page, "has_more": more})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        await self._at(("download", "before"))
        if refusal := self._refuse("download"):
            return refusal
        if self.cuts:
            self.cuts -= 1
            response = web.StreamResponse(headers={"Content-Length": "100000"})
            await response.prepare(request)
            await response.write(self.files[request.match_info["id"]][:100])
            assert request.transport is not None
            request.transport.abort()
            return response
        if (content := self.files.get(request.match_info["id"])) is None:
            raise web.HTTPNotFound
        return web.Response(body=self.spoilt.pop(0)(content) if self.spoilt else content)
