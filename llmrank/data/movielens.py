"""MovieLens 100K and 1M as distributed by GroupLens. Later releases are plain tables and need no reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from llmrank.data.rows import ItemRows, Rows
from llmrank.data.table import Table
from llmrank.data.table_files import read_table
from llmrank.data.tables import read_event_rows, split_genres
from llmrank.errors import InputError

# u.genre, which not every copy of the data has; `unknown` is the first flag and no genre.
GENRES_100K = (
    "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir",
    "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


def read_ml_100k(folder: Path) -> Rows:
    """Read `u.data` and `u.item` (MovieLens 100K README, 1998)."""
    path = folder / "u.item"
    ids, titles, *rest = zip(*_fields(path, "|", 24), strict=True)
    flags = zip(*rest[4:], strict=True)
    genres = [", ".join(name for name, flag in zip(GENRES_100K, one, strict=True) if flag == "1") for one in flags]
    events = read_table(folder / "u.data", names=("user", "item", "rating", "time"), quoted=False)
    return _rows(path, ids, titles, genres, events)


def read_ml_1m(folder: Path) -> Rows:
    """Read `movies.dat` beside `ratings.dat` (MovieLens 1M README, 2003), or beside one Parquet file of ratings.

    The Parquet file is for copies from elsewhere. It may have a column `seq`, the position of a rating in
    its user's history; then timestamps may be missing.
    """
    path = folder / "movies.dat"
    ids, titles, genres = zip(*_fields(path, "::", 3), strict=True)
    if (official := folder / "ratings.dat").is_file():
        # `::` read as a separator `:` with nothing between: the columns are numbers, so no colon is part of a value.
        names = ("user", "_1", "item", "_2", "rating", "_3", "time")
        events = read_table(official, names=names, delimiter=":", quoted=False)
    else:
        found = sorted(folder.glob("*.parquet"))
        if len(found) != 1:
            columns = "user_id, movie_id, rating, timestamp"
            hint = f"put ratings.dat beside movies.dat, or one Parquet file with columns {columns}"
            raise InputError(f"no ratings.dat, and {len(found)} Parquet files", path=folder, hint=hint)
        events = read_table(found[0])
    return _rows(path, ids, titles, [split_genres(names) for names in genres], events)


def _rows(path: Path, ids: Sequence[str], titles: Sequence[str], genres: Sequence[str | None], events: Table) -> Rows:
    item_id, title, genre = (pa.array(values, pa.string()) for values in (ids, titles, genres))
    items = ItemRows(path, item_id, title, {"genres": genre})
    return Rows(items, replace(read_event_rows(events), rating_scale=(1.0, 5.0)), "movies")


def _fields(path: Path, separator: str, count: int) -> Iterator[list[str]]:
    if not path.is_file():
        raise InputError("no such file", path=path, hint="use the folder as distributed by GroupLens")
    # GroupLens uses Latin-1, whose accented letters are not valid UTF-8; some copies were converted to UTF-8.
    data = path.read_bytes()
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = data.decode("latin-1").splitlines()
    hint = "copy the file again, as GroupLens wrote it"
    if not lines:
        raise InputError("the file is empty", path=path, hint=hint)
    for number, line in enumerate(lines, 1):
        fields = line.split(separator)
        if len(fields) != count:
            raise InputError(f"expected {count} fields, got {len(fields)}", path=path, line=number, hint=hint)
        yield fields
