"""Real data sets against their published figures, and small files in every layout, right and wrong."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmrank.data.dataset import Dataset, Interactions
from llmrank.data.describe import describe
from llmrank.data.load import load_dataset
from llmrank.data.splits import parse_split
from llmrank.errors import InputError, MissingError
from llmrank.types import Item

Find = Callable[[str], Path]


def counts(dataset: Dataset) -> tuple[int, int, int, int]:
    events = dataset.interactions
    return len(dataset.users), len(np.unique(events.item)), len(dataset.items), len(events)


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def by_id(dataset: Dataset) -> dict[str, str]:
    return {item.item_id: item.title for item in dataset.items}


def events_of(dataset: Dataset, user_id: str) -> list[str]:
    rows = dataset.interactions.user == dataset.users.index(user_id)
    return [dataset.items[index].item_id for index in dataset.interactions.item[rows]]


def test_equal_timestamps_are_those_of_one_user() -> None:
    user = np.tile(np.array([0, 1 << 16], np.int32), 1 << 15)  # their products with the events exceed 32 bits
    events = Interactions(user, np.zeros(1 << 16, np.int32), None, np.repeat(np.arange(1 << 15), 2).astype(float))
    users = tuple(map(str, range((1 << 16) + 1)))
    found = describe(Dataset("toy", users, (Item("0", "A film"),), events, None, "here", ""), "toy")
    assert found["equal_timestamps"] == 0


def test_a_folder_has_no_licence_though_a_published_dataset_has_its_name() -> None:
    events = Interactions(np.zeros(1, np.int32), np.zeros(1, np.int32), None, None)
    dataset = Dataset("books", ("u",), (Item("0", "A book"),), events, None, "data/books", "")
    assert describe(dataset, "data/books")["licence"] == "not stated"
    assert "McAuley" in describe(dataset, "books")["licence"]


# --- the real ones --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "folder", "expected", "scale"),
    [
        ("ml-100k", "ml-100k", (943, 1682, 1682, 100_000), (1, 5)),
        ("ml-1m", "ml-1m", (6040, 3706, 3883, 1_000_209), (1, 5)),
        ("ml-latest-small", "ml-latest-small", (610, 9724, 9742, 100_836), (0.5, 5)),
        ("beauty", "amazon-beauty-5core", (22_363, 12_101, 12_101, 198_502), None),
    ],
)
def test_published_counts(name: str, folder: str, expected: tuple[int, ...], scale: object, shared_data: Find) -> None:
    dataset = load_dataset(name, folder=shared_data(folder).parent)
    assert counts(dataset) == expected
    assert dataset.rating_scale == scale


def test_ml_100k_is_the_same_from_both_sources(shared_data: Find, tmp_path: Path) -> None:
    official = load_dataset("ml-100k", folder=shared_data("ml-100k"))
    atomic = load_dataset(str(shared_data("ml-100k") / "recbole"))
    assert atomic.items == official.items
    assert [item.attributes for item in atomic.items] == [item.attributes for item in official.items]
    assert atomic.sha256 == official.sha256
    titles = by_id(official)
    assert titles["1"] == "Toy Story (1995)"
    assert titles["267"] == "unknown"
    assert titles["1128"] == "Heidi Fleiss: Hollywood Madam (1995)"
    assert titles["1412"] == "Land Before Time III: The Time of the Great Giving (1995) (V)"
    assert official.items[0].attributes == {"genres": "Animation, Children's, Comedy"}
    assert "genres" not in official.items[266].attributes


def test_ml_1m_reads_latin_1_and_the_official_ratings_file(shared_data: Find, tmp_path: Path) -> None:
    source = shared_data("ml-1m")
    shutil.copy(source / "movies.dat", tmp_path)
    (tmp_path / "ratings.dat").write_text("1::1193::5::978300760\n1::73::3::978302109\n2::1193::4::978300000\n")
    dataset = load_dataset(str(tmp_path))
    assert by_id(dataset)["73"] == "Misérables, Les (1995)"
    assert events_of(dataset, "1") == ["1193", "73"]
    assert dataset.interactions.timestamp is not None and dataset.interactions.timestamp[0] == 978300000
    assert dataset.rating_scale == (1, 5)


def test_ml_1m_reconstructed_keeps_each_users_order(shared_data: Find) -> None:
    dataset = load_dataset("ml-1m", folder=shared_data("ml-1m"))
    raw = pq.read_table(shared_data("ml-1m") / "ratings_reconstructed.parquet").to_pylist()
    of_user = [row for row in raw if row["user_id"] == 1 and row["seq"] is not None]
    assert events_of(dataset, "1") == [str(row["movie_id"]) for row in sorted(of_user, key=lambda row: row["seq"])]
    # No event without position or timestamp comes after one that has either.
    unplaced = {(row["user_id"], row["movie_id"]) for row in raw if row["seq"] is None and row["timestamp"] is None}
    last: dict[str, str] = {}
    events = dataset.interactions
    for user, item in zip(events.user.tolist(), events.item.tolist(), strict=True):
        last[dataset.users[user]] = dataset.items[item].item_id
    assert not {(int(user), int(item)) for user, item in last.items()} & unplaced


def test_beauty_titles(shared_data: Find) -> None:
    dataset = load_dataset(str(shared_data("amazon-beauty-5core")))
    without = [item for item in dataset.items if item.title == item.item_id]
    assert len(without) == 7
    assert any("É" in item.title for item in dataset.items)
    assert not [item for item in dataset.items if "&eacute;" in item.title or "  " in item.title]


def test_a_named_data_set_must_have_its_published_size(shared_data: Find, tmp_path: Path) -> None:
    source, copy = shared_data("ml-latest-small"), tmp_path / "ml-latest-small"
    copy.mkdir()
    shutil.copy(source / "movies.csv", copy)
    lines = (source / "ratings.csv").read_text().splitlines()
    (copy / "ratings.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(InputError, match="100,835 interactions; expected 610, 9,724, 100,836"):
        load_dataset("ml-latest-small", folder=tmp_path)
    assert counts(load_dataset(str(copy)))[3] == 100_835


def test_the_folder_in_the_environment_is_looked_at_first(
    shared_data: Find, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = shared_data("ml-100k").parent
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(folder.parent))
    for root in (str(folder), f"~/{folder.name}"):
        monkeypatch.setenv("LLMRANK_DATA", root)
        assert load_dataset("ml-100k").source.endswith("ml-100k")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_environment_that_is_not_there_is_said_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").touch()
    for root in (tmp_path / "gone", tmp_path / "file"):
        monkeypatch.setenv("LLMRANK_DATA", str(root))
        with pytest.raises(InputError, match="LLMRANK_DATA is not a folder"):
            load_dataset("ml-100k")
    assert not (tmp_path / "cache").exists()


# --- people's own ---------------------------------------------------------------------------------------------------

ITEMS = 'id,title,brand\n10,"Me, Myself & Irene (2000)",\n9,"""Quoted""",Acme\n2,  ,B\n'
EVENTS = "userId,item,rating,timestamp\n007,10,4,20\n007,9,5,10\nb,2,,30\n"


@pytest.mark.parametrize(
    ("ratings", "scale"), [((4, 9), (1, 9)), ((8, 10), (1, 10)), ((1, 1), (0, 1)), ((0, 3), (0, 5))]
)
def test_the_scale_of_own_ratings_is_more_than_those_given(
    ratings: tuple[int, int], scale: tuple[int, int], tmp_path: Path
) -> None:
    events = EVENTS.replace("10,4,20", f"10,{ratings[0]},20").replace("9,5,10", f"9,{ratings[1]},10")
    assert load_dataset(str(write(tmp_path, items__csv=ITEMS, interactions__csv=events))).rating_scale == scale


def test_own_tables(tmp_path: Path) -> None:
    dataset = load_dataset(str(write(tmp_path, items__csv=ITEMS, interactions__csv=EVENTS)))
    assert dataset.users == ("007", "b")
    assert [item.item_id for item in dataset.items] == ["2", "9", "10"]
    assert by_id(dataset) == {"10": "Me, Myself & Irene (2000)", "9": '"Quoted"', "2": "2"}
    assert dataset.items[1].attributes == {"brand": "Acme"}
    assert events_of(dataset, "007") == ["9", "10"]
    assert dataset.rating_scale == (1, 5), "that of a candidate file with the same ratings"
    assert dataset.name == tmp_path.name


def test_the_unit_of_times_before_1970_is_told_by_their_size(tmp_path: Path) -> None:
    events = EVENTS.replace(",20\n", ",-999999999000\n").replace(",10\n", ",-999999998000\n")
    times = load_dataset(str(write(tmp_path, items__csv=ITEMS, interactions__csv=events))).interactions.timestamp
    assert times is not None and times.tolist() == [-999999999.0, -999999998.0, 0.03]


def test_times_may_have_nanoseconds_as_pandas_writes_them(tmp_path: Path) -> None:
    days = ("2001-01-01T12:00:00.123456789Z", "2001-01-02T12:00:00Z", "2001-01-03T00:00:00.000000001+02:00")
    for rows in (days, days[:2]):
        events = "user_id,item_id,timestamp\n" + "".join(f"u,10,{day}\n" for day in rows)
        times = load_dataset(str(write(tmp_path, items__csv=ITEMS, interactions__csv=events))).interactions.timestamp
        assert times is not None and times[:2].tolist() == [978350400.123456, 978436800.0]


@pytest.mark.parametrize(
    ("numbers", "first"),
    [
        ((20231114, 20240229, 20231231), 1699920000.0),
        ((20231114, 20231332, 20231231), 20231114.0),
        ((20230230,) * 3, 20230230.0),
    ],
)
def test_numbers_that_are_all_days_are_days(numbers: tuple[int, ...], first: float, tmp_path: Path) -> None:
    """Were they seconds, all would be of August 1970, and a prompt would say so; 20231332 is no day."""
    rows = "".join(f"u,10,4,{number}\n" for number in numbers)
    events = f"user_id,item_id,rating,timestamp\n{rows}"
    times = load_dataset(str(write(tmp_path, items__csv=ITEMS, interactions__csv=events))).interactions.timestamp
    assert times is not None and min(times) == first


def test_a_file_is_no_data_set(tmp_path: Path) -> None:
    path = tmp_path / "candidates.jsonl"
    path.write_text("{}")
    with pytest.raises(InputError, match=r"candidates\.jsonl: expected the name or folder .*\n.*candidate file"):
        load_dataset(str(path))


def test_the_hash_depends_on_the_data_and_nothing_else(tmp_path: Path) -> None:
    first = load_dataset(str(write(tmp_path / "a", items__csv=ITEMS, interactions__csv=EVENTS)))
    head, *rows = ITEMS.splitlines()
    moved = write(tmp_path / "b", items__csv="\n".join([head, *reversed(rows)]), interactions__csv=EVENTS)
    head, *rows = EVENTS.splitlines()
    (moved / "interactions.csv").write_text("\n".join([head, *reversed(rows)]))
    assert load_dataset(str(moved)).sha256 == first.sha256
    (moved / "interactions.csv").write_text(EVENTS.replace("007,10,4", "007,10,3"))
    assert load_dataset(str(moved)).sha256 != first.sha256


def test_parquet_and_json_lines_read_like_csv(tmp_path: Path) -> None:
    csv = load_dataset(str(write(tmp_path / "a", items__csv=ITEMS, interactions__csv=EVENTS)))
    other = tmp_path / "b"
    other.mkdir()
    rows = {"item_id": [10.0, 9.0, 2.0], "title": ["Me, Myself & Irene (2000)", '"Quoted"', None]}
    pq.write_table(pa.table({**rows, "brand": [None, "Acme", "B"], "vector": [[1.0]] * 3}), other / "items.parquet")
    events = [("007", 10, 4, "1970-01-01 00:00:20"), ("007", 9, 5, "1970-01-01 00:00:10"), ("b", 2, None, None)]
    lines = [{"user": u, "item_id": i, "rating": r, "date": d or "1970-01-01T00:00:30"} for u, i, r, d in events]
    with gzip.open(other / "events.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    assert load_dataset(str(other)).sha256 == csv.sha256
    (parts := other / "items").mkdir()
    (other / "items.parquet").rename(parts / "part-0.parquet")
    assert load_dataset(str(other)).sha256 == csv.sha256
    (other / "items.csv").write_text((tmp_path / "a" / "items.csv").read_text())  # a file comes first
    assert load_dataset(str(other)).sha256 == csv.sha256
    (other / "events.jsonl.gz").unlink()
    (parts / "part-0.parquet").rename(other / "part-0.parquet")
    with pytest.raises(InputError, match="for candidate files, name one"):
        load_dataset(str(other))


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_tables_of_other_programs_read_like_csv(mark: str, ends: str, tmp_path: Path) -> None:
    items = "item_id,title\n1,Heat\n2,Cube\n"
    events = "user_id,item_id,rating\nu,1,5\nv,2,4\n"
    usual = load_dataset(str(write(tmp_path / "a", items__csv=items, interactions__csv=events)))
    other = write(tmp_path / "b")
    for name, text in (("items.csv", items), ("interactions.csv", events)):
        (other / name).write_bytes(b"\xef\xbb\xbf" + text.replace(",", mark).replace("\n", ends).encode())
    assert load_dataset(str(other)).sha256 == usual.sha256


@pytest.mark.parametrize("said", ["sep=;\r\n", '"sep=;"\n'])
def test_the_separator_that_excel_is_told_of_is_no_header(said: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        items__csv=f"{said}item_id;title\n1;Heat, the film\n2;Cube\n",
        events__csv="user_id,item_id\nu,1\nu,2\n",
    )
    assert [item.title for item in load_dataset(str(tmp_path)).items] == ["Heat, the film", "Cube"]
    write(tmp_path, items__csv=f"{said}item_id;title\n1;Heat\n1;Cube\n")
    with pytest.raises(InputError, match=r"items\.csv, line 4, .*duplicate item '1' \(first on line 3\)"):
        load_dataset(str(tmp_path))
    write(tmp_path, items__csv=said)
    with pytest.raises(InputError, match=r"items\.csv, line 2: the file is empty"):
        load_dataset(str(tmp_path))


def test_the_index_that_pandas_writes_is_no_attribute(tmp_path: Path) -> None:
    events = ",user_id,item_id\n0,u,1\n1,u,2\n"
    dataset = load_dataset(str(write(tmp_path, items__csv=",item_id,title\n0,1,A\n1,2,B\n", events__csv=events)))
    assert [item.attributes for item in dataset.items] == [{}, {}]


def test_every_attribute_with_a_text_is_kept(tmp_path: Path) -> None:
    write(tmp_path, events__csv="user_id,item_id\nu,1\nu,2\n")
    columns = {
        "item_id": [1, 2],
        "title": ["A", "B"],
        "price": pa.array([Decimal("1.50"), None]),
        "day": pa.array([date(2001, 2, 3), None]),
        "since": pa.array([981158400 * 10**9, None], pa.timestamp("ns")),
        "new": [True, None],
        "kind": pa.array([7, None]).dictionary_encode(),
        "brand": pa.array(["Acme", None], pa.string_view()),
        "share": [0.5, float("nan")],
        "views": [1e20, float("nan")],
        "vector": [[1.0], None],
        "code": [b"\xff", None],
    }
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    first, second = load_dataset(str(tmp_path)).items
    known = {"price": "1.50", "day": "2001-02-03", "since": "2001-02-03", "new": "true", "kind": "7", "brand": "Acme"}
    assert first.attributes == {**known, "share": "0.5", "views": "1e+20"}
    assert second.attributes == {}


def test_json_lines_keep_texts_that_look_like_times(tmp_path: Path) -> None:
    items = [{"item_id": f"2001-01-0{n}", "title": f"1984-01-0{n}", "released": f"1999-01-0{n}"} for n in (1, 2)]
    write(tmp_path, items__jsonl="".join(json.dumps(item) + "\n" for item in items))
    write(tmp_path, events__csv="user_id,item_id\nu,2001-01-01\nu,2001-01-02\n")
    dataset = load_dataset(str(tmp_path))
    assert by_id(dataset) == {"2001-01-01": "1984-01-01", "2001-01-02": "1984-01-02"}
    assert dataset.items[0].attributes == {"released": "1999-01-01"}


def test_times_finer_than_a_microsecond_are_read(tmp_path: Path) -> None:
    write(tmp_path, items__csv=ITEMS)
    times = pa.array([2_000_000_001, 1_000_000_001], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"user": ["u", "u"], "item": ["9", "10"], "time": times}), tmp_path / "events.parquet")
    assert events_of(load_dataset(str(tmp_path)), "u") == ["10", "9"]


def test_lines_are_those_of_the_file_whatever_the_values_hold(tmp_path: Path) -> None:
    items = 'item_id,title\n1,"A\nfilm"\n\n2,B\n2,C\n'
    write(tmp_path, items__csv=items, events__csv="user,item\nu,1\n")
    with pytest.raises(InputError, match=r"items\.csv, line 6, .*\(first on line 5\)"):
        load_dataset(str(tmp_path))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1e19, 2.0], "field 'item_id': integers from 9007199254740992 on lose digits"),
        ([1234567890123456789.0, 2.0], "field 'item_id': integers from 9007199254740992 on lose digits"),
        ([b"\xff", b"2"], "field 'item_id': the column cannot be read as text"),
        ([{"id": 1}, {"id": 2}], "field 'item_id': the column cannot be read as text"),
        ([1.0, float("nan")], "line 2, field 'item_id': the item has no id"),
    ],
)
def test_ids_that_are_no_text_are_refused(column: list[object], message: str, tmp_path: Path) -> None:
    write(tmp_path, events__csv="user,item\nu,1\n")
    pq.write_table(pa.table({"item_id": column, "title": ["A", "B"]}), tmp_path / "items.parquet")
    with pytest.raises(InputError, match=message):
        load_dataset(str(tmp_path))


def test_an_infinite_number_among_days_is_no_time(tmp_path: Path) -> None:
    """It became an empty time."""
    events = "user_id,item_id,rating,timestamp\nu,10,4,20231114\nu,10,4,inf\n"
    with pytest.raises(InputError, match=r"inf (is not a valid time|are times)"):
        load_dataset(str(write(tmp_path, items__csv=ITEMS, interactions__csv=events)))


@pytest.mark.parametrize("id_", ["1.23457E+11", "1,23457E+11", "1.2e+05"])
def test_ids_that_a_spreadsheet_has_shortened_are_refused(id_: str, tmp_path: Path) -> None:
    write(tmp_path, items__csv="item_id;title\n1;A\n2;B\n", events__csv=f"user;item\nu;1\n{id_};1\n{id_};2\n")
    with pytest.raises(
        InputError, match=r"events\.csv, line 3, field 'user': '.*' is .* may have lost its last digits"
    ):
        load_dataset(str(tmp_path))


def test_ids_that_only_look_like_numbers_are_texts(tmp_path: Path) -> None:
    write(tmp_path, items__csv="item_id,title\n1e+05,A\n1.5E+1,B\nv1.2e+05,C\n", events__csv="user,item\nu,1e+05\n")
    assert sorted(item.item_id for item in load_dataset(str(tmp_path)).items) == ["1.5E+1", "1e+05", "v1.2e+05"]


@pytest.mark.parametrize("name", ["events.csv.gz", "events.jsonl.gz", "reviews_Beauty.json.gz"])
def test_a_damaged_gzip_file_is_named(name: str, tmp_path: Path) -> None:
    if name.startswith("reviews"):
        (tmp_path / "meta_Beauty.json.gz").write_bytes(gzip.compress(b"{}"))
    else:
        write(tmp_path, items__csv=ITEMS)
    whole = gzip.compress(b"".join(b'{"user": "%d", "item": "%d"}\n' % (n, n * 7919 % 1000) for n in range(5000)))
    for content in (whole[:-4], whole[: len(whole) // 2], whole[:40], b"user,item\n"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}.*: the gzip file is damaged"):
            load_dataset(str(tmp_path))


def test_events_without_titles_need_an_items_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)no column for the title.*add an items table, .*meta_NAME.jsonl"):
        load_dataset(str(write(tmp_path, ratings__csv="user,item\nu,a\n", meta__csv=ITEMS)))


def test_columns_can_be_named(tmp_path: Path) -> None:
    folder = write(tmp_path, items__csv="ref,label\na,Alpha\n", ratings__csv="who,product_id,when\nu,a,1500000000123\n")
    with pytest.raises(
        InputError, match=r"(?s)no column for the item.*rename it to item, or.*columns=\{'item': 'NAME'\}"
    ):
        load_dataset(str(folder))
    columns = {"item": "ref", "title": "label", "user": "who", "timestamp": "when"}
    dataset = load_dataset(str(folder), columns=columns)
    assert by_id(dataset) == {"a": "Alpha"}
    assert dataset.interactions.timestamp is not None
    assert dataset.interactions.timestamp.tolist() == [1500000000.123]
    with pytest.raises(InputError, match=r"'labell'.*did you mean 'label'"):
        load_dataset(str(folder), columns={**columns, "title": "labell"})
    with pytest.raises(InputError, match=r"(?s)unknown column role 'titel'.*did you mean 'title'"):
        load_dataset(str(folder), columns={**columns, "titel": "label"})


def test_one_table_with_titles(tmp_path: Path) -> None:
    folder = write(tmp_path, interactions__csv="user,item,title\nu,b,Beta\nu,a,Alpha\nv,b,Beta again\n")
    dataset = load_dataset(str(folder))
    assert by_id(dataset) == {"a": "Alpha", "b": "Beta"}
    assert events_of(dataset, "u") == ["b", "a"]


def test_repeated_interactions_are_kept(tmp_path: Path) -> None:
    folder = write(tmp_path, items__csv="item,title\na,A\n", events__csv="user,item\nu,a\nu,a\n")
    assert events_of(load_dataset(str(folder)), "u") == ["a", "a"]


def test_sequences(tmp_path: Path) -> None:
    folder = write(tmp_path, items__csv="asin,title\na,A&eacute; &amp; Q&notes\nb,B\n", seq__txt="u b a b\nv\ta\n")
    (folder / "README.txt").write_text("no sequences\n")
    dataset = load_dataset(str(folder))
    assert events_of(dataset, "u") == ["b", "a", "b"]
    assert by_id(dataset)["a"] == "Aé & Q&notes"
    assert dataset.rating_scale is None and dataset.interactions.timestamp is None


def test_recbole_atomic_files(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        toy__inter="user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\t2\t3\t5\nu\t1\t4\t5\n",
        toy__item="item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq\n"
        '1\tThe "X"\t1999\tSci-Fi War\n2\tY\t\t\n',
    )
    dataset = load_dataset(str(folder))
    assert by_id(dataset) == {"1": 'The "X" (1999)', "2": "Y"}
    assert dataset.items[0].attributes == {"genres": "Sci-Fi, War"}
    assert events_of(dataset, "u") == ["2", "1"]
    (folder / "toy.inter").write_text("user_id\titem_id:token\nu\t1\n")
    with pytest.raises(InputError, match="line 1, field 'user_id': the column has no RecBole type"):
        load_dataset(str(folder))


def zipped(path: Path, *lines: object) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)


def test_amazon_2014(tmp_path: Path) -> None:
    review = {"reviewerID": "U", "asin": "B1", "overall": 5.0, "unixReviewTime": 200, "helpful": [0, 1], "summary": "é"}
    zipped(tmp_path / "reviews_Toys_5.json.gz", review, {**review, "asin": "B2", "overall": 1.0, "unixReviewTime": 100})
    zipped(
        tmp_path / "meta_Toys.json.gz",
        str({"asin": "B1", "title": "It's &quot;it&quot;", "brand": "ACME", "categories": [["Toys", "Games"], ["X"]]}),
        str({"asin": "B2", "description": "no title"}),
        "{'asin': 'B3', 'title': 'never reviewed, and broken",
    )
    dataset = load_dataset(str(tmp_path))
    assert by_id(dataset) == {"B1": 'It\'s "it"', "B2": "B2"}
    assert dataset.items[0].attributes == {"brand": "ACME", "categories": "Toys, Games"}
    assert events_of(dataset, "U") == ["B2", "B1"]
    assert dataset.rating_scale == (1, 5)


def test_amazon_2018_and_2023(tmp_path: Path) -> None:
    older, newer, table = tmp_path / "2018", tmp_path / "2023", tmp_path / "2023csv"
    for folder in (older, newer, table):
        folder.mkdir()
    zipped(older / "Toys_5.json.gz", {"reviewerID": "U", "asin": "B1", "overall": 5.0, "unixReviewTime": 1500000000})
    zipped(older / "meta_Toys.json.gz", {"asin": "B1", "title": "T", "category": ["Toys"], "description": ["a", "b"]})
    review = {"user_id": "U", "asin": "X", "parent_asin": "B1", "rating": 5.0, "timestamp": 1500000000000}
    zipped(newer / "Toys.jsonl.gz", {**review, "title": "title of the review"})
    record = {"parent_asin": "B1", "title": "T", "categories": ["Toys"], "description": ["a", "b"], "store": None}
    zipped(newer / "meta_Toys.jsonl.gz", record)
    zipped(table / "meta_Toys.jsonl.gz", record)
    (table / "Toys.csv").write_text("user_id,parent_asin,rating,timestamp\nU,B1,5.0,1500000000000\n")
    hashes = {load_dataset(str(folder)).sha256 for folder in (older, newer, table)}
    assert len(hashes) == 1
    dataset = load_dataset(str(newer))
    assert by_id(dataset) == {"B1": "T"}
    assert dataset.items[0].attributes == {"categories": "Toys", "description": "a b"}


def test_a_product_named_inside_the_record_of_another_keeps_its_own_title(tmp_path: Path) -> None:
    review = {"user_id": "U", "parent_asin": "B1", "rating": 5.0, "timestamp": 1500000000000}
    zipped(tmp_path / "Toys.jsonl.gz", review, {**review, "parent_asin": "B2"})
    beside = {"bought_together": [{"asin": "B1"}], "title": "Two", "parent_asin": "B2"}
    zipped(tmp_path / "meta_Toys.jsonl.gz", beside, {"title": "One", "parent_asin": "B1"})
    assert by_id(load_dataset(str(tmp_path))) == {"B1": "One", "B2": "Two"}


def test_malformed_amazon_lines_are_found(tmp_path: Path) -> None:
    review = {"reviewerID": "U", "asin": "B1", "overall": 5.0, "unixReviewTime": 200}
    zipped(tmp_path / "meta_Toys.json.gz", {"asin": "B1"})
    zipped(tmp_path / "reviews_Toys_5.json.gz", review, '{"reviewerID": "U", "asin":')
    with pytest.raises(InputError, match=r"reviews_Toys_5\.json\.gz, line 2: malformed JSON"):
        load_dataset(str(tmp_path))
    zipped(tmp_path / "reviews_Toys_5.json.gz", review)
    for line in ("{'asin': 'B1', 'title': 'broken", '{"asin": "B1", "title": ' + "[" * 100_000):
        zipped(tmp_path / "meta_Toys.json.gz", line)
        with pytest.raises(InputError, match=r"meta_Toys\.json\.gz, line 1: malformed metadata"):
            load_dataset(str(tmp_path))


def test_hub_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = write(tmp_path / "hub", items__csv=ITEMS, interactions__csv=EVENTS)
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: items\n  data_files: items.csv\n"
        "- config_name: interactions\n  data_files: interactions.csv\n---\n"
    )
    dataset = load_dataset(f"hf:{folder}")
    assert counts(dataset) == (2, 3, 3, 3)
    assert by_id(dataset)["10"] == "Me, Myself & Irene (2000)"


@pytest.mark.parametrize("name", ["hf:", "hf:/", "hf: "])
def test_the_hub_needs_a_name(name: str) -> None:
    with pytest.raises(InputError, match="the name after hf: is missing"):
        load_dataset(name)


def test_an_unreachable_hub_is_one_error_without_the_lines_of_its_library(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("huggingface_hub")

    def unreachable(name: str) -> list[str]:
        # As the hub's library does between its retries, which take half a minute.
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying %s in 8s [Retry 4/5].", name)
        raise ConnectionError(f"Couldn't reach '{name}' on the Hub")

    monkeypatch.setattr("datasets.get_dataset_config_names", unreachable)
    monkeypatch.setattr(logger, "propagate", True)
    with pytest.raises(MissingError, match="owner/name cannot be read from the hub"):
        load_dataset("hf:owner/name")
    assert not caplog.records
    logger.warning("later lines are shown again")
    assert len(caplog.records) == 1


# --- what is wrong, and where ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"items__csv": ITEMS}, "no interactions table in this folder"),
        ({"items__csv": "id,name2\n1,x\n", "events__csv": EVENTS}, r"items\.csv, line 1, field 'title': no column"),
        ({"items__csv": ITEMS, "events__csv": "item\n9\n"}, r"events\.csv, line 1, field 'user': no column"),
        (
            {"items__csv": ITEMS, "events__csv": "user,item\nu,9\nu,99\nu,98\n"},
            r"events\.csv, line 3, field 'item': item '99' is not in the items table \(2 interactions",
        ),
        (
            {"items__csv": ITEMS + "9,again,\n", "events__csv": EVENTS},
            r"items\.csv, line 5, .*'9'.*\(first on line 3\)",
        ),
        (
            {"items__csv": ITEMS + ",x,\n", "events__csv": EVENTS},
            r"items\.csv, line 5, field 'id': the item has no id",
        ),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS + ",9,1,1\n"},
            "line 5, field 'userId': the user is missing",
        ),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS + "u,9,good,1\n"},
            "line 5, field 'rating': expected a number, got 'good'",
        ),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS + 'u,9,"3,5",1\n'},
            "line 5, field 'rating': expected a number, got '3,5'\n  hint: .*decimal point",
        ),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS + "u,9,inf,1\n"},
            "line 5, field 'rating': expected a number, got 'inf'\n  hint: write a finite number",
        ),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS + "u,9,1,soon\n"},
            "line 5, .*expected a time, got 'soon'\n  hint: .*2001-12",
        ),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS + "u,9,1,\n"},
            "line 5, field 'timestamp': the timestamp is missing",
        ),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS + "u,9,1,inf\n"},
            "line 5, field 'timestamp': inf is not a valid time",
        ),
        ({"items__csv": ITEMS, "events__csv": EVENTS + "u,9,1,1e21\n"}, "line 5, .*1e\\+21 is not a valid time"),
        ({"items__csv": ITEMS, "events__csv": EVENTS + "u,9\n"}, r"events\.csv, line 5: .*Expected 4 columns, got 2"),
        (
            {"items__csv": ITEMS + '3,"Say "Anything"",\n4,Four,\n', "events__csv": EVENTS},
            r"items\.csv, line 5: text follows a closing quote.*\n  hint: .*double each quote",
        ),
        (
            {"items__csv": ITEMS + '3,"Say \\"Anything\\"",\n', "events__csv": EVENTS},
            r"items\.csv, line 5: text follows a closing quote",
        ),
        (
            {"items__csv": ITEMS + '3,"One,\n4,"Two",\n', "events__csv": EVENTS},
            r"items\.csv, line 5: text follows a closing quote",
        ),
        ({"items__csv": ITEMS, "events__csv": "user,item\n"}, r"events\.csv: no interactions"),
        ({"items__csv": ITEMS, "events__csv": ""}, r"events\.csv, line 1: the file is empty"),
        (
            {"items__csv": ITEMS, "events__csv": EVENTS, "events__jsonl": ""},
            r"the same table exists more than once: events\.csv, events\.jsonl",
        ),
        ({"items__csv": ITEMS, "events__jsonl": '{"user": "u", "item": "9"}\n{"user": \n'}, "line 2: malformed JSON"),
        ({"items__csv": ITEMS, "seq__txt": "u 9\nu 10\n"}, r"seq\.txt, line 2, user 'u': duplicate user"),
        ({"items__csv": ITEMS, "seq__txt": "u 9\nv\n"}, r"seq\.txt, line 2, user 'v': the user has no items"),
        (
            {"items__jsonl": '{"id": 1, "title": "A"}\n{"id": "2", "title": "B"}\n', "events__csv": EVENTS},
            r"items\.jsonl, line 2: .*changed from number to string.*\n  hint: give the field the same type",
        ),
        (
            {"items__csv": ITEMS, "seq__txt": "u 9 10\nv 2 3\n"},
            r"seq\.txt, line 2, field 'item_id': item '3' is not in",
        ),
        (
            {"movies__dat": "1::Toy Story (1995)\n", "ratings__dat": "1::1::5::1\n"},
            r"movies\.dat, line 1: expected 3 fields, got 2",
        ),
        ({"movies__dat": "1::Toy (1995)::War\n"}, "no ratings.dat, and 0 Parquet files"),
    ],
)
def test_faults_name_their_place(files: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_dataset(str(write(tmp_path, **files)))
    assert caught.value.hint


def test_quotes_that_are_closed_are_read_with_blanks_behind_them(tmp_path: Path) -> None:
    items = 'id,title,genres\n1,"Say ""Anything""" ,A\n2,"Two, or\nthree" ,B\n3,5\' 6" Tall,C\n'
    dataset = load_dataset(str(write(tmp_path, items__csv=items, events__csv="user,item\nu,1\nu,2\nu,3\n")))
    assert [item.title for item in dataset.items] == ['Say "Anything"', "Two, or three", "5' 6\" Tall"]


