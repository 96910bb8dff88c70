"""A quick check of whole Parquet batches, for reranking: `RowReader` checks row by row what is not clearly valid."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from llmrank.data.candidate_row import LONGEST_TITLE, ROW_FIELDS, misspelt_field
from llmrank.data.rows import TIME_UNITS, Arrow, is_text

pc: Any = pyarrow.compute


class _UncertainError(Exception):
    """The batch is not clearly valid: its rows must be checked one by one."""


class BatchCounts(NamedTuple):
    """What a `CandidateSummary` counts, of the rows of a batch."""

    case_ids: list[str]
    empty_histories: int
    rows_with_seen: int
    falling_histories: int


def check_batch(batch: Arrow) -> BatchCounts | None:
    """Return the counts of a batch of ranking rows; None if it is not clearly valid: then `RowReader` must check each
    row. `relevant` and `rating` are ignored."""
    names: list[str] = batch.schema.names
    known = {name: batch.column(name) for name in names if name in ROW_FIELDS - {"relevant", "rating"}}
    try:
        _require(len(set(names)) == len(names) and misspelt_field(names) is None)
        _require(all(name not in known or known[name].null_count == len(batch) for name in ("target", "response")))
        _require({"user_id", "candidates"} <= known.keys())
        for column in known.values():
            column.validate(full=True)
        user_id, case_id = _ids(known["user_id"]), known.get("case_id")
        if case_id is not None and case_id.null_count < len(batch):
            user_id = _ids(case_id)
        past_rows, past = _entries(known.get("history"), ("rating", "timestamp"))
        rows, offered = _entries(known["candidates"], ("score",))
    except (_UncertainError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    codes = pa.concat_arrays([past, offered]).dictionary_encode()
    code = np.concatenate([past_rows, rows]) * max(1, len(codes.dictionary)) + codes.indices.to_numpy()
    of_past, of_offered = np.split(code, [len(past)])
    if len(np.unique(of_offered)) < len(of_offered) or len(np.unique(rows)) < len(batch):
        return None  # a duplicate candidate, or a row without candidates
    seen = len(np.unique(rows[np.isin(of_offered, of_past)]))
    falling = _falling(known["history"], past_rows) if len(past_rows) else 0
    return BatchCounts(user_id.to_pylist(), len(batch) - len(np.unique(past_rows)), seen, falling)


def _falling(history: Arrow, rows: NDArray[np.int64]) -> int:
    """Return the number of rows in which a timestamp is below an earlier one; `rows` has the row of each event."""
    if (place := history.type.value_type.get_field_index("timestamp")) < 0:
        return 0
    times = history.flatten().field(place).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    rows, times = rows[~np.isnan(times)], times[~np.isnan(times)]
    return len(np.unique(rows[1:][(np.diff(rows) == 0) & (np.diff(times) < 0)]))


def _require(holds: bool) -> None:
    if not holds:
        raise _UncertainError


def _entries(column: Arrow, numbers: tuple[str, ...]) -> tuple[NDArray[np.int64], Arrow]:
    """Return the row and the id of each entry in a column of lists of items."""
    none = np.zeros(0, np.int64), pa.array([], pa.string())
    if column is None or column.null_count == len(column):
        return none
    _require(pa.types.is_list(column.type) or pa.types.is_large_list(column.type))
    entries, kind = column.flatten(), column.type.value_type
    if not len(entries):
        return none
    _require(pa.types.is_struct(kind) and entries.null_count == 0)
    fields = {kind.field(place).name: entries.field(place) for place in range(kind.num_fields)}
    _require({"item_id", "title"} <= fields.keys() and len(fields) == kind.num_fields)
    title = fields["title"]
    _require(_is_visible(title) and pc.max(pc.utf8_length(title)).as_py() <= LONGEST_TITLE)
    if "attributes" in fields:
        _require(any(test(fields["attributes"].type) for test in (pa.types.is_map, pa.types.is_struct)))
    for values in (fields[name] for name in numbers if name in fields):
        _require(pa.types.is_integer(values.type) or pa.types.is_floating(values.type))
        _require(pc.all(pc.is_finite(values)).as_py() is not False)
        _require(numbers != ("score",) or values.null_count in (0, len(values)))
    if "timestamp" in fields and (largest := pc.max(pc.abs(fields["timestamp"])).as_py()) is not None:
        _require(largest <= TIME_UNITS[-1][0])  # in seconds
    return pc.list_parent_indices(column).to_numpy().astype(np.int64), _ids(fields["item_id"])


def _ids(column: Arrow) -> Arrow:
    _require(column.null_count == 0 and (pa.types.is_integer(column.type) or _is_visible(column)))
    return column.cast(pa.string())


def _is_visible(column: Arrow) -> bool:
    """Return whether every value of a non-empty column is text other than white space."""
    if column.null_count or not is_text(column.type):
        return False
    return pc.min(pc.binary_length(pc.utf8_trim_whitespace(column))).as_py() > 0
