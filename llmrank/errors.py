"""The errors shown to users: what is wrong, where, and a hint. Each class has its command-line exit code."""

from __future__ import annotations

import errno
import re
from dataclasses import fields, is_dataclass
from difflib import SequenceMatcher, get_close_matches
from importlib import import_module
from itertools import zip_longest
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pydantic import BaseModel, ValidationError


UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""Characters that move the cursor, change colours, or reorder or hide text, and lone surrogates, which UTF-8 cannot
encode."""


NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
NO_FILES_HINT = "raise the limit of open files (ulimit -n), or lower --concurrency; the same command then continues"


def safe_for_console(text: str) -> str:
    """Return untrusted text made safe for a terminal or a log: control characters are escaped (`\\x1b`).

    Line breaks and tabs stay. A library with its own markup (rich) needs its own escaping in addition.
    """
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str, most: int = 300) -> str:
    """Return untrusted text on one line of at most `most` characters, safe for a console."""
    line = " ".join(text[: 4 * most].split())
    return safe_for_console(line if len(line) <= most else f"{line[: most - 1]}…")


def count_of(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 Case`, `2,000 Cases`. `many` is the plural if it is not `one` and an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def module_of(extra: str, name: str) -> Any:  # noqa: ANN401 - a module
    """Import and return a module that an optional extra of llmrank installs; raise MissingError if it is missing."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name} is not installed", hint=f"pip install 'llmrank[{extra}]'") from error


_OPTION = re.compile(
    r"(?P<command>\b(?:llmrank|pip|gunicorn|jq|iconv|ulimit)\b[^,;)`]*)"
    r"|--column (?P<role>\w+)=(?P<column>[\w-]+)"
    r"|(?<![\w-])--?(?P<name>(?<=--)[a-z][a-z-]+|[a-z]\b)"
    r"(?: (?P<value>\d[\d.]*\b(?: \d[\d.]*\b)?|[A-Z_]+\b|https?://[^\s,;)]+|'[^']*')"
    r"| (?P<word>(?:\w+[.:/-])+\w+|(?!(?:and|or)\b)[a-z]+(?:_[a-z]+)*(?=[,;)]|: | or | and | for | \(| --|$)))?"
)
"""A command; a named column; or an option, with its value if that is a number, a placeholder, an address, in quotes, a
name such as `ml-100k` or `i/n`, or a word that ends a clause."""
_PAIR = re.compile(r"(\d\S*) (\d\S*)")
_HINT = re.compile(r"^  hint: .*", re.MULTILINE)
_FOR_PYTHON = re.compile(r"; in Python, [^)\n]*")
"""The part of a hint that the command line leaves out."""
_IN_PYTHON = {
    "force": "overwrite=True",
    "o": "out",
    "column": "columns",
    "from": "format",
    "skip-bad-rows": "skip_bad_rows=True",
    "file-order": "file_order=True",
    "no-profile": "no_profile=True",
    "no-history": "show_history=False",
}
"""Options with another name in Python, and switches that hints recommend."""


def in_python(hint: str) -> str:
    """Return a hint for the command line as one for Python: `--first-top 20` is `first_top=20`, and `--fuse` is `fuse`.
    Whole commands stay as they are."""

    def rename(found: re.Match[str]) -> str:
        if found["command"]:
            return found["command"]
        if found["role"]:
            return f"columns={{{found['role']!r}: {found['column']!r}}}"
        name = _IN_PYTHON.get(found["name"], found["name"].replace("-", "_"))
        value = (found["value"] and _PAIR.sub(r"(\1, \2)", found["value"])) or (found["word"] and repr(found["word"]))
        return f"{name}={value}" if value else name

    return _OPTION.sub(rename, hint)


