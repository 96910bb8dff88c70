"""What is wrong with a template, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmrank.errors import InputError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding of the linter."""

    path: Path
    line: int
    message: str
    hint: str

    @classmethod
    def of(cls, error: InputError, path: Path, line: int = 1) -> Problem:
        """Return the Problem that an error reports."""
        message = error.problem if error.field is None else f"{error.field}: {error.problem}"
        return cls(path, error.line or line, message, error.hint)

    def error(self) -> InputError:
        """Return the Problem as an error to be raised."""
        return InputError(self.message, path=self.path, line=self.line, hint=self.hint)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}\n  hint: {self.hint}"
