"""Nobody: the backend of a baseline, which asks no question."""

from __future__ import annotations

from collections.abc import Mapping

from llmrank.errors import FatalBackendError
from llmrank.types import Capabilities, Request, Response


class NullBackend:
    """Can nothing, and answers nothing."""

    capabilities = Capabilities()
    identity: Mapping[str, str] = {"kind": "nobody"}

    async def answer(self, request: Request) -> Response:
        """Raise FatalBackendError: a ranker that asks was taken for one that does not."""
        raise FatalBackendError("there is nobody to ask\n  hint: name a backend")

    async def close(self) -> None:
        """Do nothing."""