class LlmrankError(Exception):
    """Base class of all errors that llmrank raises deliberately. As text, hints name settings as in Python."""

    exit_code = 2
    continues = False
    """Whether the same command continues the work. In Python, where nobody gave a command, the same call does."""

    @property
    def message(self) -> str:
        """The message, safe for a console, whose hints name settings as options of the command line."""
        return _FOR_PYTHON.sub("", safe_for_console(super().__str__()))

    def __str__(self) -> str:
        # Only hints: the problem may quote an endpoint, whose options are not ours.
        text = _HINT.sub(lambda found: in_python(found[0]), safe_for_console(super().__str__()))
        return text.replace("the same command", "the same call") if self.continues else text

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, unpickling calls the class with the message alone. That fails for other signatures, and a process
        # pool that cannot unpickle an error breaks or hangs.
        return _unpickled, (type(self), self.message, vars(self))


def _unpickled(kind: type[LlmrankError], text: str, values: Mapping[str, Any]) -> LlmrankError:
    error = kind.__new__(kind, text)
    vars(error).update(values)
    return error


class InputError(LlmrankError):
    """Invalid usage or input (exit code 2)."""

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
            "" if line is None else f"line {line}",
            "" if field is None else _named(field),
            "" if user is None else f"user {user!r}",
        ]
        self.place = ", ".join(filter(None, place))
        """Line, field and user in words."""
        where = ", ".join(filter(None, ["" if path is None else f"{path}", self.place]))
        super().__init__(f"{where}: {problem}\n  hint: {hint}" if where else f"{problem}\n  hint: {hint}")


def expect(value: object, kind: type | tuple[type, ...], expected: str, field: str) -> None:
    """Raise InputError unless an argument is of one of these types, which `expected` describes: `a path`. True and
    False are no integers."""
    if not isinstance(value, kind) or (kind is Integral and isinstance(value, bool)):
        raise InputError(f"expected {expected}, got {value!r:.80}", field=field, hint=f"pass {expected}")


def as_path(value: str | PathLike[str], field: str = "path") -> Path:
    """Return an argument as a Path; raise InputError if it names no file or folder: an empty text, a number."""
    expect(value, (str, PathLike), "a path", field)
    if value == "":
        raise InputError("the path is empty", field=field, hint="name a file or a folder")
    return Path(value)


def _named(field: str) -> str:
    """Return how an error names an option (`--users`), an environment variable (`LLMRANK_USERS`) or a field."""
    if field.startswith("-"):
        return field
    return f"environment variable {field}" if field.isupper() else f"field {field!r}"


