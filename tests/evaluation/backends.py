"""Backends of a user's own."""

from __future__ import annotations

from collections.abc import Mapping

from llmrank.backends import BaseBackend
from llmrank.types import Request, Response


class Constant(BaseBackend):
    """Answers everything alike."""

    def __init__(self, text: str) -> None:
        self.text, self.asked, self.closed = text, 0, False

    @property
    def identity(self) -> Mapping[str, str]:
        return {"kind": "constant", "model": self.text}

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        return Response(self.text)

    async def close(self) -> None:
        self.closed = True
