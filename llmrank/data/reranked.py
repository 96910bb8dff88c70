"""The reranked file: a candidate file with what a ranker made of its rows, written so that a kill loses nothing."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from llmrank.data.candidate_row import RERANKED_FIELDS, CandidateRow, case_row, parse_row
from llmrank.data.candidates import check_free, file_format, write_lines, write_rows
from llmrank.errors import InputError, differences
from llmrank.files import append_line, cannot_write, claim
from llmrank.types import Outcome, Ranking, Usage

AT_ONCE = 65_536
"""Rows for which numbers are held at once."""


class RerankedWriter:
    """Writes each reranked row as it is done, in any order; `finish` makes the file, in the order of the input.

    Until then the rows stand in `PATH.part`, appended and flushed one by one. Opened again with the same settings, it
    goes on: what is there is `in` the writer, but for rows with a failed call. Memory: 17 bytes a row,
    and 8 more at the end.

    ```python
    with RerankedWriter(Path("reranked.parquet"), settings={...}) as writer:
        for row in read_rows(Path("candidates.parquet")):
            if row not in writer:
                writer.write(row, *rerank(row.case))
        writer.finish()
    ```
    """

    def __init__(self, path: Path, *, settings: Mapping[str, object], overwrite: bool = False) -> None:
        """Open or go on.

        Args:
            path: `.parquet`, `.jsonl` or `.jsonl.gz`.
            settings: All that decides the rows, the hash of the input file included; plain values, for JSON.
            overwrite: Begin again, whatever is there.

        Raises:
            InputError: the file is there already; or an unfinished one, made with other settings, or being written by
                another process.
        """
        self._path, self._part, self._overwrite = path, path.with_name(path.name + ".part"), overwrite
        file_format(path)
        check_free(path, overwrite=overwrite)
        self._lines, self._offsets, self._done = array("Q"), array("Q"), bytearray()
        header = ("settings\t" + json.dumps(settings, sort_keys=True, ensure_ascii=False) + "\n").encode()
        try:
            self._part.touch()
            self._file = self._part.open("r+b", buffering=0)
        except OSError as error:
            raise cannot_write(self._part, error) from error
        try:
            self._claim()
            if overwrite:
                self._file.truncate(0)
            self._resume(header)
        except InputError:
            self._file.close()
            raise

    def __contains__(self, row: CandidateRow) -> bool:
        return row.line < len(self._done) and bool(self._done[row.line])

    def __len__(self) -> int:
        """Return the number of rows that are done."""
        return self._done.count(1)

    def write(self, row: CandidateRow, ranking: Ranking, usage: Usage, *, failed: bool = False) -> None:
        """Add a row: what it had, `ranking`, `scores` (aligned with it, or null), `outcome`, `repairs`, `usage`.

        `failed` says that a call got no answer, so that the row is to be done again when this is gone on with; a row
        whose outcome is `error` always is. Raises InputError where the disk refuses it.
        """
        added = {
            "ranking": list(ranking.order),
            "scores": None if ranking.scores is None else list(ranking.scores),
            "outcome": str(ranking.outcome),
            "repairs": dict(ranking.repairs),
            "usage": asdict(usage),
        }
        text = json.dumps({**row.raw, **added}, ensure_ascii=False, default=str)
        state = "failed" if failed or ranking.outcome is Outcome.ERROR else "done"
        offset = self._file.seek(0, os.SEEK_END)
        append_line(self._file, f"{row.line}\t{state}\t{text}\n".encode(), self._part)
        self._note(row.line, state, offset)

    def finish(self) -> int:
        """Make the file out of the rows, in the order of the input, and return their number.

        Raises InputError where it cannot be written; the rows are kept, and it can be tried again.
        """
        try:
            count = self._write_file()
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self._file.close()
        self._part.unlink()
        return count

    def _write_file(self) -> int:
        if file_format(self._path) == "parquet":
            extra = sorted({name for row in self._rows() for name in row.extra})
            rows = (_parquet_row(row, extra) for row in self._rows())
            return write_rows(self._path, rows, overwrite=self._overwrite, response=True, further=_fields(extra))
        return write_lines(self._path, (text for _, text in self._texts()), overwrite=self._overwrite)

    def close(self) -> None:
        """Close it; an unfinished one can be gone on with."""
        self._file.close()

    def __enter__(self) -> RerankedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _claim(self) -> None:
        if not claim(self._file, self._part):
            hint = "wait until it has ended, or name another output"
            raise InputError("another process is writing this file", path=self._part, hint=hint)

    def _resume(self, header: bytes) -> None:
        end = 0
        with self._part.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break  # cut off by a kill
                if number == 0 and (found := _differences(line, header)):
                    problem = "an unfinished file was made with other settings:\n    " + "\n    ".join(found)
                    hint = "go on with the settings of then, or begin again with --force"
                    raise InputError(problem, path=self._part, hint=hint)
                if number:
                    place, state, _ = line.split(b"\t", 2)
                    self._note(int(place), state.decode(), end)
                end += len(line)
        self._file.truncate(end)
        if not end:
            append_line(self._file, header, self._part)

    def _note(self, line: int, state: str, offset: int) -> None:
        self._lines.append(line)
        self._offsets.append(offset)
        self._done.extend(bytes(max(0, line + 1 - len(self._done))))
        self._done[line] = state == "done"

    def _texts(self) -> Iterator[tuple[int, bytes]]:
        """Yield the line number and the text of each row, in the order of the input; of a row done twice, the last."""
        import numpy as np

        # Where the row of each line stands among those written; a later one takes the place of an earlier one.
        places = np.full(len(self._done), -1, dtype=np.int64)
        lines = np.frombuffer(self._lines, dtype=np.uint64)
        for start in range(0, len(lines), AT_ONCE):
            some = lines[start : start + AT_ONCE]
            places[some] = np.arange(start, start + len(some))
        with self._part.open("rb") as file:
            for line, place in enumerate(places):
                if place >= 0:
                    file.seek(self._offsets[place])
                    yield line, file.readline().split(b"\t", 2)[2]

    def _rows(self) -> Iterator[CandidateRow]:
        for line, text in self._texts():
            yield parse_row(json.loads(text), path=self._part, line=line, allow_empty_history=True)


def _differences(before: bytes, now: bytes) -> list[str]:
    return differences(*(json.loads(line.partition(b"\t")[2]) for line in (before, now)))


def _fields(extra: list[str]) -> list[Any]:
    import pyarrow as pa

    text, count = pa.string(), pa.int64()
    usage = pa.struct([pa.field(name, count) for name in asdict(Usage())])
    return [
        *(pa.field(name, text) for name in extra),
        pa.field("ranking", pa.list_(text)),
        pa.field("scores", pa.list_(pa.float64())),
        pa.field("outcome", text),
        pa.field("repairs", pa.map_(text, count)),
        pa.field("usage", usage),
    ]


def _parquet_row(row: CandidateRow, extra: list[str]) -> dict[str, object]:
    """Return a row for Parquet: attributes as text, and fields that are not ours as text (JSON if they were none)."""
    foreign = {name: row.raw.get(name) for name in extra}
    texts = {
        name: value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in foreign.items()
    }
    ours = {name: row.raw[name] for name in RERANKED_FIELDS}
    missed = {"missed": list(row.missed)} if row.missed else {}
    return {**case_row(row.case, nested=True), **missed, "response": row.response, **texts, **ours}
