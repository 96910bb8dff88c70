"""A partition: one output file, the input file that its rows come from, and the Store that keeps its answers.

A folder is divided by its files. What is done with one of them depends on no other, its output appears whole or not at
all, and an unfinished one is continued row by row by whoever takes it up next. So nothing but the folder has to be
remembered: what is there is done, and the rest is not.

Each partition has a Store of its own, beside the output. It belongs to the partition and not to the process, because
the process that takes up a partition after a loss may be on another machine; and one file that many machines write over
a network is what SQLite cannot do. Only one process at a time has a partition, and so its Store.
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
from llmrank.types import Usage


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a job that one process does at a time."""

    source: Path
    output: Path
    store: Path
    settings: Path | None = None
    """The file that says how the job's partitions are made, so that they are all made alike; None: it is the only one.
    Its name begins with `_`, as do those of the Stores: readers of Parquet folders pass over it."""
    shard: Shard | None = None
    """Which rows of the source; None: all."""

    @property
    def unfinished(self) -> Path:
        """Where the rows stand until all are there (`RerankedWriter`)."""
        return unfinished(self.output)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a partition."""

    output: Path
    rows: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of the rows that were ranked this time."""
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    """Why calls failed and answers could not be read, each after its outcome, with how many rows met it this time."""
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    """Of the answers to these rows, stored ones too."""
    requests: int = 0
    """Sent this time."""
    spent: Usage = field(default_factory=Usage)
    """What they took."""
    doubtful: Usage = field(default_factory=Usage)
    """What those that came to nothing may have taken."""
    error: str = ""
    """Why it is not finished, for people; empty when it is."""
    exit_code: int = 0
    """Of the error."""
    stops: bool = False
    """Whether every other partition would meet this error too."""


def partition_file(source: Path, output: Path, shard: Shard, store: Path | None) -> Partition:
    """Return the shard's part of a file."""
    part = shard.rename(output)
    store = store or part.with_name(f"_{part.name}.sqlite")
    return Partition(source, part, store, output.with_name(f"_{output.name}.settings.json"), shard)


def partition_folder(
    source: Path, output: Path, *, shard: Shard | None = None, stores: Path | None = None
) -> list[Partition]:
    """Return a partition for each file of the folder, by name; of a shard, for every n-th file.

    Whole files, because a shard that picks rows must still read all of them. The output files bear the names of the
    input files, and the Stores lie in `stores`, or in `_stores` of the output folder.

    Raises:
        InputError: there is nothing in the folder, or something in it that may be data and is no candidate file (left
            out silently, its users would be missing). Documents are passed over (`documents`), and Parquet without
            rows.
    """
    if output.exists() and output.samefile(source):
        raise InputError("the input and the output are one folder", path=output, hint="name another folder with -o")
    if output.is_file():
        raise InputError("a folder is reranked into a folder, and this is a file", path=output, hint="name a folder")
    if stores is not None and stores.is_file():
        hint = "name a folder with --store: each input file has a Store of its own"
        raise InputError("the Store of a folder is a folder, and this is a file", path=stores, hint=hint)
    # What other programs leave beside the data bears a name of this kind: _SUCCESS, _metadata, .crc.
    others = set(documents(source))
    entries = sorted(
        entry for entry in source.iterdir() if not entry.name.startswith(("_", ".")) and entry not in others
    )
    for entry in entries:
        if entry.is_dir():
            hint = "name that folder as the input, or move its files up"
            raise InputError("a folder within the input folder", path=entry, hint=hint)
        file_format(entry)
    entries = [entry for entry in entries if not has_no_rows(entry)]
    if not entries:
        raise InputError("the folder holds no candidate files", path=source, hint="write .parquet or .jsonl files")
    stores = stores or output / "_stores"
    mine: Sequence[Path] = entries if shard is None else entries[shard.number - 1 :: shard.count]
    settings = output / "_settings.json"
    return [Partition(entry, output / entry.name, stores / f"{entry.name}.sqlite", settings) for entry in mine]


def documents(source: Path) -> list[Path]:
    """Return the files of a folder that tell people about the data and are none: README.txt, LICENSE, notes.md, …"""
    beginnings, ends = ("readme", "licen", "source", "changelog"), (".md", ".rst", ".html", ".pdf", ".log")
    names = {entry: entry.name.lower() for entry in source.iterdir() if entry.is_file()}
    return sorted(entry for entry, name in names.items() if name.startswith(beginnings) or name.endswith(ends))


def agree(path: Path, settings: Mapping[str, object]) -> None:
    """Keep the job's settings in the file; raise InputError if others are kept there already.

    Of several processes that come at once, one writes.
    """
    kept = json.loads(json.dumps(settings))
    try:
        with writing(path, overwrite=False) as temporary:
            temporary.write_bytes(json_bytes(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)))
        return
    except FileExistsError:
        before = json.loads(path.read_bytes())
    hint = "go on with the settings of then, name another output, or begin again with --force"
    refuse_differences(before, kept, "the output was begun with other settings", path=path, hint=hint)


def discard(partitions: Sequence[Partition]) -> None:
    """Remove what was made of the partitions, to begin again; the Stores stay.

    Raises InputError where another process is writing one of them, before anything is removed.
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
