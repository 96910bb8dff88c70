"""A partition: one output file, the input file of its rows, and the Store of its answers.

A folder is divided by its files. The files are independent, each output appears only when it is complete, and an
unfinished one is continued row by row by the next process. The folder is therefore the only state: an existing output
whose unfinished file is gone is done, and the rest is not.

Each partition has its own Store next to the output. The Store belongs to the partition rather than the process, because
after a crash another machine may continue the partition, and SQLite cannot be written by several machines over a
network. Only one process at a time works on a partition and its Store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from llmrank.data.candidates import file_format, has_no_rows
from llmrank.data.reranked import claim_unfinished, finished_settings, unfinished
from llmrank.errors import InputError, refuse_differences
from llmrank.files import json_bytes, writing
from llmrank.scale.shard import Shard
from llmrank.types import Spending, Usage


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a job. Only one process at a time works on it."""

    source: Path
    output: Path
    store: Path
    settings: Path | None = None
    """File with the settings of the job, which all partitions must share; None: there is only one partition. Like the
    Stores, its name starts with `_`, so that readers of Parquet folders ignore it."""
    shard: Shard | None = None
    """The rows of the source to process; None: all."""

    @property
    def unfinished(self) -> Path:
        """File that collects the rows until all are done (`RerankedWriter`)."""
        return unfinished(self.output)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do. A process killed at the very end leaves the unfinished file to remove."""
        return self.output.exists() and not self.unfinished.exists()


@dataclass(frozen=True, slots=True)
class Result:
    """The result of working on a partition."""

    output: Path
    rows: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Number of rows per outcome, for the rows ranked in this call."""
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    """Number of rows per `outcome: reason`, for failed calls and unparsed answers in this call."""
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    """Usage of the answers to these rows, including stored answers."""
    spent: Spending = field(default_factory=Spending)
    """By the requests sent in this call."""
    error: str = ""
    """Error message if the partition is unfinished; otherwise empty."""
    exit_code: int = 0
    """Exit code of the error."""
    stops: bool = False
    """Whether the error would affect every other partition too."""


def partition_file(source: Path, output: Path, shard: Shard, store: Path | None) -> Partition:
    """Return the partition of a file for this shard."""
    part = shard.rename(output)
    store = store or part.with_name(f"_{part.name}.sqlite")
    return Partition(source, part, store, output.with_name(f"_{output.name}.settings.json"), shard)


def partition_folder(
    source: Path, output: Path, *, shard: Shard | None = None, stores: Path | None = None
) -> list[Partition]:
    """Return a partition for each file of the folder, sorted by name; for a shard, for every nth file.

    Shards take whole files, because picking rows would require reading all of them. Outputs have the names of the input
    files. Stores are in `stores`, or in `_stores` of the output folder.

    Raises:
        InputError: the folder is empty, or contains something that may be data but is not a candidate file (ignoring it
            could silently drop users). Documents (see `documents`) and Parquet files without rows are ignored.
    """
    if output.exists() and output.samefile(source):
        raise InputError("input and output are the same folder", path=output, hint="choose another folder with -o")
    if output.is_file():
        raise InputError("expected an output folder, got a file", path=output, hint="give a folder with -o")
    if stores is not None and stores.is_file():
        hint = "give a folder with --store; each input file has its own Store"
        raise InputError("expected a folder of Stores, got a file", path=stores, hint=hint)
    # Other programs use such names for files next to the data: _SUCCESS, _metadata, .crc.
    others = set(documents(source))
    entries = sorted(
        entry for entry in source.iterdir() if not entry.name.startswith(("_", ".")) and entry not in others
    )
    for entry in entries:
        if entry.is_dir():
            hint = "use that folder as the input, or move its files up"
            raise InputError("unexpected folder inside the input folder", path=entry, hint=hint)
        file_format(entry)
    entries = [entry for entry in entries if not has_no_rows(entry)]
    if not entries:
        raise InputError("the folder has no candidate files", path=source, hint="add .parquet or .jsonl files")
    stores = stores or output / "_stores"
    mine: Sequence[Path] = entries if shard is None else entries[shard.number - 1 :: shard.count]
    settings = output / "_settings.json"
    return [Partition(entry, output / entry.name, stores / f"{entry.name}.sqlite", settings) for entry in mine]


def documents(source: Path) -> list[Path]:
    """Return the documentation files of a folder: README.txt, LICENSE, notes.md, …"""
    beginnings, ends = ("readme", "licen", "source", "changelog"), (".md", ".rst", ".html", ".pdf", ".log")
    names = {entry: entry.name.lower() for entry in source.iterdir() if entry.is_file()}
    return sorted(entry for entry, name in names.items() if name.startswith(beginnings) or name.endswith(ends))


def agree(path: Path, settings: Mapping[str, object]) -> None:
    """Write the job's settings to the file. Raises InputError if it already has different settings.

    If several processes start at once, only one writes.
    """
    kept = json.loads(json.dumps(settings))
    try:
        with writing(path, overwrite=False) as temporary:
            temporary.write_bytes(json_bytes(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)))
        return
    except FileExistsError:
        try:
            before = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            hint = "delete it if the settings are those of before, or start over with --force"
            raise InputError(f"damaged: {error}", path=path, hint=hint) from error
    hint = "use the same settings as before, choose another output, or start over with --force"
    refuse_differences(before, kept, "the output was started with other settings", path=path, hint=hint)


def discard(partitions: Sequence[Partition]) -> None:
    """Remove the outputs of the partitions, to start over. The Stores stay.

    Raises InputError, before removing anything, if another process is writing one of them.
    """
    with ExitStack() as claimed:
        for partition in partitions:
            if partition.unfinished.exists():
                claim_unfinished(claimed.enter_context(partition.unfinished.open("rb")), partition.unfinished)
        for partition in partitions:
            made = (partition.output, partition.unfinished, partition.settings, finished_settings(partition.output))
            for path in made:
                if path is not None:
                    path.unlink(missing_ok=True)
