"""Converts candidates from other programs' formats to candidate files: the library behind `llmrank convert`.

Every format is first read into a long table, with one row per user and item: a retriever's table (wide ones are
unfolded), TREC runs (`trec.py`), LLMRank's lists and rank_llm's requests (both here). `candidate_table` turns that
into a candidate file, adding titles from an items table, and histories and relevant items from their own files.
TALLRec's test sets (`tallrec.py`) are read as Cases directly. Nothing is dropped silently: the notes count it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray
from pydantic_core import from_json

from llmrank.data.candidate_writing import case_table, json_line, parquet_schema, write_lines, write_tables
from llmrank.data.candidates import TableSource, arrow_table, file_format
from llmrank.data.lines import text_lines
from llmrank.data.recbole import read_atomic_events, read_atomic_items, without_types
from llmrank.data.retriever_table import (
    MISSING_USER,
    ROLES,
    Gains,
    LeftOut,
    Owner,
    candidate_table,
    case_keys,
    gains_by_owner,
    long_table,
    refuse_distance,
    trimmed_ids,
    with_trimmed_ids,
)
from llmrank.data.rows import TIME_HINT, Arrow, EventRows, attribute_text, no_order
from llmrank.data.sequences import read_sequence_file
from llmrank.data.table import ALIASES, EARLIEST, Table, UnreadableError
from llmrank.data.table import ROLES as EVENT_ROLES
from llmrank.data.table_files import read_table
from llmrank.data.tables import EXTENSIONS, item_column, read_event_rows, read_item_rows
from llmrank.data.tallrec import read_tallrec
from llmrank.data.trec import is_qrels, read_qrels, read_trec_run
from llmrank.errors import InputError, expect, nearest
from llmrank.files import check_free

pc: Any = pyarrow.compute
FORMATS: Mapping[str, str] = {
    "table": "a retriever's table: a row per user and item (user, item, score, …), or a row per user with lists",
    "trec": "a TREC run",
    "lists": "LLMRank's lists: `user<TAB>item item …`, best first",
    "rank_llm": "rank_llm's requests in JSON lines",
    "tallrec": "TALLRec's test sets: yes/no questions",
}
"""The formats that `convert` reads."""
_READ: Mapping[str, Callable[[Table, str], NDArray[np.float64]]] = {
    "timestamp": Table.seconds,
    "relevant": Table.gains,
    "gain": Table.gains,
    **{role: partial(Table.numbers, what=role) for role in ("score", "rank", "rating", "position")},
}
"""How to read the columns of roles that are not text."""
_SOURCES: Mapping[str, tuple[str, Callable[[Path], bool]]] = {
    "proposed": ("the table", lambda path: True),
    "items": ("the items", lambda path: path.suffix != ".item"),
    "past": ("the histories", lambda path: path.suffix not in (".inter", ".txt")),
    "relevant": (
        "what is relevant",
        lambda path: path.is_dir() or (path.name.lower().endswith(EXTENSIONS) and not is_qrels(path)),
    ),
}
"""For each source: its name in messages if it is a table in memory, and whether a path of it is read as a table."""
_TITLES = ("title", "text", "segment", "contents", "content", "passage", "body")


def read_external(
    proposed: TableSource,
    format: str,
    *,
    items: TableSource | None = None,
    histories: TableSource | None = None,
    relevant: TableSource | None = None,
    columns: Mapping[str, str] | None = None,
    file_order: bool = False,
    drop_duplicates: bool = False,
    skip_bad_rows: bool = False,
) -> tuple[Arrow, list[str]]:
    """Convert a file of another format. Return a candidate file (a `pyarrow.Table`) and notes about columns with
    unusual names and about everything that was dropped.

    The arguments are those of `llmrank.convert`; `format` is one of `FORMATS`. Raises InputError: with file, line, user
    and hint.
    """
    path = proposed if isinstance(proposed, Path) else "the table"
    columns, sources = columns or {}, {"items": items, "past": histories, "relevant": relevant}
    _refuse_sources(format, path, sources)
    if format == "tallrec":
        return case_table(list(read_tallrec(_file(proposed, format))), parquet_schema()), []
    tables = _tables({"proposed": proposed, **sources} if format == "table" else sources, columns)
    has_cases = format == "table" and tables["proposed"].find("case") is not None
    if "case" in columns and not has_cases:
        hint = "add the column to the table of candidates, or drop the option"
        raise InputError("the table of candidates has no such column", path=path, field="case", hint=hint)
    owners: dict[str, Owner] = {
        what: "case" if has_cases and table.find("case") is not None else "user" for what, table in tables.items()
    }
    left_out = LeftOut(skip_bad_rows=skip_bad_rows, drop_duplicates=drop_duplicates)
    past, gains = _read_past(histories, tables, owners, left_out)
    if past is not None and past.in_file_order and not file_order:
        raise no_order(past.path, past.notes)
    roles = ("user", "item", "title", "score", "rank")
    queries = known = None
    if format == "table":
        dated = past is not None and past.timestamp is not None and owners.get("past", "user") == "user"
        table, roles = _proposals(tables["proposed"], has_cases, dated, left_out)
    elif format == "rank_llm":
        table, queries = read_rank_llm(_file(proposed, format))
    else:
        table = (read_trec_run if format == "trec" else read_lists)(_file(proposed, format))
    if "relevant" in tables:
        gains = read_gains(tables["relevant"], owners["relevant"], left_out)
    elif isinstance(relevant, Path):
        gains, owners["relevant"] = read_qrels(relevant), "case_id" if has_cases else "user"
    if "items" in tables:
        known = read_item_rows(with_trimmed_ids(tables["items"], left_out, [item_column(tables["items"])]))
    elif isinstance(items, Path):
        known = read_atomic_items(items)
    made = candidate_table(
        with_trimmed_ids(table, left_out),
        items=known,
        histories=past,
        queries=queries,
        relevant=gains,
        owners=owners,
        roles=roles,
        left_out=left_out,
    )
    guessed = () if past is None else past.notes
    return made, [*guessed, *(f"{what}: {count:,}" for what, count in left_out.items() if count)]


def _read_past(
    histories: TableSource | None, tables: Mapping[str, Table], owners: Mapping[str, Owner], left_out: LeftOut
) -> tuple[EventRows | None, Gains | None]:
    """Return the events of the histories, and the targets in their file as relevant items; None if there are none."""
    if "past" in tables:
        events = with_trimmed_ids(long_table(tables["past"], LeftOut()), left_out)
        events = _readable(events, (*EVENT_ROLES, "case"), left_out)
        return replace(read_event_rows(events), user=_owners(events, owners["past"])), None
    if isinstance(histories, Path):
        past, targets = read_histories(histories)
        return past, targets or None
    return None, None


def convert_file(
    path: Path,
    format: str,
    output: Path,
    *,
    overwrite: bool = False,
    **options: Any,  # those of `read_external`
) -> tuple[int, list[str]]:
    """Convert a file to a candidate file (`.parquet`, `.jsonl` or `.jsonl.gz`).

    Return its number of rows, and notes as `read_external` does. Raises InputError with file, line, user and hint.
    """
    kind = file_format(output)
    sources = [path, options.get("items"), options.get("histories"), options.get("relevant")]
    check_free(output, overwrite=overwrite, sources=sources)
    table, notes = read_external(path, format, **options)
    if kind == "parquet":
        return write_tables(output, iter([table]), table.schema, overwrite=overwrite), notes
    lines = (
        # Keep a null response: `score` counts rows without an answer.
        json_line({name: value for name, value in row.items() if value is not None or name == "response"})
        for batch in table.to_batches(max_chunksize=1024)
        for row in batch.to_pylist(maps_as_pydicts="lossy")
    )
    return write_lines(output, lines, overwrite=overwrite), notes


def read_lists(path: Path) -> Table:
    """Return the lists of LLMRank (Hou et al. 2024) as a table: a line `user<TAB>item item …`, best first.

    Raises InputError: a line has no tab, or repeats a user.
    """
    lines: dict[str, int] = {}
    rows: list[tuple[str, str]] = []
    for line, text in text_lines(path):
        user, tab, ids = text.partition("\t")
        user = user.strip()
        if not tab or not user:
            problem, hint = f"malformed list: {text[:60]!r}", "write `user<TAB>item item …`"
            raise InputError(problem, path=path, line=line, hint=hint)
        if (first := lines.setdefault(user, line)) != line:
            problem, hint = f"duplicate user (first seen on line {first})", "keep one line per user"
            raise InputError(problem, path=path, line=line, user=user, hint=hint)
        rows += [(user, item_id) for item_id in ids.split() or [""]]
    return Table(path, _texts_table(rows), [lines[user] for user, _ in rows])


def read_rank_llm(path: Path) -> tuple[Table, EventRows]:
    """Return the requests of rank_llm as a table, and their queries as events, which stand in for histories.

    Each line is a request: `{"query": {"qid": …, "text": …}, "candidates": [{"docid": …, "score": …, "doc": {…}}]}`.
    A candidate's title is the `title` of `doc`, else its text.

    Raises InputError: a line is malformed.
    """
    rows: list[dict[str, Any]] = []
    queries: dict[str, str] = {}
    lines: list[int] = []
    for line, text in text_lines(path):
        try:
            request: Any = from_json(text)
            user, query = str(request["query"]["qid"]), str(request["query"]["text"])
            twice = user in queries
            queries[user] = query
            for candidate in request["candidates"]:
                doc = candidate["doc"]
                title = next((attribute_text(doc[name]) for name in _TITLES if doc.get(name)), None)
                known = {"user": user, "item": str(candidate["docid"]), "score": float(candidate["score"])}
                rest = {
                    f"column_{name}" if name in (*known, "rank") else name: attribute_text(value)
                    for name, value in doc.items()
                    if name not in _TITLES
                }
                rows.append(rest | known | {"title": title})
                lines.append(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            hint = 'write {"query": {"qid": …, "text": …}, "candidates": [{"docid": …, "score": …, "doc": {…}}]}'
            raise InputError(f"malformed rank_llm request ({error!r})", path=path, line=line, hint=hint) from None
        if twice:
            hint = "keep one request per qid"
            raise InputError("duplicate qid", path=path, line=line, user=user, hint=hint)
    if not queries:
        raise InputError("the file has no requests", path=path, hint="write at least one")
    names = dict.fromkeys(("user", "item", "score", "title", *(name for row in rows for name in row)))
    kinds = {name: pa.float64() if name == "score" else pa.string() for name in names}
    data = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()})
    asked = [f"query:{user}" for user in queries]
    users, items, titles = (pa.array(list(column), pa.string()) for column in (queries, asked, queries.values()))
    return Table(path, data, lines), EventRows(path, users, items, title=titles)


def _refuse_sources(format: str, path: Path | str, sources: Mapping[str, TableSource | None]) -> None:
    """Raise InputError if a format is unknown, lacks the items table it needs, or does not take the other files."""
    expect(format, str, "the name of a format, such as 'table'", "format")
    if format not in FORMATS:
        problem = f"unknown format {format!r}{nearest(format, FORMATS)}"
        raise InputError(problem, hint=f"choose one of {', '.join(FORMATS)}")
    if format == "tallrec" and any(source is not None for source in sources.values()):
        raise InputError("a TALLRec file takes no other files: it is complete", path=path, hint="drop the other files")
    if format in ("trec", "lists") and sources["items"] is None:
        hint = "name a table with ids and titles (--items)"
        raise InputError("the file has ids but no titles", path=path, hint=hint)


def _tables(sources: Mapping[str, TableSource | None], columns: Mapping[str, str]) -> dict[str, Table]:
    """Return the sources that are tables, each with the columns that the user named."""
    tables: dict[str, Table] = {}
    for what, source in sources.items():
        name, is_table = _SOURCES[what]
        if source is None and what == "proposed":
            raise InputError("no table is given", path=name, hint="give a DataFrame, an Arrow table or the path of one")
        if isinstance(source, Path):
            if is_table(source):
                tables[what] = without_types(read_table(source))
        elif source is not None:
            tables[what] = without_types(Table(name, arrow_table(source, name)))
    named = _with_names(tables, columns)
    return {what: _graded(table) if what == "proposed" else table for what, table in named.items()}


def _graded(table: Table) -> Table:
    """Let a column that the user named as the gain say what is relevant; a plainer column of the truth is dropped."""
    if (gain := table.named.get("gain")) is None:
        return table
    plain = table.find("relevant")
    data = table.data if plain in (None, gain) else table.data.drop_columns([plain])
    return replace(table, data=data, named={**table.named, "relevant": gain})


def _proposals(table: Table, has_cases: bool, dated: bool, left_out: LeftOut) -> tuple[Table, Sequence[str]]:
    """Return a retriever's table in long form, and the roles of its columns. If histories are `dated`, `timestamp` is
    among them where its time is that of the request.

    Raises InputError: it has no column for the user or the item, a row cannot be read, or the score is a distance.
    """
    table, roles = long_table(table, left_out), ROLES
    for role in ("user", "item"):  # check first: without an item column, lists stay folded and would fail as numbers
        table.require(role)
    if dated and (time := table.find("timestamp")) is not None:
        if has_cases or "timestamp" in table.named or _has_one_time_a_user(table, time):
            roles = (*ROLES, "timestamp")
        else:
            what = f"rows with a {time!r} that is kept as an attribute"
            left_out[f"{what} (if it is the time of the request: --column timestamp={time})"] = len(table.data)
    table = _readable(table, roles, left_out)
    refuse_distance(table)
    return table, roles


def _file(proposed: TableSource, format: str) -> Path:
    if isinstance(proposed, Path):
        return proposed
    hint = "name a file, or use format='table'"
    raise InputError(f"format {format!r} is read from a file, not from a table in memory", path="the table", hint=hint)


def _with_names(tables: Mapping[str, Table], columns: Mapping[str, str]) -> dict[str, Table]:
    """Return each table with the named columns that it has. Raises InputError: a named column is in none of them."""
    every = sorted({name for table in tables.values() for name in table.data.column_names})
    for role, name in columns.items():
        if role not in ALIASES:
            hint = f"use one of {', '.join(ALIASES)}"
            raise InputError(f"unknown column role {role!r}", field="columns", hint=hint)
        if name not in every:
            problem = f"no table has a column {name!r}{nearest(name, every)}"
            hint = f"name one of {', '.join(every)}" if every else "drop the option: no source is a table"
            raise InputError(problem, field="columns", hint=hint)
    return {
        what: replace(table, named={role: name for role, name in columns.items() if name in table.data.column_names})
        for what, table in tables.items()
    }


def _readable(table: Table, roles: Sequence[str], left_out: LeftOut) -> Table:
    """Return the rows whose numbers and times can be read.

    Raises InputError: a row cannot be read and may not be skipped, or a column has two of the roles.
    """
    table.refuse_shared(roles)
    bad: dict[int, InputError] = {}
    for role in roles:
        if role not in _READ or (name := table.find(role)) is None:
            continue
        try:
            values = _READ[role](table, name)
        except UnreadableError as error:
            bad = {**error.faults, **bad}
        else:
            odd = ~np.isfinite(values) if role == "gain" else np.isinf(values)
            for row in np.flatnonzero(odd).tolist():
                problem = (
                    f"the {role} is missing" if np.isnan(values[row]) else f"{values[row]:g} is not a valid {role}"
                )
                hint = "give a number (0: not relevant)" if role == "gain" else "give a number"
                bad.setdefault(row, table.fault(problem, name, hint, row))
        if role == "timestamp" and table.find("position") is None:
            for row in np.flatnonzero(np.array(table.texts(name).fill_null("")) == "").tolist():
                bad.setdefault(row, table.fault("the time is missing", name, TIME_HINT, row))
    note = f"rows of {table.path} skipped because of an invalid number or time"
    return left_out.skip(table, sorted(bad), bad.__getitem__, note)


def _has_one_time_a_user(table: Table, time: str) -> bool:
    """Return whether all rows of each user have the same time in a column, which is then that of the request.

    An item's date would differ between rows. If every user has a single row, the two cannot be told apart.
    """
    try:
        seconds = table.seconds(time)
    except InputError:
        return False
    users = table.ids(table.require("user")).to_pylist()
    times = set(zip(users, seconds.tolist(), strict=True))
    return len(times) == len(set(users)) < len(users) and bool((seconds > EARLIEST).all())


def _holds_gains(table: Table, name: str) -> bool:
    """Return whether every value of a column can be read as a gain."""
    try:
        return bool(np.isfinite(table.gains(name)).all())
    except InputError:
        return False


def read_gains(table: Table, owner: Owner, left_out: LeftOut) -> Gains:
    """Return the gain of each owner's relevant items, from a table of user (and case), item, and gain (default 1).

    If no column is the gain but exactly one unused column holds numbers, `left_out` says how to use it.
    Raises InputError: a row has no user or Case, or no readable gain, and may not be skipped.
    """
    table = with_trimmed_ids(long_table(table, LeftOut(), bare=False), left_out)
    table = _owned(_readable(table, ("user", "case", "item", "gain"), left_out), owner, left_out)
    owners = _owners(table, owner).to_pylist()
    items = trimmed_ids(table.ids(table.require("item"))).to_pylist()
    if (gain := table.find("gain")) is not None:
        gains = table.gains(gain).tolist()
    else:
        gains = [1.0] * len(items)
        taken = {table.find(role) for role in ("user", "case", "item", "title", "timestamp", "position")}
        free = [name for name in table.data.column_names if name not in taken and _holds_gains(table, name)]
        if len(free) == 1:
            what = f"relevant rows given gain 1, ignoring {free[0]!r} (to use it: --column gain={free[0]})"
            left_out[what] = len(items)
    return gains_by_owner(owners, items, gains, left_out)


def _owned(table: Table, owner: Owner, left_out: LeftOut) -> Table:
    """Return the rows that have an owner. Rows without one would otherwise all count as those of a single user."""
    users = trimmed_ids(table.ids(table.require("user")))

    def fault(row: int) -> InputError:
        role = "case" if users[row].as_py() else "user"
        hint = MISSING_USER if (role, owner) == ("user", "case") else "give it, or remove the row"
        return table.fault(f"the {role} is missing", table.require(role), hint, row)

    nobody = np.flatnonzero(pc.equal(_owners(table, owner), "")).tolist()
    return left_out.skip(table, nobody, fault, "relevant rows skipped because they have no user or Case")


def _owners(table: Table, owner: Owner) -> Arrow:
    """Return the owner of each row of a table; "" if it has none."""
    users = trimmed_ids(table.ids(table.require("user")))
    return users if owner == "user" else case_keys(users, table.ids(table.require("case")))


def read_histories(path: Path) -> tuple[EventRows, Gains]:
    """Return the events of a file that is not a table, and each user's relevant items if the file has targets.

    Args:
        path: A RecBole `.inter` file, with one interaction per row, or with a history list (`item_id_list:token_seq`)
            and its target (`item_id:token`) per row; or a text file of `user item item …` lines.
    """
    if path.suffix != ".inter":
        return read_sequence_file(path), {}
    table = without_types(read_table(path, quoted=False))
    if "item_id_list" not in table.data.column_names:
        return read_atomic_events(path), {}
    rows: list[dict[str, str | None]] = table.data.to_pylist()
    user_column = table.require("user")
    users = [str(row[user_column]) for row in rows]
    row_of: dict[str, int] = {}
    for row, user in enumerate(users):
        if row_of.setdefault(user, row) != row:
            hint = "keep one row for each user, such as those of the test part"
            raise table.fault("the user has several histories", user_column, hint, row, user)
    pasts = [(row["item_id_list"] or "").split() for row in rows]
    events = _texts_table([(user, item_id) for user, past in zip(users, pasts, strict=True) for item_id in past])
    targets = zip(users, (row.get("item_id") for row in rows), strict=True)
    gains = {user: {item_id: 1.0} for user, item_id in targets if item_id}
    return EventRows(path, events["user"], events["item"], ordered=True), gains


def _texts_table(rows: list[tuple[str, str]]) -> Arrow:
    """Return a table of `user` and `item`."""
    users, items = (pa.array([row[place] for row in rows], pa.string()) for place in (0, 1))
    return pa.table({"user": users, "item": items})
