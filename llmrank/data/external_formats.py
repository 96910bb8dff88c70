"""Candidates in other programs' formats, as Cases: `llmrank convert` without its command line.

A retriever's table (`retriever_table.py`), TALLRec's test sets (`tallrec.py`), TREC runs (`trec.py`), LLMRank's lists
and rank_llm's requests (here). Most of them hold ids alone: titles come from an items table, histories and what is
relevant from files of their own. Converting loses nothing silently: `Conversion.notes` says what was left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from llmrank.data.candidate_row import graded, parse_row
from llmrank.data.candidate_writing import check_free, write_cases
from llmrank.data.candidates import FAULTS_SHOWN, BadRowsError, file_format
from llmrank.data.cases import UserEvents
from llmrank.data.recbole import read_atomic_events, read_atomic_items
from llmrank.data.retriever_table import read_retriever_table, write_candidate_table
from llmrank.data.rows import EventRows, ItemRows, Rows, clean_text, make_dataset, make_items
from llmrank.data.sequences import read_sequence_file
from llmrank.data.tables import Table, read_event_rows, read_item_rows, read_table, text_lines
from llmrank.data.tallrec import read_tallrec
from llmrank.data.trec import Proposal, read_qrels, read_trec_run
from llmrank.errors import InputError, nearest
from llmrank.types import Case, Event, Item

FORMATS: Mapping[str, str] = {
    "table": "a retriever's table: a row per user and item (user, item, score, …), or a row per user with lists",
    "trec": "a TREC run",
    "lists": "LLMRank's lists: `user<TAB>item item …`, best first",
    "rank_llm": "rank_llm's requests in JSON lines",
    "tallrec": "TALLRec's test sets: yes/no questions",
}
"""What `convert` reads."""
_TITLES = ("title", "text", "segment", "contents", "content", "passage", "body")

Gains = Mapping[str, Mapping[str, float]]
"""User id -> item id -> gain, above 0."""


@dataclass(slots=True)
class Conversion:
    """The Cases of a foreign file, and what was left out of them: complete when the last Case has been taken."""

    cases: Iterator[Case]
    graded: bool = False
    """Whether any gain is other than 1."""
    table: Any = None
    """The `pyarrow.Table` of a candidate file, in place of `cases`, where columns keep their types."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """What was left out, in words, and how often."""

    def write(self, path: Path, *, overwrite: bool = False, progress: Callable[[int], None] = lambda rows: None) -> int:
        """Write the candidate file, and return its number of rows."""
        if self.table is not None:
            return write_candidate_table(path, self.table, overwrite=overwrite)
        return write_cases(path, self.cases, graded=self.graded, overwrite=overwrite)

    def notes(self) -> list[str]:
        """Return a line for each thing that was left out or that is not as people expect it."""
        return [f"{count:,} {what}" for what, count in self.left_out.items() if count]


def read_external(
    path: Path,
    format: str,  # noqa: A002 - the word that people use
    *,
    items: Path | None = None,
    histories: Path | None = None,
    relevant: Path | None = None,
    columns: Mapping[str, str] | None = None,
    drop_duplicates: bool = False,
    skip_bad_rows: bool = False,
) -> Conversion:
    """Return the Cases of a file that is no candidate file.

    Args:
        path: What the recall stage proposed.
        format: One of `FORMATS`.
        items: Table with ids and titles, as `read_items` reads it. Tables may have titles of their own, and `rank_llm`
            and `tallrec` have.
        histories: Earlier events, as `read_histories` reads them. Its targets, if it has any, are what is relevant.
        relevant: What is relevant: TREC qrels, or a table of user and item (and gain).
        columns: For tables, which column is the `user`, `item`, `title`, `score`, `rank` or `relevant` one.
        drop_duplicates: Keep the first of an item that is named twice, instead of refusing the row.
        skip_bad_rows: Go on without what has a fault (an item without a title, …), and count it.

    Raises:
        InputError: with file, line, user and hint.
    """
    if format not in FORMATS:
        problem = f"there is no format {format!r}{nearest(format, FORMATS)}"
        raise InputError(problem, hint=f"choose one of {', '.join(FORMATS)}")
    if columns and format != "table":
        raise InputError("column names can be given for tables only", field="--column", hint="leave --column out")
    if format == "tallrec":
        if items or histories or relevant:
            raise InputError("the file of TALLRec holds all there is", path=path, hint="leave the other files out")
        return Conversion(read_tallrec(path))
    if format == "table":
        left_out: Counter[str] = Counter()
        table = read_retriever_table(
            path,
            items=items,
            histories=histories,
            relevant=None if relevant is None else read_relevant(relevant),
            columns=columns or {},
            drop_duplicates=drop_duplicates,
            skip_bad_rows=skip_bad_rows,
            left_out=left_out,
        )
        return Conversion(iter(()), table=table, left_out=left_out)
    if format != "rank_llm" and items is None:
        hint = "name a table with their ids and titles (--items)"
        raise InputError("the file has ids and no titles", path=path, hint=hint)
    conversion = Conversion(iter(()))
    catalogue = read_items(items) if items else {}
    past, targets = read_histories(histories, items) if histories and items else ({}, {})
    gains = read_relevant(relevant) if relevant else targets
    conversion.graded = any(gain != 1 for ids in gains.values() for gain in ids.values())
    if format == "rank_llm":
        cases = read_rank_llm(path, catalogue, past, gains)
    else:
        proposals = read_trec_run(path) if format == "trec" else read_lists(path)
        cases = proposed_cases(
            path,
            proposals,
            catalogue,
            past,
            gains,
            drop_duplicates=drop_duplicates,
            skip_bad_rows=skip_bad_rows,
            left_out=conversion.left_out,
        )
    conversion.cases = _counted(cases, gains, conversion.left_out)
    return conversion


def convert(
    path: Path,
    format: str,  # noqa: A002 - the word that people use
    output: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
    **options: Any,  # noqa: ANN401 - those of `read_external`
) -> tuple[int, list[str]]:
    """Write a foreign file as a candidate file; return its number of rows, and notes about what was left out.

    Args:
        path: The foreign file.
        format: One of `FORMATS`.
        output: `.parquet`, `.jsonl` or `.jsonl.gz`.
        overwrite: Replace a file that is there.
        progress: Called with the number of rows written, as they are.
        options: Those of `read_external`.

    Raises:
        InputError: with file, line, user and hint.
    """
    file_format(output)
    sources = [path, options.get("items"), options.get("histories"), options.get("relevant")]
    check_free(output, overwrite=overwrite, sources=sources)
    conversion = read_external(path, format, **options)
    rows = conversion.write(output, overwrite=overwrite)
    return rows, conversion.notes()


def proposed_cases(
    path: Path,
    proposals: Iterable[Proposal],
    items: Mapping[str, Item],
    histories: Mapping[str, tuple[Event, ...]],
    relevant: Gains,
    *,
    drop_duplicates: bool = False,
    skip_bad_rows: bool = False,
    left_out: Counter[str],
) -> Iterator[Case]:
    """Yield a Case for each proposal; `path` is for the messages, `left_out` receives what is skipped.

    Raises:
        InputError: an item that is unknown or has no title, a duplicate, or no candidates.
    """
    faults: list[InputError] = []
    count = 0
    for proposal in proposals:
        line, user, ids, scores = proposal.line, proposal.user_id, proposal.item_ids, proposal.scores
        problem, hint, bad = "", "", set[str]()
        if unknown := [item_id for item_id in ids if item_id not in items]:
            problem, hint = f"item {unknown[0]!r} is not in the items table", "add it there, or remove the candidate"
        elif unknown := [item_id for item_id in ids if not items[item_id].title]:
            problem, hint = f"item {unknown[0]!r} has no title in the items table", "give it one: the model reads it"
        bad.update(item_id for item_id in ids if item_id not in items or not items[item_id].title)
        first = {item_id: place for place, item_id in reversed(list(enumerate(ids)))}
        if not problem and len(first) < len(ids) and not drop_duplicates:
            twice = next(item_id for place, item_id in enumerate(ids) if first[item_id] != place)
            problem, hint = f"item {twice!r} is a candidate twice", "keep it once (--drop-duplicates keeps the first)"
        kept = [place for place in sorted(first.values()) if ids[place] not in bad]
        if not problem and not kept:
            problem, hint = "there are no candidates", "give at least one, or remove the line"
        if problem:
            count += 1
            if len(faults) < FAULTS_SHOWN:
                faults.append(InputError(problem, path=path, line=line, user=user, hint=hint))
        left_out["candidates without a title are left out"] += len(bad)
        left_out["repeated candidates are left out"] += len(ids) - len(first)
        if not kept:
            left_out["users without candidates are left out"] += 1
        elif not faults or skip_bad_rows:
            gains = relevant.get(user, {})
            yield Case(
                user,
                histories.get(user, ()),
                tuple(items[ids[place]] for place in kept),
                None if scores is None else tuple(scores[place] for place in kept),
                tuple(gains),
                gains=graded(gains.values()),
            )
    if faults and not skip_bad_rows:
        raise faults[0] if count == 1 else BadRowsError(path, faults, count)


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
            problem, hint = f"duplicate user (first seen on line {first})", "keep one line for each user"
            raise InputError(problem, path=path, line=line, user=user.strip(), hint=hint)
        yield Proposal(line, user.strip(), tuple(ids.split()))


def read_rank_llm(
    path: Path, items: Mapping[str, Item], histories: Mapping[str, tuple[Event, ...]], relevant: Gains
) -> Iterator[Case]:
    """Yield the requests of rank_llm, one a line, as Cases.

    A request is `{"query": {"qid": …, "text": …}, "candidates": [{"docid": …, "score": …, "doc": {…}}]}`. Its titles
    are those of `items`, else the `title` of `doc`, else its text. A user whom `histories` does not know has the text
    of the query as the one event of the history: it is all that is known of what is wanted.

    Raises:
        InputError: as a candidate file.
    """
    for line, text in text_lines(path):
        try:
            request: Any = json.loads(text)
            query = request["query"]
            user = str(query["qid"])
            candidates = [_rank_llm_item(candidate, items) for candidate in request["candidates"]]
            event = {"item_id": f"query:{user}", "title": query["text"]}
        except (ValueError, KeyError, TypeError) as error:
            hint = 'write {"query": {"qid": …, "text": …}, "candidates": [{"docid": …, "score": …, "doc": {…}}]}'
            raise InputError(f"no request of rank_llm ({error!r})", path=path, line=line, hint=hint) from None
        row = {"user_id": user, "history": [event], "candidates": candidates}
        case = parse_row(row, path=path, line=line).case
        history, gains = histories.get(user, case.history), relevant.get(user, {})
        scores = case.recall_scores
        yield Case(user, history, case.candidates, scores, tuple(gains), gains=graded(gains.values()))


def read_items(path: Path) -> dict[str, Item]:
    """Return the items of a table by id: RecBole's `.item`, or a table with an id and a title (`read_table`).

    The title of an item that has none is empty.
    """
    rows = _item_rows(path)
    items = {item.item_id: item for item in make_items(rows)}
    for item_id, title in zip(rows.item_id, rows.title, strict=True):
        if not clean_text(title):
            items[item_id] = Item(item_id, "", items[item_id].attributes)
    return items


def read_relevant(path: Path) -> dict[str, dict[str, float]]:
    """Return the gain of each user's relevant items: TREC qrels, or a table of user and item (and gain)."""
    if not path.name.lower().endswith((".csv", ".tsv", ".parquet", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz")):
        return read_qrels(path)
    table = read_table(path)
    user, item = table.require("user", {}), table.require("item", {})
    gain = table.find("gain", {})
    values = [1.0] * len(table.data) if gain is None else table.numbers(gain, "gain").tolist()
    gains: dict[str, dict[str, float]] = {}
    for user_id, item_id, value in zip(
        table.texts(user).to_pylist(), table.texts(item).to_pylist(), values, strict=True
    ):
        if value > 0:
            gains.setdefault(user_id, {})[item_id] = value
    return gains


def read_histories(path: Path, items: Path) -> tuple[Mapping[str, tuple[Event, ...]], Gains]:
    """Return the events of each user, oldest first, and what is relevant, where the file says so.

    Args:
        path: RecBole's `.inter`, with an interaction a row or with the history as a list (`item_id_list:token_seq`) and
            the target beside it (`item_id:token`); a `.txt` of `user item item …` lines; or an interactions table.
        items: The items table.
    """
    targets: dict[str, dict[str, float]] = {}
    if path.suffix == ".txt":
        events = read_sequence_file(path)
    elif path.suffix != ".inter":
        events = read_event_rows(read_table(path), {})
    elif "item_id_list:token_seq" in (table := read_table(path, quoted=False)).data.column_names:
        events = _list_events(table)
        if "item_id:token" in table.data.column_names:
            users, ids = table.data["user_id:token"].to_pylist(), table.data["item_id:token"].to_pylist()
            targets = {user: {item_id: 1.0} for user, item_id in zip(users, ids, strict=True) if item_id}
    else:
        events = read_atomic_events(path)
    dataset = make_dataset(path.stem, Rows(_item_rows(items), events), source=str(path))
    return UserEvents(dataset, dataset.interactions), targets


def _counted(cases: Iterator[Case], relevant: Gains, left_out: Counter[str]) -> Iterator[Case]:
    """Yield the Cases, and count what a reader of the result must know."""
    users = set[str]()
    for case in cases:
        users.add(case.user_id)
        left_out["Cases have an empty history"] += not case.history
        if relevant:
            left_out["Cases have no relevant item: no measure counts them"] += not case.relevant
            offered = {item.item_id for item in case.candidates}
            left_out["relevant items are no candidates: they count against the score"] += sum(
                item_id not in offered for item_id in case.relevant
            )
        yield case
    left_out["users have relevant items and no candidates: they are left out"] += len(relevant.keys() - users)


def _item_rows(path: Path) -> ItemRows:
    return read_atomic_items(path) if path.suffix == ".item" else read_item_rows(read_table(path), {})


def _list_events(table: Table) -> EventRows:
    users, items = list[str](), list[str]()
    for user, ids in zip(
        table.data["user_id:token"].to_pylist(), table.data["item_id_list:token_seq"].to_pylist(), strict=True
    ):
        for item_id in (ids or "").split():
            users.append(user)
            items.append(item_id)
    return EventRows(
        table.path, pa.chunked_array([pa.array(users, pa.string())]), pa.chunked_array([pa.array(items, pa.string())])
    )


def _rank_llm_item(candidate: Mapping[str, Any], items: Mapping[str, Item]) -> dict[str, object]:
    item_id, doc = candidate["docid"], candidate["doc"]
    if (item := items.get(str(item_id))) is not None:
        return {
            "item_id": item_id,
            "title": item.title,
            "attributes": dict(item.attributes),
            "score": candidate["score"],
        }
    title = next((doc[name] for name in _TITLES if doc.get(name)), None)
    rest = {name: value for name, value in doc.items() if name not in _TITLES}
    return {"item_id": item_id, "title": title, "attributes": rest, "score": candidate["score"]}
