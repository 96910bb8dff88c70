"""Partitions: a folder divided by its files, nothing left out unsaid, and nobody writes where another does."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmrank.data.candidates import CandidateFile
from llmrank.data.reranked import RerankedWriter
from llmrank.errors import InputError
from llmrank.scale import Partition, Shard, discard, documents, partition_file, partition_folder
from llmrank.scale.actors import ATTEMPTS, begun, forget
from llmrank.scale.partition import agree

NAMES = ["a.parquet", "b.jsonl", "c.jsonl.gz", "d.parquet", "e.PARQUET"]


def folder(tmp_path: Path, *names: str) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    for name in names:
        (source / name).touch()
    return source


def test_each_file_has_an_output_of_the_same_name_and_a_store_of_its_own(tmp_path: Path) -> None:
    source = folder(tmp_path, *NAMES, "_SUCCESS", ".a.parquet.crc")
    partitions = partition_folder(source, tmp_path / "out")
    assert [partition.source for partition in partitions] == [source / name for name in sorted(NAMES)]
    assert [partition.output for partition in partitions] == [tmp_path / "out" / name for name in sorted(NAMES)]
    assert len({partition.store for partition in partitions}) == len(NAMES)
    assert {partition.store.parent for partition in partitions} == {tmp_path / "out" / "_stores"}


def test_shards_of_a_folder_are_whole_files_each_in_one_shard(tmp_path: Path) -> None:
    source = folder(tmp_path, *NAMES)
    whole = partition_folder(source, tmp_path / "out")
    parts = [partition_folder(source, tmp_path / "out", shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(map(len, parts)) == [1, 2, 2]
    assert sorted((one for part in parts for one in part), key=lambda one: one.source) == whole
    assert partition_folder(source, tmp_path / "out", shard=Shard(7, 7)) == []


@pytest.mark.parametrize("stray", ["notes.txt", "more.csv", "subfolder/"])
def test_what_is_no_candidate_file_is_not_left_out_silently(tmp_path: Path, stray: str) -> None:
    source = folder(tmp_path, "a.parquet")
    (source / stray).mkdir() if stray.endswith("/") else (source / stray).touch()
    with pytest.raises(InputError, match=stray.rstrip("/")):
        partition_folder(source, tmp_path / "out")


def test_documents_beside_the_data_are_passed_over_and_known(tmp_path: Path) -> None:
    source = folder(tmp_path, "a.parquet", "README.txt", "notes.md", "LICENSE")
    assert [partition.source.name for partition in partition_folder(source, tmp_path / "out")] == ["a.parquet"]
    assert [path.name for path in documents(source)] == ["LICENSE", "README.txt", "notes.md"]


def test_parquet_without_rows_is_passed_over(tmp_path: Path) -> None:
    """Spark writes a file for each part, and some have no row."""
    source = folder(tmp_path)
    table = pa.table({"user_id": ["u"], "title": ["Heat"]})
    pq.write_table(table, source / "part-0.parquet")
    pq.write_table(table.slice(1), source / "part-1.parquet")
    assert [one.source.name for one in partition_folder(source, tmp_path / "out")] == ["part-0.parquet"]
    (source / "part-0.parquet").unlink()
    with pytest.raises(InputError, match="no candidate files"):
        partition_folder(source, tmp_path / "out")


def test_folders_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    source, file = folder(tmp_path), tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="no candidate files"):
        partition_folder(source, tmp_path / "out")
    (source / "a.parquet").touch()
    with pytest.raises(InputError, match="same folder"):
        partition_folder(source, tmp_path / "in" / ".." / "in")
    with pytest.raises(InputError, match="got a file"):
        partition_folder(source, file)
    with pytest.raises(InputError, match="expected a folder of Stores"):
        partition_folder(source, tmp_path / "out", stores=file)


def test_all_parts_are_made_with_the_same_settings(tmp_path: Path) -> None:
    path = tmp_path / "_settings.json"
    agree(path, {"seed": 0, "sampling": {"top_p": 1.0, "stop": ()}})
    agree(path, {"seed": 0, "sampling": {"top_p": 1.0, "stop": ()}})
    with pytest.raises(InputError, match=r"settings:\n    sampling\.top_p: was 1\.0, now 0\.5\n"):
        agree(path, {"seed": 0, "sampling": {"top_p": 0.5, "stop": ()}})
    assert [found.name for found in tmp_path.iterdir()] == ["_settings.json"]


def test_damaged_settings_of_a_job_are_named(tmp_path: Path) -> None:
    (path := tmp_path / "_settings.json").write_text('{"seed"')
    with pytest.raises(InputError, match=r"_settings.json: damaged[\s\S]*start over with overwrite=True"):
        agree(path, {"seed": 0})


def test_two_processes_cannot_write_one_part(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    (tmp_path / "in.jsonl").write_text('{"user_id": 1, "candidates": [{"item_id": 1, "title": "A"}]}')
    candidates = CandidateFile(tmp_path / "in.jsonl")
    partition = Partition(tmp_path / "in.jsonl", output, tmp_path / "store")
    with RerankedWriter(output, candidates, settings={}):
        for force in (False, True):
            with pytest.raises(InputError, match="another process is writing"):
                RerankedWriter(output, candidates, settings={}, overwrite=force)
        with pytest.raises(InputError, match="another process is writing"):
            discard([partition])
        assert partition.unfinished.exists()
    RerankedWriter(output, candidates, settings={}).close()


def test_a_partition_that_makes_no_headway_is_given_up_and_one_that_does_is_not(tmp_path: Path) -> None:
    partition = Partition(tmp_path / "in.parquet", tmp_path / "out.parquet", tmp_path / "store")
    for rows in range(10):
        partition.unfinished.write_text("x" * rows)
        assert begun(partition) == 1
    assert [begun(partition) for _ in range(ATTEMPTS)] == list(range(2, ATTEMPTS + 2))
    forget(partition)
    assert begun(partition) == 1


def test_beginning_again_removes_what_was_made_but_no_answer(tmp_path: Path) -> None:
    partition = partition_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", Shard(1, 2), None)
    assert partition.settings is not None
    for path in (partition.output, partition.unfinished, partition.settings, partition.store):
        path.touch()
    discard([partition])
    assert list(tmp_path.iterdir()) == [partition.store]
