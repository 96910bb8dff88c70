"""Lists of item ids, a user a line, as LLMRank keeps what its recall models propose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmrank.data.tables import open_binary
from llmrank.errors import InputError


@dataclass(frozen=True, slots=True)
class Proposal:
    """The candidates of a user, by id."""

    line: int
    user_id: str
    item_ids: tuple[str, ...]
    """Best first."""
    scores: tuple[float, ...] | None = None


def read_lists(path: Path) -> Iterator[Proposal]:
    """Yield the lists of LLMRank (Hou et al. 2024): a line `user<TAB>item item …`, best first.

    Raises:
        InputError: a line without a tab, or a second line for a user.
    """
    lines: dict[str, int] = {}
    for line, text in text_lines(path):
        user, tab, ids = text.partition("\t")
        if not tab or not user.strip():
            raise InputError(f"no list: {text[:60]!r}", path=path, line=line, hint="write `user<TAB>item item …`")
        if (first := lines.setdefault(user.strip(), line)) != line:
            hint = f"keep one line for each user; the first is {first}"
            raise InputError("a second line for the user", path=path, line=line, user=user.strip(), hint=hint)
        yield Proposal(line, user.strip(), tuple(ids.split()))


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not blank, with their numbers; InputError where one is not in UTF-8."""
    if not path.is_file():
        raise InputError("there is no such file", path=path, hint="check the name")
    with open_binary(path) as file:
        for line, content in enumerate(file, 1):
            try:
                text = content.decode("utf-8-sig" if line == 1 else "utf-8")
            except UnicodeDecodeError as error:
                problem = f"not in UTF-8: byte 0x{content[error.start]:02x} at place {error.start + 1} of the line"
                raise InputError(problem, path=path, line=line, hint="save it as UTF-8") from None
            if text.strip():
                yield line, text.rstrip("\r\n")
