"""TREC runs and qrels: `user Q0 item rank score tag` and `user 0 item relevance`, one judgement a line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from llmrank.data.candidates import replacing
from llmrank.data.lists import Proposal, text_lines
from llmrank.errors import InputError
from llmrank.types import Case


def read_trec_run(path: Path) -> Iterator[Proposal]:
    """Yield each user's items, best first: by score, as trec_eval reads a run, and of equal scores by the rank column.

    Raises:
        InputError: a line is malformed, or a user's lines do not stand together; with the line.
    """
    done: set[str] = set()
    for user, lines in groupby(_run_lines(path), key=lambda row: row[1]):
        rows = list(lines)
        first = rows[0][0]
        if user in done:
            hint = "sort the run by user: sort -s -k1,1"
            raise InputError("the user's lines do not stand together", path=path, line=first, user=user, hint=hint)
        done.add(user)
        rows.sort(key=lambda row: (-row[4], row[3]))
        yield Proposal(first, user, tuple(row[2] for row in rows), tuple(row[4] for row in rows))


def write_trec_run(
    path: Path, rankings: Iterable[tuple[str, Sequence[str]]], *, tag: str = "llmrank", overwrite: bool = False
) -> None:
    """Write (user id, item ids best first) pairs as a run. Scores fall by 1 from the number of items: none are equal.

    Raises:
        InputError: the file is there already; or an id holds white space, which a run cannot hold.
    """
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for user, order in rankings:
            for rank, item_id in enumerate(order, 1):
                word = f"{_word(user, path, user)} Q0 {_word(item_id, path, user)}"
                file.write(f"{word} {rank} {len(order) - rank + 1} {tag}\n")


def read_qrels(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the relevant item ids (relevance above 0) of each user, in file order."""
    relevant: dict[str, list[str]] = {}
    for line, text in text_lines(path):
        fields = text.split()
        if len(fields) != 4 or math.isnan(relevance := _number(fields[3])):
            problem = f"no qrels line: {text[:60]!r}"
            raise InputError(problem, path=path, line=line, hint="write `user 0 item relevance`")
        if relevance > 0 and fields[2] not in relevant.setdefault(fields[0], []):
            relevant[fields[0]].append(fields[2])
    return {user: tuple(ids) for user, ids in relevant.items()}


def write_qrels(path: Path, cases: Iterable[Case], *, overwrite: bool = False) -> None:
    """Write what is relevant for each Case, with relevance 1.

    Raises:
        InputError: the file is there already; or an id holds white space.
    """
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for case in cases:
            for item_id in case.relevant:
                file.write(f"{_word(case.user_id, path, case.user_id)} 0 {_word(item_id, path, case.user_id)} 1\n")


def _run_lines(path: Path) -> Iterator[tuple[int, str, str, float, float]]:
    for line, text in text_lines(path):
        fields = text.split()
        if len(fields) != 6 or math.isnan(rank := _number(fields[3])) or math.isnan(score := _number(fields[4])):
            problem = f"no line of a TREC run: {text[:60]!r}"
            raise InputError(problem, path=path, line=line, hint="write `user Q0 item rank score tag`")
        yield line, fields[0], fields[2], rank, score


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _word(text: str, path: Path, user: str) -> str:
    if not text or text.split() != [text]:
        hint = "give ids without white space, or write a candidate file in place of a run"
        raise InputError(f"the id {text!r} cannot stand in a TREC file", path=path, user=user, hint=hint)
    return text
