"""The Store: what makes a key, what survives, and what a person is told."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.store import (
    Selection,
    Store,
    StoredRow,
    canonical_json,
    decode_request,
    encode_request,
    keyed,
    request_key,
)
from llmrank.types import Message, Request, Response, Sampling, Structured, Thinking, Usage, adapter

IDENTITY = {"kind": "openai", "base_url": "http://host/v1", "model": "m"}
REQUEST = Request((Message("system", "be brief"), Message("user", "rank")), Sampling(), ("A", "B"))
RESPONSE = Response(
    "Ünïcode \ud800 text", "length", Usage(3, 2, 1, 1), {"A": -0.1, "B": -2.302585092994046}, "hm", 0.25
)

text = st.text(st.characters(), max_size=20)
requests = st.builds(
    Request,
    messages=st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), text)).map(tuple),
    sampling=st.builds(
        Sampling,
        temperature=st.floats(0, 2),
        top_k=st.integers(0, 99),
        stop=st.lists(text).map(tuple),
    ),
    labels=st.lists(text).map(tuple),
    structured=st.none() | st.builds(Structured, st.sampled_from(["choice", "regex", "json_schema"]), text),
    thinking=st.builds(Thinking, st.booleans(), st.none() | st.integers(1, 9999)),
    extra_body=st.sampled_from(["", '{"a":1}', '{"a":{"b":[null,"c"]}}', '{"messages":[]}']),
    repeat=st.integers(0, 9),
)


@given(requests)
def test_a_request_comes_back_from_json(request: Request) -> None:
    assert decode_request(json.loads(canonical_json(encode_request(request)))) == request


def test_a_response_comes_back_from_json() -> None:
    assert (
        adapter(Response).validate_python(json.loads(canonical_json(adapter(Response).dump_python(RESPONSE))))
        == RESPONSE
    )


def test_the_key_is_the_sha256_of_the_canonical_json() -> None:
    parts = {"backend": IDENTITY, "request": encode_request(REQUEST)}
    content = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    assert request_key(IDENTITY, REQUEST) == hashlib.sha256(content.encode()).hexdigest()


@given(requests)
def test_a_request_is_kept_as_the_canonical_json_of_all_that_it_asks(request: Request) -> None:
    asked = keyed(IDENTITY, request)
    assert asked.request_json == canonical_json(encode_request(request))
    assert (
        asked.key
        == hashlib.sha256(
            canonical_json({"backend": IDENTITY, "request": encode_request(request)}).encode()
        ).hexdigest()
    )


CHANGES = [
    ({**IDENTITY, "model": "n"}, REQUEST),
    ({**IDENTITY, "base_url": "http://other/v1"}, REQUEST),
    ({**IDENTITY, "kind": "vllm"}, REQUEST),
    ({**IDENTITY, "revision": "1"}, REQUEST),
    ({**IDENTITY, "adapter": "a@1"}, REQUEST),
    (IDENTITY, replace(REQUEST, messages=REQUEST.messages[1:])),
    (IDENTITY, replace(REQUEST, labels=("B", "A"))),
    (IDENTITY, replace(REQUEST, structured=Structured("regex", "[AB]"))),
    (IDENTITY, replace(REQUEST, repeat=1)),
    (IDENTITY, replace(REQUEST, thinking=Thinking(True))),
    (IDENTITY, replace(REQUEST, thinking=Thinking(True, 1024))),
    (IDENTITY, replace(REQUEST, extra_body='{"min_p":0.1}')),
    *(
        (IDENTITY, replace(REQUEST, sampling=replace(Sampling(), **change)))
        for change in [
            {"temperature": 0.7},
            {"top_p": 0.9},
            {"top_k": 5},
            {"max_tokens": 401},
            {"seed": 1},
            {"stop": ("\n",)},
            {"presence_penalty": 0.1},
            {"frequency_penalty": 0.1},
        ]
    ),
]


def test_everything_that_can_change_an_answer_changes_the_key() -> None:
    keys = {request_key(identity, request) for identity, request in [(IDENTITY, REQUEST), *CHANGES]}
    assert len(keys) == len(CHANGES) + 1


def test_equal_settings_have_one_key() -> None:
    whole = replace(REQUEST, sampling=replace(Sampling(), temperature=0, top_p=1))
    assert request_key(dict(reversed(IDENTITY.items())), whole) == request_key(IDENTITY, REQUEST)


def test_what_is_put_is_there_when_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.sqlite"
    key = request_key(IDENTITY, REQUEST)
    with Store(path) as store:
        assert store.get(key) is None
        store.put(key, IDENTITY, REQUEST, RESPONSE)
        store.put(key, IDENTITY, REQUEST, replace(RESPONSE, text="a later answer"))
    with Store(path, read_only=True) as store:
        assert store.get(key) == RESPONSE
        assert store.identities() == [IDENTITY]


@pytest.mark.parametrize("other", [False, True])
def test_a_file_that_is_taken_away_is_noticed(other: bool, tmp_path: Path) -> None:
    path, link = tmp_path / "store.sqlite", tmp_path / "link.sqlite"
    link.symlink_to(path)
    with Store(link) as store, Store(Path(":memory:")) as unkept:
        assert not store.is_gone and not unkept.is_gone
        path.unlink()
        if other:
            path.touch()
        assert store.is_gone


def test_stats_count_answers_tokens_and_backends(tmp_path: Path) -> None:
    other = {**IDENTITY, "model": "n"}
    with Store(tmp_path / "s") as store:
        for identity, repeat in [(IDENTITY, 0), (IDENTITY, 1), (other, 0)]:
            request = replace(REQUEST, repeat=repeat)
            store.put(request_key(identity, request), identity, request, RESPONSE)
        stats = store.stats()
    assert (stats.responses, stats.usage) == (3, Usage(9, 6, 3, 3))
    assert [(held.backend, held.responses) for held in stats.by_backend] == [(IDENTITY, 2), (other, 1)]
    assert stats.by_backend[0].usage == Usage(6, 4, 2, 2)
    assert "2026" < stats.by_backend[0].oldest <= stats.by_backend[0].newest
    assert stats.size > 0


def held_on(path: Path, *days: str) -> Store:
    """Return a Store with an answer of each of two backends for each of the days."""
    store = Store(path)
    for identity in (IDENTITY, {"kind": "vllm", "model": "n"}):
        for repeat, day in enumerate(days):
            request = replace(REQUEST, repeat=repeat)
            texts = (
                canonical_json(value)
                for value in (identity, encode_request(request), adapter(Response).dump_python(RESPONSE))
            )
            store.add([StoredRow(request_key(identity, request), *texts, f"{day}T12:00:00+00:00")])
    return store


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), 6),
        (Selection(model="m"), 3),
        (Selection(model="x"), 0),
        (Selection(backend="vllm"), 3),
        (Selection(backend="http://host/v1"), 3),
        (Selection(model="m", backend="vllm"), 0),
        (Selection(before=datetime(2026, 3, 2, tzinfo=UTC)), 2),
        (Selection(before=datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)), 4),
        (Selection(model="n", before=datetime(2027, 1, 1, tzinfo=UTC)), 3),
    ],
)
def test_what_is_selected_is_counted_and_pruned_and_nothing_else(
    tmp_path: Path, selection: Selection, meant: int
) -> None:
    with held_on(tmp_path / "s", "2026-03-01", "2026-03-02", "2026-03-03") as store:
        assert store.stats(selection).responses == meant
        assert store.stats().responses == 6, "counting deletes nothing"
        assert store.prune(selection) == meant
        assert store.stats().responses == 6 - meant
        assert store.stats(selection).responses == 0


def test_pruning_gives_the_room_back_while_another_process_has_the_file_open(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store, Store(tmp_path / "s") as other:
        identity = {"kind": "k", "model": "gone"}
        for repeat in range(500):
            for one in (identity, IDENTITY) if repeat < 5 else (identity,):
                request = replace(REQUEST, repeat=repeat)
                other.put(request_key(one, request), one, request, RESPONSE)
        before = store.stats().size
        assert store.prune(Selection(model="gone")) == 500
        store.compact()
        assert store.stats().size < before / 5
        assert store.identities() == [IDENTITY]
        # The other process goes on writing for a backend that has no answers left.
        request = replace(REQUEST, repeat=1000)
        other.put(request_key(identity, request), identity, request, RESPONSE)
        assert store.get(request_key(identity, request)) == RESPONSE
        assert store.identities() == [identity, IDENTITY]


def test_rows_are_added_all_or_none(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        good = StoredRow("k", canonical_json(IDENTITY), "{}", "{}", "2026-03-01T00:00:00+00:00")
        with pytest.raises(InputError):
            store.add([good, replace(good, key="l", request={})])  # type: ignore[arg-type]
        assert store.get("k") is None


WRITER = """
import sys
from pathlib import Path
from llmrank.store import Store, request_key
from llmrank.types import Message, Request, Response
start, identity = int(sys.argv[2]), {"kind": "k", "model": sys.argv[3]}
with Store(Path(sys.argv[1])) as store:
    print("open", flush=True)
    for number in range(start, start + int(sys.argv[4])):
        request = Request((Message("user", str(number)),))
        store.put(request_key(identity, request), identity, request, Response(str(number)))
