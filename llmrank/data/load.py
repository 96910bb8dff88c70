"""Loads a Dataset by name, from a folder, or from the Hugging Face hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from llmrank.data import splits
from llmrank.data.amazon import find_meta, read_amazon
from llmrank.data.dataset import Dataset
from llmrank.data.fetch import ORIGIN, cached, fetch
from llmrank.data.movielens import read_ml_1m, read_ml_100k
from llmrank.data.recbole import read_recbole
from llmrank.data.registry import DATASETS, DatasetInfo, dataset_info
from llmrank.data.rows import Rows, make_dataset
from llmrank.data.sequences import find_sequences, read_sequences
from llmrank.data.table import Table
from llmrank.data.tables import EVENT_STEMS, ITEM_STEMS, find_table, read_tables, tables_to_rows
from llmrank.errors import InputError, MissingError, count_of, one_line
from llmrank.files import expanded
from llmrank.progress import Say, silent


def load_dataset(
    name_or_path: str,
    *,
    folder: Path | None = None,
    columns: Mapping[str, str] | None = None,
    k_core: int = 0,
    say: Say = silent,
) -> Dataset:
    """Return a Dataset.

    Args:
        name_or_path: A name in `registry.DATASETS`, a folder with your own data, or `hf:owner/name`.
        folder: The folder of a named data set, or its parent. None: look in `LLMRANK_DATA`, then in the cache, and
            download the data set if it is in neither.
        columns: For tables and the hub, the names of the `user`, `item`, `title`, `rating`, `timestamp` and `position`
            columns, if they are unusual.
        k_core: Keep users and items with at least this many interactions each (iteratively); 0 keeps all.
        say: Receives a line about each step of a download.

    Raises:
        InputError: the name is unknown, or the data is invalid; with file, line and field.
        MissingError: the data is not available locally and cannot be downloaded.
    """
    columns = columns or {}
    if name_or_path.startswith("hf:"):
        rows = read_hub(name_or_path.removeprefix("hf:"), columns)
        dataset = make_dataset(name_or_path, rows, source=name_or_path)
    elif name_or_path in DATASETS or not (path := Path(name_or_path)).exists():
        dataset = _load_known(dataset_info(name_or_path), folder, columns, say)
    elif path.is_dir():
        dataset = make_dataset(path.resolve().name, read_folder(path, columns), source=str(path))
    else:
        hint = "name its folder; for a candidate file, use eval, rerank or audit"
        raise InputError("expected the name or folder of a dataset, got a file", path=name_or_path, hint=hint)
    return splits.k_core(dataset, k_core) if k_core > 1 else dataset


def read_folder(folder: Path, columns: Mapping[str, str]) -> Rows:
    """Read a folder and detect its layout.

    Layouts: MovieLens 100K and 1M, RecBole atomic files, Amazon reviews, an interactions table with or without an items
    table, a sequence file with an items table.

    Raises InputError: no layout fits, or a file cannot be read.
    """
    if (read := _layout(folder)) is not None:
        if columns:
            raise InputError("column names can be given only for tables", path=folder, hint="remove --column")
        return read(folder)
    return read_tables(folder, columns)


def _layout(folder: Path) -> Callable[[Path], Rows] | None:
    if (folder / "u.data").is_file():
        return read_ml_100k
    if (folder / "movies.dat").is_file():
        return read_ml_1m
    if any(folder.glob("*.inter")):
        return read_recbole
    if find_meta(folder):
        return read_amazon
    if find_sequences(folder) and not find_table(folder, EVENT_STEMS):
        return read_sequences
    return None


def read_hub(name: str, columns: Mapping[str, str]) -> Rows:
    """Read `owner/name` (or a local folder in the hub's layout).

    The data set has either two configurations, one named like an items table (`items`, `movies`, …) and one like an
    interactions table (`interactions`, `ratings`, …), or a single table of interactions with titles. All of its splits
    are concatenated in the order of the hub, because llmrank makes its own split.

    Raises:
        InputError: a configuration or column is missing.
        MissingError: the hub has no such data set or cannot be reached.
    """
    if not name.strip("/ "):
        raise InputError("the name after hf: is missing", hint="write hf:owner/name")
    import datasets
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import logging as hub_log

    # It warns of each of its retries, but only the last failure matters.
    verbosity = hub_log.get_verbosity()
    hub_log.set_verbosity_error()
    # The bases include the error of the hub's HTTP library, which differs between versions.
    unreachable: tuple[type[BaseException], ...] = HfHubHTTPError.__bases__
    try:
        configs = datasets.get_dataset_config_names(name)
        events = _pick(configs, EVENT_STEMS) or (configs[0] if len(configs) == 1 else None)
        if events is None:
            problem = f"it is not clear which of the configurations {', '.join(configs)} holds the interactions"
            hint = f"name one configuration {EVENT_STEMS[0]} and one {ITEM_STEMS[0]}"
            raise InputError(problem, path=name, hint=hint)
        items = _pick(configs, ITEM_STEMS)
        tables: dict[str, Table] = {}
        for config in filter(None, (items, events)):
            parts = datasets.load_dataset(name, config)
            whole = datasets.concatenate_datasets(list(parts.values()))
            tables[config] = Table(f"hf:{name}/{config}", pa.table(whole.data.table))
    except (*unreachable, DatasetsError, ValueError) as error:
        message = one_line(str(error).partition("\n")[0])
        problem = f"{name} cannot be read from the hub ({type(error).__name__}: {message})"
        raise MissingError(problem, hint="check the name and the connection, or use a local folder") from error
    finally:
        hub_log.set_verbosity(verbosity)
    return tables_to_rows(tables[items] if items else None, tables[events], columns)


def _pick(configs: Sequence[str], stems: Sequence[str]) -> str | None:
    return next((stem for stem in stems if stem in configs), None)


def _load_known(known: DatasetInfo, named: Path | None, columns: Mapping[str, str], say: Say) -> Dataset:
    folder = _named_folder(known, named) or fetch(known, say)
    origin = folder / ORIGIN
    source = origin.read_text(encoding="utf-8").strip() if origin.is_file() else str(folder)
    rows = read_folder(folder, columns)
    events = replace(rows.events, rating_scale=known.rating_scale)
    dataset = make_dataset(known.name, replace(rows, events=events, domain=known.domain), source=source)
    interactions = dataset.interactions
    counts = (len(dataset.users), len(np.unique(interactions.item)), len(interactions))
    if counts != (known.users, known.items, known.interactions):
        problem = (
            f"this is not {known.name}: {count_of(counts[0], 'user')}, {count_of(counts[1], 'item')} with interactions "
            f"and {count_of(counts[2], 'interaction')}; expected {known.users:,}, {known.items:,}, "
            f"{known.interactions:,}"
        )
        raise InputError(problem, path=folder, hint=f"get the complete data, or use it as your own: {folder}")
    return dataset


def at_hand(known: DatasetInfo) -> Path | None:
    """Return the folder from which a named dataset would be read, or None if it would be downloaded first."""
    with suppress(InputError):  # an invalid LLMRANK_DATA is reported when the data is loaded
        if (folder := _named_folder(known, None)) is not None:
            return folder
    return cached(known.name)


def _named_folder(known: DatasetInfo, named: Path | None) -> Path | None:
    """Return the folder of the data, or None. A folder named by the user must have it; LLMRANK_DATA need not."""
    names = (known.name, *known.folders)
    if named is not None:
        if not named.is_dir():
            raise InputError("no such folder", path=named, hint="check the name")
        return next((path for name in names if (path := named / name).is_dir()), named)
    if text := os.environ.get("LLMRANK_DATA"):
        if not (root := expanded(text)).is_dir():
            hint = "set it to the folder that holds your datasets, or `unset LLMRANK_DATA`"
            raise InputError("the environment variable LLMRANK_DATA is not a folder", path=text, hint=hint)
        places = [root / name for name in names] + [root] * (root.name in names)
        return next((path for path in places if path.is_dir()), None)
    return None
