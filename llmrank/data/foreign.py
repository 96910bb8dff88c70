"""Candidates in other people's formats, as Cases: TREC runs, LLMRank's lists, rank_llm's requests.

A run or a list says ids alone: titles come from an items table, histories and what is relevant from files of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from llmrank.data.candidate_row import parse_row
from llmrank.data.cases import UserEvents
from llmrank.data.lists import Proposal, read_lists, text_lines
from llmrank.data.recbole import read_atomic_events, read_atomic_items
from llmrank.data.rows import EventRows, ItemRows, Rows, make_dataset, make_items
from llmrank.data.sequences import read_sequence_file
from llmrank.data.tables import Table, read_event_rows, read_item_rows, read_table
from llmrank.data.trec import read_qrels, read_trec_run
from llmrank.errors import InputError, nearest
from llmrank.types import Case, Event, Item

FORMATS = ("trec", "lists", "rank_llm")
_TITLES = ("title", "text", "segment", "contents", "content", "passage", "body")


def read_foreign(
    path: Path,
    format: str,  # noqa: A002 - the word that people use
    *,
    items: Path | None = None,
    histories: Path | None = None,
    qrels: Path | None = None,
    drop_duplicates: bool = False,
    allow_empty_history: bool = False,
) -> Iterator[Case]:
    """Return an iterator over the Cases of a file that is no candidate file.

    Args:
        path: What the recall stage proposed.
        format: `trec` (a run), `lists` (`user<TAB>item item …`, best first) or `rank_llm` (JSON lines of requests).
        items: Table with the titles, as `read_items` reads it; `rank_llm` carries its own.
        histories: As `read_histories` reads it. Its targets, if it has any, are what is relevant.
        qrels: TREC qrels: what is relevant.
        drop_duplicates: Keep the first of an item that is named twice, in place of refusing the row.
        allow_empty_history: Let in users whom `histories` does not know.

    Raises:
        InputError: with file, line, user and hint.
    """
    if format not in FORMATS:
        raise InputError(
            f"there is no format {format!r}{nearest(format, FORMATS)}", hint=f"choose one of {', '.join(FORMATS)}"
        )
    if format != "rank_llm" and items is None:
        hint = "name a table with their ids and titles (--items)"
        raise InputError("the file has ids and no titles", path=path, hint=hint)
    catalogue = read_items(items) if items else {}
    past, targets = read_histories(histories, items) if histories and items else ({}, {})
    relevant = read_qrels(qrels) if qrels else targets
    if format == "rank_llm":
        return read_rank_llm(path, catalogue, past, relevant)
    proposals = read_trec_run(path) if format == "trec" else read_lists(path)
    return proposed_cases(
        path,
        proposals,
        catalogue,
        past,
        relevant,
        drop_duplicates=drop_duplicates,
        allow_empty_history=allow_empty_history,
    )


def proposed_cases(
    path: Path,
    proposals: Iterable[Proposal],
    items: Mapping[str, Item],
    histories: Mapping[str, tuple[Event, ...]],
    relevant: Mapping[str, tuple[str, ...]],
    *,
    drop_duplicates: bool = False,
    allow_empty_history: bool = False,
) -> Iterator[Case]:
    """Yield a Case for each proposal; `path` is for the messages.

    Raises:
        InputError: an unknown item, a duplicate, no candidates, or a user without history.
    """
    for proposal in proposals:
        line, user, ids, scores = proposal.line, proposal.user_id, proposal.item_ids, proposal.scores

        def wrong(problem: str, hint: str, line: int = line, user: str = user) -> InputError:
            return InputError(problem, path=path, line=line, user=user, hint=hint)

        if unknown := [item_id for item_id in ids if item_id not in items]:
            raise wrong(f"item {unknown[0]!r} is not in the items table", "add it there, or remove the candidate")
        first = {item_id: place for place, item_id in reversed(list(enumerate(ids)))}
        if len(first) < len(ids) and not drop_duplicates:
            twice = next(item_id for place, item_id in enumerate(ids) if first[item_id] != place)
            raise wrong(f"item {twice!r} is a candidate twice", "keep it once (drop_duplicates=True keeps the first)")
        if not ids:
            raise wrong("there are no candidates", "give at least one, or remove the line")
        history = histories.get(user, ())
        if not history and not allow_empty_history:
            raise wrong("the user has no history", "name a file of histories that has the user, or allow empty ones")
        kept = sorted(first.values())
        yield Case(
            user,
            history,
            tuple(items[ids[place]] for place in kept),
            None if scores is None else tuple(scores[place] for place in kept),
            relevant.get(user, ()),
        )


def read_rank_llm(
    path: Path,
    items: Mapping[str, Item],
    histories: Mapping[str, tuple[Event, ...]],
    relevant: Mapping[str, tuple[str, ...]],
) -> Iterator[Case]:
    """Yield the requests of rank_llm, one a line, as Cases.

    A request is `{"query": {"qid": …, "text": …}, "candidates": [{"docid": …, "score": …, "doc": {…}}]}`. Its titles
    are those of `items`, else the `title` of `doc`, else its text. A user whom `histories` does not know has the text
    of the query as the one event of the history: it is all that is said of what is wanted.

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
        history = histories.get(user, case.history)
        yield Case(user, history, case.candidates, case.recall_scores, relevant.get(user, ()))


def read_items(path: Path) -> dict[str, Item]:
    """Return the items of a table by id: RecBole's `.item`, or a table with an id and a title (`read_table`)."""
    return {item.item_id: item for item in make_items(_item_rows(path))}


def read_histories(path: Path, items: Path) -> tuple[Mapping[str, tuple[Event, ...]], Mapping[str, tuple[str, ...]]]:
    """Return the events of each user, oldest first, and what is relevant, where the file says so.

    Args:
        path: RecBole's `.inter`, with an interaction a row or with the history as a list (`item_id_list:token_seq`) and
            the target beside it (`item_id:token`); a `.txt` of `user item item …` lines; or an interactions table.
        items: The items table.
    """
    targets: dict[str, tuple[str, ...]] = {}
    if path.suffix == ".txt":
        events = read_sequence_file(path)
    elif path.suffix != ".inter":
        events = read_event_rows(read_table(path), {})
    elif "item_id_list:token_seq" in (table := read_table(path, quoted=False)).data.column_names:
        events = _list_events(table)
        if "item_id:token" in table.data.column_names:
            users, ids = table.data["user_id:token"].to_pylist(), table.data["item_id:token"].to_pylist()
            targets = {user: (item_id,) for user, item_id in zip(users, ids, strict=True) if item_id}
    else:
        events = read_atomic_events(path)
    dataset = make_dataset(path.stem, Rows(_item_rows(items), events), source=str(path))
    return UserEvents(dataset, dataset.interactions), targets


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
