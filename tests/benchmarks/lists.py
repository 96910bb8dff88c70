"""Candidate rows for the benchmarks, drawn by a seed and generated one at a time, for files of any length."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

ITEMS = 3000
FIRST = ("Silent", "Golden", "Last", "Broken", "Hidden", "Winter", "Crimson", "Little", "Distant", "Electric")
SECOND = ("River", "Garden", "Empire", "Letter", "Mirror", "Station", "Harbour", "Orchard", "Signal", "Parade")
THIRD = ("of Dawn", "and Sons", "in June", "Returns", "at Midnight", "for Two")


def item(number: int) -> dict[str, str]:
    """Return an item whose title reads like a film's and belongs to no other item."""
    first, second = FIRST[number % 10], SECOND[number // 10 % 10]
    third = THIRD[number // 100 % 6]
    return {"item_id": str(number), "title": f"{first} {second} {third} ({1950 + number // 600 % 70})"}


def rows(users: int, *, candidates: int, history: int = 10, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield a row per user: `history` rated events, `candidates` with scores, one of them relevant."""
    random = Random(seed)
    catalogue = [item(number) for number in range(ITEMS)]
    for user in range(users):
        drawn = random.sample(catalogue, history + candidates)
        events = [
            {**one, "rating": random.randint(1, 5), "timestamp": 880_000_000 + user * 100 + place}
            for place, one in enumerate(drawn[:history])
        ]
        offered = [{**one, "score": round(1 - place / candidates, 4)} for place, one in enumerate(drawn[history:])]
        relevant = [random.choice(offered)["item_id"]]
        yield {"user_id": str(user), "history": events, "candidates": offered, "relevant": relevant}


def write_jsonl(path: Path, content: Iterator[dict[str, Any]]) -> None:
    """Write the rows as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in content)


def write_parquet(path: Path, content: Iterator[dict[str, Any]], at_once: int = 5000) -> None:
    """Write the rows as Parquet, a few thousand at a time."""
    from itertools import islice

    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    while batch := list(islice(content, at_once)):
        data = pa.Table.from_pylist(batch)
        writer = writer or pq.ParquetWriter(path, data.schema)
        writer.write_table(data)
    if writer is not None:
        writer.close()
