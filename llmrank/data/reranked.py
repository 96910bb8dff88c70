"""The reranked file: a candidate file with what a ranker made of its rows, written so that a kill loses nothing."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from llmrank.data.candidate_row import RERANKED_FIELDS, CandidateRow, case_row, parse_row
from llmrank.data.candidates import check_free, file_format, write_lines, write_rows
from llmrank.errors import InputError
from llmrank.types import Outcome, Ranking, Usage


class RerankedWriter:
    """Writes each reranked row as it is done, in any order; `finish` makes the file, in the order of the input.

    Until then the rows stand in `PATH.part`, appended and flushed one by one. Opened again with the same settings, it
    goes on: what is there is `in` the writer, but for rows that ended in an error. Memory: 17 bytes a row.

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
            InputError: the file is there already; or an unfinished one, made with other settings.
        """
        self._path, self._part, self._overwrite = path, path.with_name(path.name + ".part"), overwrite
        file_format(path)
        check_free(path, overwrite=overwrite)
        self._lines, self._offsets, self._done = array("Q"), array("Q"), bytearray()
        header = ("settings\t" + json.dumps(settings, sort_keys=True, ensure_ascii=False) + "\n").encode()
        self._file = self._part.open("w+b" if overwrite or not self._part.exists() else "r+b")
        try:
            self._resume(header)
        except InputError:
            self._file.close()
            raise

    def __contains__(self, row: CandidateRow) -> bool:
        return row.line < len(self._done) and bool(self._done[row.line])

    def __len__(self) -> int:
        """Return the number of rows that are done."""
        return self._done.count(1)

    def write(self, row: CandidateRow, ranking: Ranking, usage: Usage) -> None:
        """Add a row: what it had, `ranking`, `scores` (aligned with it, or null), `outcome`, `repairs`, `usage`."""
        added = {
            "ranking": list(ranking.order),
            "scores": None if ranking.scores is None else list(ranking.scores),
            "outcome": str(ranking.outcome),
            "repairs": dict(ranking.repairs),
            "usage": asdict(usage),
        }
        text = json.dumps({**row.raw, **added}, ensure_ascii=False, default=str)
        self._note(row.line, ranking.outcome, self._file.tell())
        self._file.write(f"{row.line}\t{ranking.outcome}\t{text}\n".encode())
        self._file.flush()

    def finish(self) -> int:
        """Make the file out of the rows, in the order of the input, and return their number."""
        if file_format(self._path) == "parquet":
            extra = sorted({name for row in self._rows() for name in row.extra})
            rows = (_parquet_row(row, extra) for row in self._rows())
            count = write_rows(self._path, rows, overwrite=self._overwrite, response=True, further=_fields(extra))
        else:
            count = write_lines(self._path, (text for _, text in self._texts()), overwrite=self._overwrite)
        self._file.close()
        self._part.unlink()
        return count

    def close(self) -> None:
        """Close it; an unfinished one can be gone on with."""
        self._file.close()

    def __enter__(self) -> RerankedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _resume(self, header: bytes) -> None:
        end = 0
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break  # cut off by a kill
            if number == 0 and line != header:
                problem = f"an unfinished file was made with other settings: {_difference(line, header)}"
                mend = "go on with the settings of then, or begin again with --force"
                raise InputError(problem, path=self._part, mend=mend)
            if number:
                place, outcome, _ = line.split(b"\t", 2)
                self._note(int(place), Outcome(outcome.decode()), end)
            end += len(line)
        self._file.seek(end)
        self._file.truncate()
        if not end:
            self._file.write(header)
            self._file.flush()

    def _note(self, line: int, outcome: Outcome, offset: int) -> None:
        self._lines.append(line)
        self._offsets.append(offset)
        self._done.extend(bytes(max(0, line + 1 - len(self._done))))
        self._done[line] = outcome is not Outcome.ERROR

    def _texts(self) -> Iterator[tuple[int, bytes]]:
        """Yield the line number and the text of each row, in the order of the input; of a row done twice, the last."""
        import numpy as np

        lines = np.frombuffer(self._lines, dtype=np.uint64)
        order = np.argsort(lines, kind="stable")
        last = np.append(lines[order][1:] != lines[order][:-1], True) if len(order) else np.zeros(0, dtype=bool)
        with self._part.open("rb") as file:
            for place in order[last]:
                file.seek(self._offsets[place])
                yield self._lines[place], file.readline().split(b"\t", 2)[2]

    def _rows(self) -> Iterator[CandidateRow]:
        for line, text in self._texts():
            yield parse_row(json.loads(text), path=self._part, line=line, allow_empty_history=True)


def _difference(before: bytes, now: bytes) -> str:
    old, new = (json.loads(text.partition(b"\t")[2]) for text in (before, now))
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return "; ".join(f"{name} was {old.get(name)!r} and is {new.get(name)!r}" for name in names)


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