"""


def write_from_another_process(path: Path, start: int, model: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(start), model, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_many_processes_write_one_new_file_at_once(tmp_path: Path) -> None:
    writers = [write_from_another_process(tmp_path / "s", 100 * (n // 2), f"m{n % 2}", 200) for n in range(6)]
    assert [writer.wait(60) for writer in writers] == [0] * 6
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()
    with Store(tmp_path / "s", read_only=True) as store:
        # Of each model's three writers, half of the requests are asked by the next one too.
        assert store.stats().responses == 800


OPENER = """
import sys
from pathlib import Path
from llmrank.store import Store
for line in sys.stdin:
    Store(Path(line.strip())).close()
    print("opened", flush=True)
"""


def test_many_open_a_new_file_at_the_same_moment(tmp_path: Path) -> None:
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for number in range(60):
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write(f"{tmp_path / str(number)}\n")
            opener.stdin.flush()
        assert [opener.stdout and opener.stdout.readline() for opener in openers] == ["opened\n"] * 6
    for opener in openers:
        opener.communicate()


def test_a_killed_writer_loses_nothing_that_was_put(tmp_path: Path) -> None:
    writer = write_from_another_process(tmp_path / "s", 0, "m", 10_000_000)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    with Store(tmp_path / "s") as store:
        while (before := store.stats().responses) < 50:
            time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    with Store(tmp_path / "s") as store:
        held = store.stats().responses
        assert held >= before
        request = Request((Message("user", str(held - 1)),))
        assert store.get(request_key({"kind": "k", "model": "m"}, request)) == Response(str(held - 1))


def test_puts_are_fast(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        started = time.process_time()
        for repeat in range(2000):
            request = replace(REQUEST, repeat=repeat)
            store.put(request_key(IDENTITY, request), IDENTITY, request, RESPONSE)
    assert 2000 / (time.process_time() - started) > 2000


def test_an_answer_takes_little_more_room_than_its_text(tmp_path: Path) -> None:
    question = Request((Message("user", "a history and fifty candidates, " * 40),))
    with Store(tmp_path / "store.sqlite") as store:
        for repeat in range(400):
            request = replace(question, repeat=repeat)
            store.put(request_key(IDENTITY, request), IDENTITY, request, RESPONSE)
        store.compact()
        text = canonical_json(encode_request(question)) + canonical_json(adapter(Response).dump_python(RESPONSE))
        assert store.stats().size < 1.5 * 400 * len(text)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 1000)
    with pytest.raises(InputError, match=r"notes\.txt.*not a database[\s\S]*with store[\s\S]*store import"):
        Store(path)
    assert path.read_text() == "my notes\n" * 1000


def test_a_pipe_is_no_store_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"device or a pipe[\s\S]*with store"):
        Store(tmp_path / "pipe")


def test_another_database_is_refused_for_reading(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(InputError, match=r"no such table[\s\S]*something else"):
        Store(tmp_path / "other", read_only=True)


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such store"):
        Store(tmp_path / "s", read_only=True)
    assert not (tmp_path / "s").exists()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        Store(tmp_path)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Store(tmp_path / "s").close()
    with Store(tmp_path / "s", read_only=True) as store, pytest.raises(InputError, match=r"readonly[\s\S]*writable"):
        store.put("k", IDENTITY, REQUEST, RESPONSE)


@pytest.mark.parametrize("alone", [False, True])
def test_a_read_only_file_answers_but_takes_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    with Store(tmp_path / "s") as store:
        store.put("k", IDENTITY, REQUEST, RESPONSE)

    def access(path: Path, mode: int) -> bool:  # root may write anything
        return mode != os.W_OK

    monkeypatch.setattr(os, "access", access)
    with Store(tmp_path / "s", alone=alone) as store:
        assert store.get("k") == RESPONSE
        with pytest.raises(InputError, match=r"read-only[\s\S]*writable"):
            store.claim("other")


def test_the_name_of_a_file_does_not_choose_the_hint(tmp_path: Path) -> None:
    (tmp_path / "locked").touch()
    with pytest.raises(InputError, match="cannot be used") as refused:
        Store(tmp_path / "locked" / "full" / "s")
    assert "another process" not in str(refused.value) and "disk" not in str(refused.value)


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Store(path) as store:
        for repeat in range(200):
            store.put(f"{repeat}", IDENTITY, REQUEST, RESPONSE)
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = os.urandom(len(content) - 4096 * 3)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"\.recover"), Store(path) as store:
        store.stats()


def test_opened_alone_nobody_else_gets_in_and_no_memory_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmrank.store.BUSY_SECONDS", 0.1)
    path = tmp_path / "store.sqlite"
    with Store(path, alone=True) as store:
        store.put("key", IDENTITY, REQUEST, RESPONSE)
        assert not (tmp_path / "store.sqlite-shm").exists()
        with pytest.raises(InputError, match="locked"):
            Store(path, alone=True)
        with pytest.raises(InputError, match="locked"):
            Store(path)
    with Store(path) as store:
        assert store.get("key") is not None


def test_a_damaged_row_is_asked_again_and_replaced(tmp_path: Path) -> None:
    key = request_key(IDENTITY, REQUEST)
    with Store(tmp_path / "s") as store:
        store.put(key, IDENTITY, REQUEST, RESPONSE)
        for damage in (b'{"text": "cut', b"\xff\xfe", b"[1]", b'{"text": 1, "usage": {}}', b'{"mood": "good"}'):
            with sqlite3.connect(tmp_path / "s") as other:
                other.execute("UPDATE response SET response = ?", (damage,))
            assert store.get(key) is None
            store.put(key, IDENTITY, REQUEST, RESPONSE)
            assert store.get(key) == RESPONSE
            store.put(key, IDENTITY, REQUEST, replace(RESPONSE, text="later"))
            assert store.get(key) == RESPONSE, "the first good one stays"


def test_a_stored_answer_without_the_log_probabilities_that_alone_are_read_is_replaced(tmp_path: Path) -> None:
    only_labels = replace(REQUEST, labels=("A", "B"), structured=None, sampling=replace(REQUEST.sampling, max_tokens=1))
    also_text = replace(only_labels, sampling=REQUEST.sampling)
    without = replace(RESPONSE, label_logprobs=None)
    with Store(tmp_path / "s") as store:
        for request, kept in ((only_labels, None), (also_text, without), (replace(only_labels, labels=()), without)):
            question = keyed(IDENTITY, request)
            store.put_keyed(question, without)
            assert store.answer(question) == kept
        nothing_of_the_labels = replace(RESPONSE, label_logprobs={})
        store.put_keyed(keyed(IDENTITY, only_labels), nothing_of_the_labels)
        assert store.answer(keyed(IDENTITY, only_labels)) == nothing_of_the_labels, "the next answer takes its place"


def test_many_keys_are_looked_up_at_once(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        for number in range(0, 1200, 2):
            store.put(str(number), IDENTITY, REQUEST, replace(RESPONSE, text=str(number)))
        found = store.get_all([str(number) for number in range(1200)])
    assert {key: response.text for key, response in found.items()} == {str(n): str(n) for n in range(0, 1200, 2)}


def test_a_store_is_its_owners_alone(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store:
        store.put("k", IDENTITY, REQUEST, RESPONSE)
        assert store.claim("l")
        assert {path.name for path in tmp_path.iterdir()} == {"s", "s-wal", "s-shm", "s-claims"}
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_store_of_another_version_is_refused_in_a_line(tmp_path: Path) -> None:
    Store(tmp_path / "s").close()
    with sqlite3.connect(tmp_path / "s") as other:
        other.execute("PRAGMA user_version = 0")
    for read_only in (False, True):
        with pytest.raises(InputError, match=r"another version of llmrank[\s\S]*name a new file with store"):
            Store(tmp_path / "s", read_only=read_only)


def test_another_database_is_not_written_into(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(InputError, match="something else"):
        Store(tmp_path / "other")


def test_a_question_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path / "s") as store, Store(tmp_path / "s") as other:
        assert store.claim("k") and not other.claim("k") and other.claim("l")
        store.release("k")
        assert other.claim("k")
        other.release("k")
        assert store.claim("k")
        store.close()
        assert other.claim("k"), "a closed Store holds nothing"


ASKER = """
import asyncio, sys
from dataclasses import dataclass, field
from pathlib import Path
from llmrank.backends.base import BaseBackend
from llmrank.engine import Caller
from llmrank.store import Store
from llmrank.types import Message, Request, Response

