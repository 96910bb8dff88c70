"""Answers that real models once gave, as candidate rows with a `response` (JSONL), for `llmrank score`.

    python -m tests.answers.recorded chatgpt answers.jsonl     # also text-davinci-003, palm, ml1m-ratings

Reads the development data (LLMRANK_DATA, else ../shared/data). `chatgpt`, `text-davinci-003` and `palm` were asked to
rerank the 50 most popular films (Di Palma et al. 2023, experiment 2 on ml-latest-small); relevant is what a user rated
4 or better in the test part, nothing for the users who have none. `ml1m-ratings` are gpt-3.5-turbo's predictions; seven
of them hold the text of an exception in the place of an answer, and are given as null.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODELS = ("chatgpt", "text-davinci-003", "palm")
NAMES = (*MODELS, "ml1m-ratings")
Row = dict[str, Any]


def recorded(name: str, data: Path) -> Iterator[Row]:
    """Yield the candidate rows of one set of recorded answers, in the order of its users."""
    yield from ratings(data) if name == "ml1m-ratings" else rerank(name, data)


def rerank(model: str, data: Path) -> Iterator[Row]:
    folder = data / "Recommender-ChatGPT"
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
    for user, item, rating, _timestamp in _table(folder / "test.tsv"):
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
                    "response": answer["response"],
                }


def ratings(data: Path) -> Iterator[Row]:
    with (data / "LLM-rating-predictions" / "ml1m_few_shot.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            answer = row["predicted_rating"]
            yield {
                "user_id": row["user_id"],
                "history": [],
                "target": {"item_id": row["item_id"], "title": row["title"]},
                "rating": float(row["actual_rating"]),
                "response": None if answer.startswith("(None") else answer,
            }


def _table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def main(name: str, out: str) -> None:
    data = Path(os.environ.get("LLMRANK_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    with Path(out).open("w", encoding="utf-8") as file:
        for row in recorded(name, data):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: python -m tests.answers.recorded {'|'.join(NAMES)} OUT.jsonl")
    main(*sys.argv[1:])
