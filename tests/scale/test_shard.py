"""Shards: every user in exactly one, the same one on every machine, and names that tell them apart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.scale import Shard


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 70))
def test_every_user_is_in_exactly_one_shard(user: str, count: int) -> None:
    assert sum(Shard(number, count).holds(user) for number in range(1, count + 1)) == 1


def test_a_user_stays_in_the_shard_on_another_machine_and_in_another_version() -> None:
    shards = [
        next(n for n in range(1, 5) if Shard(n, 4).holds(user)) for user in ("1", "2", "42", "übung", "A3K", "a b")
    ]
    assert shards == [3, 1, 3, 3, 2, 1]


def test_shards_are_about_equally_large() -> None:
    sizes = Counter(number for user in range(8000) for number in range(1, 9) if Shard(number, 8).holds(str(user)))
    assert all(abs(size - 1000) < 4 * 1000**0.5 for size in sizes.values()), sizes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0/4", "no shard 0 of 4"),
        ("5/4", "use 1/4 to 4/4"),
        ("1/0", "at least one"),
        ("x", "got 'x'"),
        ("1/2/3", "expected i/n"),
        ("-1/3", "expected i/n"),
        ("1.5/3", "expected i/n"),
        ("²/3", "expected i/n"),
    ],
)
def test_what_is_no_shard_is_refused_with_the_mend(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        Shard.parse(text)
    assert "'shard'" in str(refused.value) and "hint:" in str(refused.value)


def test_the_number_stands_before_the_suffix_and_sorts() -> None:
    assert Shard.parse("2/4").rename(Path("a/out.v2.parquet")) == Path("a/out.v2.2-of-4.parquet")
    assert Shard.parse("2/16").rename(Path("out.jsonl.gz")) == Path("out.02-of-16.jsonl.gz")
    names = [Shard(number, 12).rename(Path("out.jsonl")).name for number in range(1, 13)]
    assert names == sorted(names) and len(set(names)) == 12
