"""Amazon Reviews (McAuley, UCSD): the releases of 2014, 2018 and 2023, as they are distributed.

2014 and 2018: `reviews_Beauty_5.json.gz` or `Beauty_5.json.gz` (reviewerID, asin, overall, unixReviewTime), or
`ratings_Beauty.csv` without a header (user, item, rating, timestamp); 2023: `Beauty.jsonl.gz` or `Beauty.csv` (user_id,
parent_asin, rating, timestamp in milliseconds). Beside it `meta_*.json(l)(.gz)` with the titles.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.json as pj

from llmrank.data.lines import open_binary, refuse_too_deep
from llmrank.data.rows import EventRows, ItemRows, Rows
from llmrank.data.table import Table
from llmrank.data.table_files import read_table
from llmrank.data.tables import read_event_rows
from llmrank.errors import InputError, count_of

_REVIEW = pa.schema(
    dict.fromkeys(("reviewerID", "user_id", "parent_asin", "asin"), pa.string())
    | {"overall": pa.float64(), "rating": pa.float64(), "unixReviewTime": pa.int64(), "timestamp": pa.int64()}
)
DOMAINS = {"Books": "books", "Movies": "movies", "Video_Games": "games"}
"""By a word in the name of the category; the others are products."""
_ASIN = re.compile(rb"""["'](?:parent_)?asin["']: *["']([^"']+)["']""")


def find_meta(folder: Path) -> Path | None:
    """Return the one `meta_*.json…` of a folder, else None."""
    found = [*folder.glob("meta_*.json"), *folder.glob("meta_*.json.gz"), *folder.glob("meta_*.jsonl*")]
    return found[0] if len(found) == 1 else None


def read_amazon(folder: Path) -> Rows:
    """Read the reviews of a folder and the titles of the reviewed products, which form the catalogue.

    Raises InputError: there is not exactly one file of reviews and one of metadata, or one is malformed.
    """
    meta = find_meta(folder)
    found = [path for path in sorted(folder.iterdir()) if re.search(r"\.(jsonl?|csv)(\.gz)?$", path.name)]
    reviews = [path for path in found if not path.name.startswith("meta_")]
    if meta is None or len(reviews) != 1:
        hint = "keep one file of reviews, such as reviews_Beauty_5.json.gz, and its meta_Beauty.json.gz"
        problem = f"{count_of(len(reviews), 'file')} of reviews and {len(found) - len(reviews)} of metadata"
        raise InputError(problem, path=folder, hint=hint)
    events = replace(_events(reviews[0]), rating_scale=(1.0, 5.0))
    domain = next((domain for word, domain in DOMAINS.items() if word in meta.name), "products")
    return Rows(_items(meta, [asin for asin in events.item.unique().to_pylist() if asin]), events, domain)


def _events(path: Path) -> EventRows:
    if ".csv" in path.name:
        with open_binary(path) as file:
            headless = b"user" not in file.readline().lower()
        names = ("user", "item", "rating", "timestamp") if headless else None
        return read_event_rows(read_table(path, names=names))
    refuse_too_deep(path)
    fields = pj.ParseOptions(explicit_schema=_REVIEW, unexpected_field_behavior="ignore")
    try:
        with pj.open_json(path, parse_options=fields) as reader:  # block by block, for files of many gigabytes
            data = reader.read_all()
    except (pa.ArrowInvalid, OSError):
        data = read_table(path).data  # reads again, to say which line is wrong
    present = [name for name in data.column_names if data[name].null_count < len(data)]
    return read_event_rows(Table(path, data.select(present)))


def _items(path: Path, reviewed: list[str]) -> ItemRows:
    wanted, found = {asin.encode() for asin in reviewed}, dict[str, dict[str, Any]]()
    with open_binary(path) as file:
        for number, line in enumerate(file, 1):
            if not wanted.isdisjoint(_ASIN.findall(line)):  # perhaps of a product named inside the record
                record = _record(line, path, number)
                found.setdefault(str(record.get("parent_asin") or record.get("asin")), record)
    records = [found.get(asin, {}) for asin in reviewed]
    columns: dict[str, list[str | None]] = {
        "title": [_text(record.get("title")) for record in records],
        "brand": [_text(record.get("brand") or record.get("store")) for record in records],
        "categories": [_categories(record) for record in records],
        "description": [_text(record.get("description")) for record in records],
    }
    attributes = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    return ItemRows(path, pa.array(reviewed, pa.string()), attributes.pop("title"), attributes, id_field="asin")


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        text = line.decode("utf-8")
        # The release of 2014 is not JSON: each line is the repr of a Python dict.
        record = json.loads(text) if text.startswith('{"') else ast.literal_eval(text)
        if isinstance(record, dict):
            return cast("dict[str, Any]", record)
        problem = "the line is not an object"
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        problem = f"malformed metadata ({error})"
    raise InputError(problem, path=path, line=number, hint="download the file again")


def _text(value: object) -> str | None:
    """2014 has strings, 2018 and 2023 lists of strings."""
    if isinstance(value, list):
        return " ".join(text for text in cast("list[object]", value) if isinstance(text, str))
    return value if isinstance(value, str) else None


def _categories(record: dict[str, Any]) -> str | None:
    """The first path of 2014's list of paths; the one path of 2018 (`category`) and 2023."""
    paths: list[Any] = record.get("categories") or record.get("category") or []
    path: list[Any] = paths[0] if paths and isinstance(paths[0], list) else paths
    return ", ".join(name for name in path if isinstance(name, str)) or None
