"""The errors a person meets: what is wrong, where, and the hint. Each knows the exit code of the command line."""

from __future__ import annotations

import errno
import re
from dataclasses import fields, is_dataclass
from difflib import SequenceMatcher, get_close_matches
from importlib import import_module
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from pydantic import BaseModel, ValidationError


UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""Characters that move the cursor, colour, reorder or hide text, and halves of surrogate pairs, which have no UTF-8."""


NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
NO_FILES_HINT = "raise the limit of open files (ulimit -n), or lower --concurrency; the same command then continues"


def safe_for_console(text: str) -> str:
    """Return foreign text as it can be shown in a terminal or a log: what could act on the screen is escaped (`\\x1b`).

    Line breaks and tabs stay. A library with a markup of its own (rich) needs its own escape on top.
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str, most: int = 300) -> str:
    """Return foreign text in one line of at most `most` characters, safe for a console."""
    line = " ".join(text[: 4 * most].split())
    return safe_for_console(line if len(line) <= most else f"{line[: most - 1]}…")


def module_of(extra: str, name: str) -> Any:  # noqa: ANN401 - a module
    """Return a module that an extra of llmrank installs; raises MissingError where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name} is not installed", hint=f"pip install 'llmrank[{extra}]'") from error


class LlmrankError(Exception):
    """Base of all errors that llmrank raises on purpose."""

    exit_code = 2

    def __reduce__(self) -> tuple[Any, ...]:
        # As an Exception says it, it would be made again of its text alone; a process pool that gets an error it cannot
        # make again breaks, or waits for ever.
        return _again, (type(self), str(self), vars(self))


def _again(kind: type[LlmrankError], text: str, values: Mapping[str, Any]) -> LlmrankError:
    error = kind.__new__(kind, text)
    vars(error).update(values)
    return error


class InputError(LlmrankError):
    """Bad usage or bad input (exit code 2)."""

    def __init__(
        self,
        problem: str,
        *,
        hint: str,
        path: Path | str | None = None,
        line: int | None = None,
        field: str | None = None,
        user: str | None = None,
    ) -> None:
        self.problem, self.hint, self.path, self.line, self.field, self.user = problem, hint, path, line, field, user
        place = [
            f"{path}" if path is not None else "",
            f"line {line}" if line is not None else "",
            f"field {field!r}" if field is not None else "",
            f"user {user!r}" if user is not None else "",
        ]
        where = ", ".join(part for part in place if part)
        super().__init__(f"{where}: {problem}\n  hint: {hint}" if where else f"{problem}\n  hint: {hint}")


class MissingError(LlmrankError):
    """Something is not there that could be: a package, a model, an endpoint, a key (exit code 3)."""

    exit_code = 3

    def __init__(self, problem: str, *, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(f"{problem}\n  hint: {hint}")


class TooManyErrorsError(LlmrankError):
    """More Cases failed than --max-error-rate allows (exit code 4); the rest is done and saved."""

    exit_code = 4


class UnfinishedError(LlmrankError):
    """Parts of a job could not be done; the others are done and saved. The exit code is that of the first reason."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class BoundReachedError(LlmrankError):
    """The next call could pass a bound that the user set (exit code 5); nothing is wrong, and the rest is saved.

    A code of its own, so that a script can tell it from an error (another try won't help) and from Ctrl-C (130).
    """

    exit_code = 5


class StoppedError(LlmrankError):
    """The user asked the run to stop (exit code 130); what was answered is saved, and the same command continues."""

    exit_code = 130


class BackendError(LlmrankError):
    """A call got no answer. Its text is for people; it never becomes an answer."""

    exit_code = 3
    charged = False
    """Whether the endpoint may charge for the call all the same: it was sent, and not refused."""


class TransientError(BackendError):
    """A fault that may pass: worth another try. After the last try it is the BackendError that the caller meets."""

    def __init__(self, message: str, *, kind: str, wait: float | None = None, charged: bool | None = None) -> None:
        self.kind = kind
        """`429` (the endpoint takes no more just now), `4xx`, `5xx`, `timeout`, `connection`, `certificate`, `tls`,
        `unreadable` (what came is of no model: a web page, say), or `no_answer` (a model's, and no answer)."""
        self.charged = kind in ("timeout", "connection", "unreadable", "no_answer") if charged is None else charged
        self.wait = wait
        """Seconds that the endpoint asked for; None when it did not say."""
        super().__init__(message)

    @property
    def throttled(self) -> bool:
        """Whether the endpoint refused the call because it gets too many, which is no fault of this one."""
        return self.kind == "429"

    @property
    def came(self) -> bool:
        """Whether something came that is no answer."""
        return self.kind in ("unreadable", "no_answer")


class FatalBackendError(BackendError):
    """A failure that every further call would meet too (wrong key, no such model): the run stops at once."""


class EngineDiedError(FatalBackendError):
    """The engine in this process is dead; another process may have better luck with the same question."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known name closest to `name` in any case, or an empty string."""
    names = {one.casefold(): one for one in known}
    matches = get_close_matches(name.casefold(), names, n=1, cutoff=0.5)
    return f"; did you mean {names[matches[0]]!r}?" if matches else ""


