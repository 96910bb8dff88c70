"""TREC runs and qrels: lines of `user Q0 item rank score tag` and of `user 0 item relevance`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from llmrank.data.candidate_writing import write_lines
from llmrank.data.lines import text_lines
from llmrank.data.table import Table
from llmrank.errors import InputError
from llmrank.types import Case


def read_trec_run(path: Path) -> Table:
    """Return a run as a table of `user`, `item`, `rank` and `score`, one row per line.

    Raises InputError: a line is malformed.
    """
    lines, users, items = list[int](), list[str](), list[str]()
    ranks, scores = list[float](), list[float]()
    for line, text in text_lines(path):
        fields = text.split()
        if len(fields) != 6 or math.isnan(rank := _number(fields[3])) or math.isnan(score := _number(fields[4])):
            problem = f"malformed line of a TREC run: {text[:60]!r}"
            raise InputError(problem, path=path, line=line, hint="write `user Q0 item rank score tag`")
        lines.append(line)
        users.append(fields[0])
        items.append(fields[2])
        ranks.append(rank)
        scores.append(score)
    return Table(path, pa.table({"user": users, "item": items, "rank": ranks, "score": scores}), lines)


def write_trec_run(
    path: Path, rankings: Iterable[tuple[str, Iterable[tuple[str, float]]]], *, overwrite: bool = False
) -> None:
    """Write a run of (case id, [(item id, score), …]) pairs, best item first.

    Raises InputError: the file already exists, or an id contains white space, which the format does not allow.
    """
    lines = (
        f"{_word(name, path, name)} Q0 {_word(item_id, path, name)} {rank} {score:.17g} llmrank\n".encode()
        for name, scored in rankings
        for rank, (item_id, score) in enumerate(scored, 1)
    )
    write_lines(path, lines, overwrite=overwrite)


def read_qrels(path: Path) -> dict[str, dict[str, float]]:
    """Return the gain of each user's relevant items (relevance above 0), in file order; users without any are absent.

    Raises InputError: a line is malformed or contradicts an earlier one.
    """
    judged: dict[str, dict[str, float]] = {}
    for line, text in text_lines(path):
        fields = text.split()
        if len(fields) != 4 or not math.isfinite(relevance := _number(fields[3])):
            problem = f"malformed qrels line: {text[:60]!r}"
            raise InputError(problem, path=path, line=line, hint="write `user 0 item relevance`")
        if judged.setdefault(fields[0], {}).setdefault(fields[2], relevance) != relevance:
            problem, hint = f"item {fields[2]!r} has two different relevances", "keep one line for it"
            raise InputError(problem, path=path, line=line, user=fields[0], hint=hint)
    gains = {user: {item_id: gain for item_id, gain in ids.items() if gain > 0} for user, ids in judged.items()}
    return {user: relevant for user, relevant in gains.items() if relevant}


def is_qrels(path: Path) -> bool:
    """Return whether a file, whatever its name, begins with a line of qrels (`user 0 item relevance`), not a header."""
    if path.suffix.lower() == ".parquet":
        return False
    fields = next((text.split() for _, text in text_lines(path)), [])
    return len(fields) == 4 and fields[1] in ("0", "Q0") and math.isfinite(_number(fields[3]))


def write_qrels(path: Path, cases: Iterable[Case], *, overwrite: bool = False) -> None:
    """Write the relevant items of each Case with their gains (default 1), under its case id.

    Raises InputError: the file already exists, an id contains white space, or a gain is not an integer: trec_eval and
    similar tools would truncate 0.5 to 0.
    """

    def judged(case: Case) -> Iterator[bytes]:
        for item_id, gain in case.gain_of.items():
            words = f"{_word(case.case_id, path, case.user_id)} 0 {_word(item_id, path, case.user_id)}"
            if not float(gain).is_integer():
                problem = f"the gain {gain:g} of item {item_id!r} is not an integer, which TREC files require"
                hint = "write csv or parquet instead, or use integer gains in the data (3, 2, 1)"
                raise InputError(problem, path=path, user=case.user_id, hint=hint)
            yield f"{words} {gain:.0f}\n".encode()

    write_lines(path, (line for case in cases for line in judged(case)), overwrite=overwrite)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _word(text: str, path: Path, user: str) -> str:
    if not text or text.split() != [text]:
        hint = "use ids without white space; or write csv, parquet or a candidate file instead"
        raise InputError(f"the id {text!r} is not allowed in a TREC file", path=path, user=user, hint=hint)
    return text