class MissingError(LlmrankError):
    """Something required is missing: a package, a model, an endpoint, a key (exit code 3)."""

    exit_code = 3

    def __init__(self, problem: str, *, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(f"{problem}\n  hint: {hint}")


class TooManyErrorsError(LlmrankError):
    """More Cases failed than --max-error-rate allows (exit code 4); the others are finished and saved."""

    exit_code = 4
    continues = True


class UnfinishedError(LlmrankError):
    """Parts of a job failed; the others are finished and saved. The exit code is that of the first failure."""

    continues = True

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class BoundReachedError(LlmrankError):
    """The next call could exceed a limit set by the user (exit code 5). Nothing failed, and all results are saved.

    Its own exit code lets a script tell it from an error (where a retry would not help) and from Ctrl-C (130).
    """

    exit_code = 5
    continues = True

    def __str__(self) -> str:
        return in_python(super().__str__())


class StoppedError(LlmrankError):
    """The user stopped the run (exit code 130). All answers are saved, and the same command continues."""

    exit_code = 130


class BackendError(LlmrankError):
    """A call got no answer. The message is for people; it is never treated as an answer."""

    exit_code = 3
    charged = False
    """Whether the endpoint may still bill the call: it was sent and not refused."""


class TransientError(BackendError):
    """A failure worth retrying. After the last attempt, the caller sees it as a BackendError."""

    def __init__(self, message: str, *, kind: str, wait: float | None = None, charged: bool | None = None) -> None:
        self.kind = kind
        """`429` (rate limited), `busy` and `loading` (a 5xx that says so), `4xx`, `5xx`, `timeout`, `connection`,
        `certificate`, `tls`, `unreadable` (the reply is not from a model: a web page, say), or `no_answer` (it is from
        a model, but is not an answer)."""
        self.charged = kind in ("timeout", "connection", "unreadable", "no_answer") if charged is None else charged
        self.wait = wait
        """Seconds to wait, as the endpoint requested; None if it did not."""
        super().__init__(message)

    @property
    def throttled(self) -> bool:
        """Whether the endpoint refused the call because it gets too many, not because of the call itself."""
        return self.kind in ("429", "busy")

    @property
    def loading(self) -> bool:
        """Whether the endpoint said that its model is loading."""
        return self.kind == "loading"

    @property
    def came(self) -> bool:
        """Whether a reply arrived that is not an answer."""
        return self.kind in ("unreadable", "no_answer")


class FatalBackendError(BackendError):
    """A failure that every further call would meet too (invalid key, unknown model). The run stops at once."""


class EngineDiedError(FatalBackendError):
    """The in-process engine died. The same request may succeed in another process."""


def nearest(name: str, known: Iterable[str], ending: str = "") -> str:
    """Return `; did you mean 'x'?` for the known name closest to `name`, ignoring case, or an empty string.

    `ending` is shown behind the name.
    """
    names = {one.casefold(): one for one in known}
    matches = get_close_matches(name.casefold(), names, n=1, cutoff=0.6)
    return f"; did you mean {names[matches[0]] + ending!r}?" if matches else ""


def from_validation(
    error: ValidationError,
    model: type[BaseModel],
    *,
    path: Path | str,
    lines: Mapping[tuple[str, ...], int],
    hint: str,
    not_keys: Collection[str] = (),
) -> InputError:
    """Convert a pydantic ValidationError into an InputError with file, line and field. Of several errors, report the
    most deeply nested one, and prefer an unknown key (probably misspelt) to a missing one.

    `lines` gives the line of each key. `hint` is the fallback. For a union, pydantic inserts the names of its members
    (`not_keys`) among the keys.
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
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 1)
    return InputError(problem, path=path, line=line, field=".".join(place) or None, hint=hint)


def _keys_at(model: type[BaseModel], place: tuple[str, ...]) -> list[str]:
    """Return the keys that a model accepts at a nested place; none if there is neither a model nor a dataclass."""
    kind: Any = model
    for key in place:
        if get_origin(kind) is dict:  # any key
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
"""Maximum number of diff lines in an error."""
LINE_WIDTH = 100


def flat_settings(settings: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Flatten nested settings, with dotted names: `sampling.seed`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat_settings(value, f"{within}{name}.") if isinstance(value, dict) else {f"{within}{name}": value}
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the differences between two sets of settings, one entry each: `sampling.seed: was 0, now 1`.

    Multi-line texts are shown as a short diff. The hash of a text that is shown is omitted.
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
    """Raise InputError if two sets of settings differ: `problem`, followed by the differences."""
    if found := differences(before, now):
        raise InputError("\n    ".join([f"{problem}:", *found]), path=path, hint=hint)


def _short_diff(old: str, new: str) -> Iterator[str]:
    """Yield removed (-) and added (+) lines, preceded by the line number in the old text."""
    before, now = old.splitlines(), new.splitlines()
    lines: list[str] = []
    for kind, start, end, first, last in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind != "equal":
            lines.append(f"line {start + 1}:")
            for went, came in zip_longest(before[start:end], now[first:last]):
                # Start long lines shortly before the first difference, so that it is visible.
                pairs = enumerate(zip(went or "", came or "", strict=False))
                place = next((place for place, (one, other) in pairs if one != other), 0)
                lines += [
                    f"{sign}{_from(line, place)}" for sign, line in (("-", went), ("+", came)) if line is not None
                ]
    yield from lines[:DIFF_LINES] or ["only the line endings, or the one at the end, differ"]
    if len(lines) > DIFF_LINES:
        yield f"… and {count_of(len(lines) - DIFF_LINES, 'more line')}"


def _from(line: str, place: int) -> str:
    start = 0 if len(line) <= LINE_WIDTH else max(0, place - LINE_WIDTH // 3)
    rest = len(line) > start + LINE_WIDTH
    return f"{'…' if start else ''}{line[start : start + LINE_WIDTH]}{'…' if rest else ''}"
