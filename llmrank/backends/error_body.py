"""What an endpoint says in the body of an error status."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The fields of an error as OpenAI has them; empty where the body has none."""

    message: str
    """The whole body where it has no message: a proxy's page, or JSON of another form."""
    param: str = ""
    code: str = ""
    type: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the fields of the object under `error`, or of the object that the body is; any text is read."""
        try:
            body: Any = json.loads(text)
        except ValueError:
            return cls(text)
        error = body.get("error", body) if isinstance(body, dict) else body
        if not isinstance(error, dict):
            return cls(error if isinstance(error, str) else text)
        message = error.get("message")
        fields = (error.get(name) for name in ("param", "code", "type"))
        named = ("" if field is None else str(field) for field in fields)
        return cls(message if isinstance(message, str) else text, *named)