def from_validation(
    error: ValidationError,
    model: type[BaseModel],
    *,
    path: Path | str | None = None,
    lines: Mapping[tuple[str, ...], int] | None = None,
    hint: str,
    not_keys: Collection[str] = (),
) -> InputError:
    """Return what pydantic found as an error with file, line and field; of several faults the one that lies deepest, a
    misspelt key before the one that is missing for it.

    `lines` has the line of each key, `hint` is said where nothing better is known. Where a value may be of several
    kinds, pydantic puts their names (`not_keys`) among the keys.
    """
    unknown = ("extra_forbidden", "unexpected_keyword_argument")
    faults: list[Any] = error.errors(include_url=False)
    fault = max(faults, key=lambda one: (len(one["loc"]), one["type"] in unknown))
    place = tuple(str(part) for part in fault["loc"] if part not in not_keys)
    problem, key = str(fault["msg"]).removeprefix("Value error, "), place[-1] if place else ""
    if fault["type"] in unknown:
        known = _keys_at(model, place[:-1])
        problem, hint = f"unknown key{nearest(key, known)}", f"use one of {', '.join(known)}" if known else hint
    elif fault["type"] == "missing":
        hint = f"add the key {key!r}"
    elif fault["type"] == "literal_error":
        hint = f"use {fault['ctx']['expected']}"
    line = None
    if lines is not None:
        line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 1)
    return InputError(problem, path=path, line=line, field=".".join(place) or None, hint=hint)


def _keys_at(model: type[BaseModel], place: tuple[str, ...]) -> list[str]:
    """Return the keys that a model has at a place within it; none where neither model nor dataclass stands there."""
    kind: Any = model
    for key in place:
        if get_origin(kind) is dict:  # of any keys
            kind = get_args(kind)[1]
            continue
        field = next((field for name, field in kind.model_fields.items() if key in (name, field.alias)), None)
        kind = None if field is None else field.annotation
        if is_dataclass(kind):
            return [field.name for field in fields(kind)]
        if not (get_origin(kind) is dict or (isinstance(kind, type) and hasattr(kind, "model_fields"))):
            return []
    return [] if get_origin(kind) is dict else [field.alias or name for name, field in kind.model_fields.items()]


DIFF_LINES = 12
"""Lines of a changed text that an error shows; more say no more."""
LINE_WIDTH = 100


def flat_settings(settings: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Return settings without nesting, each under its full name: `sampling.seed`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat_settings(value, f"{within}{name}.") if isinstance(value, dict) else {f"{within}{name}": value}
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two sets of settings, an entry for each: `sampling.seed: was 0, now 1`.

    A changed text of several lines is shown as a short diff; the hash of a text that is shown is left out.
    """
    old, new = flat_settings(before), flat_settings(now)
    changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    found: list[str] = []
    for name in changed:
        was, is_now = old.get(name), new.get(name)
        if isinstance(was, str) and isinstance(is_now, str) and "\n" in was + is_now:
            found.append("\n      ".join([f"{name}:", *_short_diff(was, is_now)]))
        elif not (name.endswith("_sha256") and name.removesuffix("_sha256") in changed):
            shown = [f"{one[name]!r:.80}" if name in one else "not set" for one in (old, new)]
            found.append(f"{name}: was {shown[0]}, now {shown[1]}")
    return found


def refuse_differences(
    before: Mapping[str, Any], now: Mapping[str, Any], problem: str, *, path: Path, hint: str
) -> None:
    """Raise InputError where two sets of settings differ: the problem, and below it what differs."""
    if found := differences(before, now):
        raise InputError("\n    ".join([f"{problem}:", *found]), path=path, hint=hint)


def _short_diff(old: str, new: str) -> Iterator[str]:
    """Yield the lines that went (-) and came (+), after the number that the first of them has in the old text."""
    before, now = old.splitlines(), new.splitlines()
    lines: list[str] = []
    for kind, start, end, first, last in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind != "equal":
            lines.append(f"line {start + 1}:")
            for went, came in zip_longest(before[start:end], now[first:last]):
                # Of long lines that begin alike, what differs must be seen.
                pairs = enumerate(zip(went or "", came or "", strict=False))
                place = next((place for place, (one, other) in pairs if one != other), 0)
                lines += [
                    f"{sign}{_from(line, place)}" for sign, line in (("-", went), ("+", came)) if line is not None
                ]
    yield from lines[:DIFF_LINES] or ["only the kind of line breaks, or that at the end"]
    if len(lines) > DIFF_LINES:
        yield f"… and {len(lines) - DIFF_LINES} more lines"


def _from(line: str, place: int) -> str:
    start = 0 if len(line) <= LINE_WIDTH else max(0, place - LINE_WIDTH // 3)
    rest = len(line) > start + LINE_WIDTH
    return f"{'…' if start else ''}{line[start : start + LINE_WIDTH]}{'…' if rest else ''}"
