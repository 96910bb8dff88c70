"""Data sets on the Hugging Face hub, `hf:owner/name`, through the `datasets` library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from llmrank.data.rows import Rows
from llmrank.data.tables import EVENT_STEMS, ITEM_STEMS, Table, tables_to_rows
from llmrank.errors import InputError, MissingError, one_line


def read_hub(name: str, columns: Mapping[str, str]) -> Rows:
    """Read `owner/name` (or a local folder in the hub's layout).

    It has either two configurations, one named like an items table (`items`, `movies`, …) and one like an interactions
    table (`interactions`, `ratings`, …), or a single table of interactions with titles. All of its splits are read, in
    the order of the hub: llmrank makes its own split.

    Raises:
        InputError: the configurations or columns are not there.
        MissingError: the hub has no such data set, or cannot be reached.
    """
    if not name.strip("/ "):
        raise InputError("hf: names no data set", hint="write hf:owner/name")
    import datasets
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    # Among the bases is the error of the hub's HTTP library, which differs between versions.
    unreachable: tuple[type[BaseException], ...] = HfHubHTTPError.__bases__
    try:
        configs = datasets.get_dataset_config_names(name)
        events = _pick(configs, EVENT_STEMS) or (configs[0] if len(configs) == 1 else None)
        if events is None:
            problem = f"it is not clear which of the configurations {', '.join(configs)} holds the interactions"
            hint = f"call one configuration {EVENT_STEMS[0]} and one {ITEM_STEMS[0]}"
            raise InputError(problem, path=name, hint=hint)
        items = _pick(configs, ITEM_STEMS)
        tables = {config: _table(name, config) for config in (items, events) if config}
    except (*unreachable, DatasetsError, ValueError) as error:
        said = one_line(str(error).partition("\n")[0])
        problem = f"{name} cannot be read from the hub ({type(error).__name__}: {said})"
        raise MissingError(problem, hint="check the name and the connection, or give a local folder") from error
    return tables_to_rows(tables[items] if items else None, tables[events], columns)


def _pick(configs: Sequence[str], stems: Sequence[str]) -> str | None:
    return next((stem for stem in stems if stem in configs), None)


def _table(name: str, config: str) -> Table:
    import datasets

    splits = datasets.load_dataset(name, config)
    whole = datasets.concatenate_datasets(list(splits.values()))  # type: ignore[union-attr]
    return Table(f"hf:{name}/{config}", pa.table(whole.data.table))