def test_the_wrong_encoding_is_found(tmp_path: Path) -> None:
    write(tmp_path, items__csv=ITEMS, interactions__csv=EVENTS)
    (tmp_path / "items.csv").write_bytes((ITEMS + "3,Amélie,\n").encode("latin-1"))
    with pytest.raises(InputError, match=r"line 5: not UTF-8: byte 0xe9 at position 5 .*\n  hint: .*CP1252"):
        load_dataset(str(tmp_path))
    (tmp_path / "items.csv").write_bytes(ITEMS.encode("utf-16"))
    with pytest.raises(InputError, match=r"items\.csv: this is text in UTF-16\n  hint: .*iconv -f UTF-16"):
        load_dataset(str(tmp_path))


def test_unknown_names_get_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'beauty'"):
        load_dataset("beuty")
    with pytest.raises(InputError, match="no such folder"):
        load_dataset("ml-1m", folder=tmp_path / "nowhere")


def test_columns_that_seem_to_be_times_are_read_and_an_order_that_nobody_states_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\n1,One\n2,Two\n3,Three\n")
    events = tmp_path / "interactions.csv"
    events.write_text("user_id,item_id,ordered_at,qty\nu,1,2024-03-02,1\nu,2,2024-03-01,2\nu,3,2024-02-01,1\n")
    dataset = load_dataset(str(tmp_path))
    assert dataset.notes == ("The column 'ordered_at' is read as the timestamp.",)
    assert [dataset.items[index].item_id for index in dataset.interactions.item.tolist()] == ["3", "2", "1"]
    assert parse_split("leave-last-out")(dataset).test.user.tolist() == [0] and dataset.domain is None
    events.write_text("user_id,item_id,created,paid_date\nu,1,2024-03-02,2024-03-03\nu,2,2024-03-01,2024-03-02\n")
    with pytest.raises(InputError, match="created and paid_date could each be the timestamp"):
        load_dataset(str(tmp_path))
    events.write_text("user_id,item_id\nu,1\nu,2\n")
    with pytest.raises(InputError, match="has no timestamps") as caught:
        parse_split("leave-last-out")(load_dataset(str(tmp_path)))
    assert "--file-order" in caught.value.hint
    in_file_order = parse_split("leave-last-out", file_order=True)(load_dataset(str(tmp_path)))
    assert in_file_order.test.user.tolist() == [0]


