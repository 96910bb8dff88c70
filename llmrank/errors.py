"""The errors a person meets: what is wrong, where, and the mend. Each knows the exit code of the command line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class LlmrankError(Exception):
    """Base of all errors that llmrank raises on purpose."""

    exit_code = 2


class InputError(LlmrankError):
    """Bad usage or bad input (exit code 2)."""

    def __init__(
        self,
        problem: str,
        *,
        mend: str,
        path: Path | str | None = None,
        line: int | None = None,
        field: str | None = None,
        user: str | None = None,
    ) -> None:
        self.problem, self.mend, self.path, self.line, self.field, self.user = problem, mend, path, line, field, user
        place = [
            f"{path}" if path is not None else "",
            f"line {line}" if line is not None else "",
            f"field {field!r}" if field is not None else "",
            f"user {user!r}" if user is not None else "",
        ]
        where = ", ".join(part for part in place if part)
        super().__init__(f"{where}: {problem}\n  mend: {mend}" if where else f"{problem}\n  mend: {mend}")


class MissingError(LlmrankError):
    """Something is not there that could be: a package, a model, an endpoint, a key (exit code 3)."""

    exit_code = 3

    def __init__(self, problem: str, *, mend: str) -> None:
        self.problem, self.mend = problem, mend
        super().__init__(f"{problem}\n  mend: {mend}")


class TooManyErrorsError(LlmrankError):
    """More Cases failed than --max-error-rate allows (exit code 4); the rest is done and saved."""

    exit_code = 4


class UnfinishedError(LlmrankError):
    """Parts of a job could not be done; the others are done and saved. The exit code is that of the first reason."""

    def __init__(self, problem: str, *, mend: str, exit_code: int) -> None:
        self.problem, self.mend, self.exit_code = problem, mend, exit_code
        super().__init__(f"{problem}\n  mend: {mend}")


class BackendError(LlmrankError):
    """A call got no answer. Its text is for people; it never becomes an answer."""

    exit_code = 3


class FatalBackendError(BackendError):
    """A failure that every further call would meet too (wrong key, no such model): the run stops at once."""


class EngineDiedError(FatalBackendError):
    """The engine in this process is dead; another process may have better luck with the same question."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known name closest to `name`, or an empty string."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""