class Endpoint(BaseBackend):
    identity = {"kind": "k"}
    async def answer(self, request):
        print(request.messages[0].content, flush=True)
        await asyncio.sleep(float(sys.argv[3]))
        return Response("fine")

async def main():
    with Store(Path(sys.argv[1])) as store:
        caller = Caller(Endpoint(), store, 8)
        questions = [Request((Message("user", str(number)),)) for number in range(int(sys.argv[2]))]
        exchanges = await caller.ask(questions)
        assert all(exchange.reply.text == "fine" for exchange in exchanges)

asyncio.run(main())
"""


def ask_from_another_process(path: Path, questions: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASKER, str(path), str(questions), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_on_one_store_ask_no_question_twice(tmp_path: Path) -> None:
    askers = [ask_from_another_process(tmp_path / "s", 100, 0.05) for _ in range(2)]
    asked = [asker.communicate(timeout=60)[0].split() for asker in askers]
    assert [asker.returncode for asker in askers] == [0, 0]
    assert sorted(map(int, asked[0] + asked[1])) == list(range(100))


def test_what_a_killed_process_was_asking_is_asked_by_the_other(tmp_path: Path) -> None:
    killed = ask_from_another_process(tmp_path / "s", 4, 600)
    assert killed.stdout is not None
    assert sorted(killed.stdout.readline() for _ in range(4)) == ["0\n", "1\n", "2\n", "3\n"]
    other = ask_from_another_process(tmp_path / "s", 4, 0.0)
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(timeout=2)
    killed.kill()
    killed.wait()
    killed.stdout.close()
    assert sorted(other.communicate(timeout=60)[0].split()) == ["0", "1", "2", "3"] and other.returncode == 0
