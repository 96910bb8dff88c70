"""Recorded answers of real models, as candidate rows with a `response` (JSONL), for `llmrank score`.

python -m tests.answers.recorded chatgpt answers.jsonl     # also text-davinci-003, palm, ml1m-ratings

The development data is read from LLMRANK_DATA, or else from ../shared/data. `chatgpt`, `text-davinci-003` and `palm`
were asked to rerank the 50 most popular films (Di Palma et al. 2023, experiment 2 on ml-latest-small). Relevant items
are those that a user rated 4 or better in the test part; some users have none. `ml1m-ratings` are predictions of
gpt-3.5-turbo. Seven of them contain the text of an exception instead of an answer, and are given as null. The history
that these users were shown is not recorded: a row has the ratings before the target in ml-1m, which are none for some.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmrank.types import Item

MODELS = ("chatgpt", "text-davinci-003", "palm")
NAMES = (*MODELS, "ml1m-ratings")
HISTORY = 50
"""Number of ratings before the target in the history of a `ml1m-ratings` row; the newest are kept."""
Row = dict[str, Any]


def recorded(name: str, data: Path) -> Iterator[Row]:
    """Yield the candidate rows of one set of recorded answers, in the order of its users."""
    yield from ratings(data) if name == "ml1m-ratings" else rerank(name, data)


def folder_of(data: Path) -> Path:
    """Return the folder with the answers to "rerank these 50"."""
    return data / "Recommender-ChatGPT"


def rerank(model: str, data: Path) -> Iterator[Row]:
    folder = folder_of(data)
    with (data / "ml-latest-small" / "movies.csv").open(encoding="utf-8", newline="") as file:
        titles = {row["movieId"]: row["title"] for row in csv.DictReader(file)}
    candidates: dict[str, list[str]] = defaultdict(list)
    for user, item, _rank in sorted(
        _table(folder / "candidates_exp2_rerank_mostpop.tsv"), key=lambda row: (int(row[0]), int(row[2]))
    ):
        candidates[user].append(item)
    history: dict[str, list[Row]] = defaultdict(list)
    for user, item, rating, timestamp in sorted(_table(folder / "train.tsv"), key=lambda row: int(row[3])):
        event = {"item_id": item, "title": titles[item], "rating": float(rating), "timestamp": int(timestamp)}
        history[user].append(event)
    relevant: dict[str, list[str]] = defaultdict(list)
    held_out: dict[str, list[str]] = defaultdict(list)
    for user, item, rating, _timestamp in _table(folder / "test.tsv"):
        held_out[user].append(item)
        if float(rating) >= 4:
            relevant[user].append(item)
    with (folder / "raw" / f"{model}_exp2_rerank_mostpop.jsonl").open(encoding="utf-8") as file:
        for line in file:
            answer = json.loads(line)
            user = str(answer["user"])
            if user in candidates:  # two files begin with an empty answer for a user 0 who does not exist
                yield {
                    "user_id": user,
                    "history": history[user],
                    "candidates": [{"item_id": item, "title": titles[item]} for item in candidates[user]],
                    "relevant": relevant[user],
                    "held_out": held_out[user],
                    "missed": [item for item in relevant[user] if item not in candidates[user]],
                    "response": answer["response"],
                }


def shown(row: Row) -> tuple[Item, ...]:
    """Return the candidates of a row. Rows with equal candidates share one tuple, so that they share a `TitleIndex`."""
    return _shown(tuple((item["item_id"], item["title"]) for item in row["candidates"]))


@lru_cache(maxsize=8)
def _shown(items: tuple[tuple[str, str], ...]) -> tuple[Item, ...]:
    return tuple(Item(item_id, title) for item_id, title in items)


def ratings(data: Path) -> Iterator[Row]:
    before = _ml1m_ratings(data / "ml-1m")
    with (data / "LLM-rating-predictions" / "ml1m_few_shot.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            user, item, answer = row["user_id"], row["item_id"], row["predicted_rating"]
            events = before.get(user, [])
            at = next((at for at, event in enumerate(events) if event["item_id"] == item), 0)
            yield {
                "user_id": user,
                "history": events[max(0, at - HISTORY) : at],
                "target": {"item_id": item, "title": row["title"]},
                "rating": float(row["actual_rating"]),
                "response": None if answer.startswith("(None") else answer,
            }


def _ml1m_ratings(folder: Path) -> dict[str, list[Row]]:
    """Return the ratings of each user, in order; empty if the data is not available."""
    if not folder.exists():
        return {}
    import pyarrow.parquet as pq

    lines = (folder / "movies.dat").read_text(encoding="latin-1").splitlines()
    titles = dict(line.split("::")[:2] for line in lines)
    table = pq.read_table(folder / "ratings_reconstructed.parquet", columns=["user_id", "movie_id", "rating", "seq"])
    rows = zip(*(table[name].to_pylist() for name in ("user_id", "seq", "movie_id", "rating")), strict=True)
    events: dict[str, list[Row]] = defaultdict(list)
    for user, _seq, movie, rating in sorted(row for row in rows if row[1] is not None):
        events[str(user)].append({"item_id": str(movie), "title": titles[str(movie)], "rating": float(rating)})
    return events


def _table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def data_folder() -> Path:
    """Return the folder where the development data is expected."""
    return Path(os.environ.get("LLMRANK_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def main(name: str, out: str) -> None:
    data = data_folder()
    with Path(out).open("w", encoding="utf-8") as file:
        for row in recorded(name, data):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: python -m tests.answers.recorded {'|'.join(NAMES)} OUT.jsonl")
    main(*sys.argv[1:])
