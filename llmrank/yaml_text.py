"""Reads untrusted YAML safely: plain values with the line number of every key, and strict limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from llmrank.errors import InputError

MOST_CHARACTERS = 1_000_000
MOST_LEVELS = 32
HINT = "write one 'key: value' per line, with quotes around text that holds : or #"

Lines = dict[tuple[str, ...], int]
"""The line number of each key, by its path of keys."""


def read_text(path: Path, hint: str = "check the file's permissions") -> str:
    """Return the text of a file written by a person; raise InputError if it is not UTF-8, or, with the hint, if it
    cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError("not UTF-8", path=path, line=line, hint="save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint=hint) from error


def read_yaml(source: str, path: Path, *, first_line: int = 1, numbers: bool = True) -> tuple[dict[Any, Any], Lines]:
    """Return the mapping in a YAML text and the line numbers of its keys; `first_line` is that of the text's first
    line.

    Without `numbers`, numbers are kept as text, as on the command line: the model `3.10` is not 3.1.

    Raises InputError with file and line for invalid YAML, a text that is not a mapping, a duplicate key, and features
    that no file needs: aliases, more than 32 levels, more than a million characters.
    """
    if len(source) > MOST_CHARACTERS:
        raise InputError(f"longer than {MOST_CHARACTERS:,} characters", path=path, hint="shorten the file")
    try:
        loader = (_Loader if numbers else _TextLoader)(source)
    except ReaderError as error:
        line, problem = first_line + source.count("\n", 0, error.position), f"the character U+{error.character:04X}"
        raise InputError(f"not valid YAML: {problem}", path=path, line=line, hint="remove it") from error
    try:
        root = loader.get_single_node()
        lines = dict(_lines(root, path, first_line)) if isinstance(root, yaml.MappingNode) else None
        values = None if lines is None else cast(object, loader.construct_document(root))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + first_line
        raise InputError(f"not valid YAML: {error.problem}", path=path, line=line, hint=HINT) from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"not valid YAML: {problem}", path=path, line=first_line, hint=HINT) from error
    finally:
        loader.dispose()
    if lines is None or not isinstance(values, dict):
        raise InputError("contains no keys", path=path, line=first_line, hint=HINT)
    return cast("dict[Any, Any]", values), lines


_PLAIN = (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+", [*"-+.0123456789"]),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", [*"-+."]),
    ("merge", "<<", ["<"]),
)
"""Unquoted values that are not text: tag, pattern, and the possible first characters."""


def _resolvers(*without: str) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the resolvers in PyYAML's form, by first character, leaving out the tags in `without`."""
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, firsts in _PLAIN:
        for first in firsts if tag not in without else ():
            found.setdefault(first, []).append((f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})$")))
    return found


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with limited depth, without aliases, and with a line number for every unreadable value.

    It reads words and numbers as the core schema of YAML 1.2 does (section 10.3.2): `off` is text, not false; `010` and
    `1:30` are text, not numbers.
    """

    levels = 0
    yaml_implicit_resolvers = _resolvers()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - as PyYAML has it
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise ComposerError(
                None, None, "an alias (*name) is not allowed here; write the value out", event.start_mark
            )
        self.levels += 1
        if self.levels > MOST_LEVELS:
            raise ComposerError(None, None, f"nested more than {MOST_LEVELS} levels deep", event.start_mark)
        node = super().compose_node(parent, index)
        self.levels -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401 - any value
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:  # `!!int "abc"`, a date that does not exist
            text = f"{node.value!r:.40}" if isinstance(node, yaml.ScalarNode) else "the value"
            raise ConstructorError(None, None, f"{text} cannot be read ({error!s:.80})", node.start_mark) from error


class _TextLoader(_Loader):
    yaml_implicit_resolvers = _resolvers("int", "float")


def _lines(
    node: yaml.MappingNode, path: Path, first_line: int, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], int]]:
    seen: set[str] = set()
    for key, value in cast("Sequence[tuple[yaml.Node, yaml.Node]]", node.value):
        name, line = str(cast(object, key.value)), key.start_mark.line + first_line
        if name in seen:
            raise InputError("given twice", path=path, line=line, field=name, hint="keep one of them")
        seen.add(name)
        yield (*above, name), line
        if isinstance(value, yaml.MappingNode):
            yield from _lines(value, path, first_line, (*above, name))