def test_dates_of_events_are_read_under_any_name_and_what_is_ignored_is_named(tmp_path: Path) -> None:
    """A date that belongs to the user (born) or to the item (aired) says nothing of the order of events."""
    items = "item,title\n9,Nine\n10,Ten\n11,Eleven\n"
    head, born, aired = (
        "user,item,bought_on,born,aired,points\n",
        ("1990-01-01", "1980-05-05"),
        ("1999-01-01", "2001-02-02"),
    )
    rows = [
        f"{user},{9 + item},2020-0{day}-01,{born[user]},{aired[item]},7\n"
        for user, item, day in ((0, 1, 2), (0, 0, 1), (1, 0, 3), (1, 1, 4))
    ]
    folder = write(tmp_path / "dated", items__csv=items, interactions__csv=head + "".join(rows))
    dataset = load_dataset(str(folder))
    assert dataset.notes == ("The column 'bought_on' is read as the timestamp.",)
    assert [dataset.items[index].item_id for index in dataset.interactions.item.tolist()][:2] == ["9", "10"]
    without = head.replace("bought_on", "visited") + "".join(rows).replace("2020-0", "160000000").replace("-01,1", ",1")
    folder = write(tmp_path / "numbers", items__csv=items, interactions__csv=without)
    with pytest.raises(InputError, match=r"no timestamps.*these are ignored: visited, born, aired, points\)"):
        parse_split("leave-last-out")(load_dataset(str(folder)))


@pytest.mark.parametrize("text", ["31/12/2023", "1.2.2023 14:00", "31 Dec 2023", "December 31, 2023"])
def test_a_column_of_dates_that_are_not_read_is_named(tmp_path: Path, text: str) -> None:
    events = f'user,item,bought_on_date,format\nu,10,"{text}",1/1\nu,9,"{text}",2/2\n'
    folder = write(tmp_path / "data", items__csv="item,title\n9,Nine\n10,Ten\n", interactions__csv=events)
    [note] = load_dataset(str(folder)).notes
    assert note.startswith(f"The column 'bought_on_date' is ignored: '{text}' is not read as a time (write seconds")
