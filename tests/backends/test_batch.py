"""Batches against a real HTTP server: what comes back, what is refused, and that nothing is paid twice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from llmrank.backends import BackendSettings, open_backend
from llmrank.backends import batch as batch_module
from llmrank.backends.base import store_first
from llmrank.backends.batch import Batch, BatchBackend
from llmrank.backends.open_batch import OpenBatch, take_open_batches, waiting_requests
from llmrank.backends.openai import open_openai
from llmrank.errors import UNPRINTABLE, BackendError, FatalBackendError, InputError, TransientError
from llmrank.store import Store, request_key
from llmrank.types import Backend, Message, Request, Response, Sampling, Usage
from tests.batch_server import BatchServer, Plan, answered, refused_line
from tests.scripted_server import MODEL, completion

QUESTIONS = [Request((Message("user", f"rank {'these ' * n}"),)) for n in range(7)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "FIRST_WAIT", 0.01)


@asynccontextmanager
async def backend_at(server: BatchServer, store: Path, said: list[str] | None = None) -> AsyncGenerator[BatchBackend]:
    direct = await open_openai(server.base_url, MODEL, timeout=5.0, api_key="sk-secret")
    backend = BatchBackend(direct, store, say=(said if said is not None else []).append, quiet=0.02)
    try:
        yield backend
    finally:
        await backend.close()


async def ask(backend: Backend, questions: list[Request]) -> list[Response | BaseException]:
    return await asyncio.gather(*(backend.answer(question) for question in questions), return_exceptions=True)


async def test_the_first_is_asked_directly_and_the_rest_in_one_batch(tmp_path: Path) -> None:
    said: list[str] = []
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite", said) as backend:
        responses = await ask(backend, QUESTIONS)
        expected = [answered({"messages": [{"content": q.messages[0].content}]})[1] for q in QUESTIONS]
        texts = [body["choices"][0]["message"]["content"] for body in expected]
        assert [one.text for one in responses if isinstance(one, Response)] == texts
        assert [one.batch for one in responses if isinstance(one, Response)] == [False] + [True] * 6
        assert isinstance(responses[3], Response) and responses[3].usage == Usage(10, 4, 5, 2)
        assert len(server.batches) == 1 and server.calls == 1 and set(server.paid.values()) == {1}
        assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == 0
        assert said[-1] == "batch batch_0: completed, 6 of 6 requests"
        with Store(tmp_path / "s.sqlite") as store:
            assert store.stats().responses == 6, "whoever asked keeps the direct answer"


async def test_an_id_of_a_batch_acts_on_no_terminal(tmp_path: Path) -> None:
    said: list[str] = []
    async with BatchServer(plan=lambda n: Plan("failed") if n else Plan()) as server:
        server.name = "b\x1b[31m\x9b2J\u202e\n  hint: pay"
        async with backend_at(server, tmp_path / "s.sqlite", said) as backend:
            assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS[:3]))
            results = await ask(backend, QUESTIONS[3:])
    shown = [*said, *map(str, results)]
    assert sum(r"b\x1b[31m\x9b2J\u202e hint: pay_" in line for line in shown) == len(shown)
    assert not any(UNPRINTABLE.search(line) for line in shown) and not any("\n" in line for line in said)


async def test_whatever_is_said_of_an_endpoint_is_escaped_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_name", lambda batch: f"batch \x1b[2J\u202e{batch.state.batch_id}")
    said: list[str] = []
    async with BatchServer() as server:
        settings = BackendSettings("openai", MODEL, base_url=server.base_url, batch_store=tmp_path / "s.sqlite")
        backend = await open_backend(settings, say=said.append)
        await ask(backend, QUESTIONS[:3])
        await backend.close()
    assert said and all(line.startswith(r"batch \x1b[2J\u202ebatch_0") for line in said)


async def test_a_batch_and_a_direct_run_share_their_answers(tmp_path: Path) -> None:
    async with BatchServer() as server:
        direct = await open_openai(server.base_url, MODEL, api_key="sk-secret")
        async with backend_at(server, tmp_path / "s.sqlite") as backend:
            assert backend.identity == direct.identity
            await ask(backend, QUESTIONS)
        await direct.close()
        with Store(tmp_path / "s.sqlite") as store:
            found = store.get(request_key(direct.identity, QUESTIONS[2]))
            assert found is not None and found.batch


async def test_steps_come_in_rounds_and_the_limit_of_a_batch_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "MAX_REQUESTS", 4)
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        await ask(backend, QUESTIONS)
        await ask(backend, [replace(question, repeat=1) for question in QUESTIONS])
        sizes = [server.files[batch["input_file_id"]].count(b"\n") for batch in server.batches]
        # The batches of a round are sent side by side, and may arrive in any order.
        assert [sorted(sizes[:2]), sorted(sizes[2:])] == [[2, 4], [3, 4]]


async def test_the_most_bytes_of_a_batch_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "MAX_BYTES", 1000)
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS))
        uploads = [server.files[batch["input_file_id"]] for batch in server.batches]
        assert len(uploads) > 1 and max(map(len, uploads)) <= 1000


async def test_half_a_surrogate_pair_in_an_earlier_answer_is_sent(tmp_path: Path) -> None:
    halves = [Request((Message("user", f"\ud83d {n}"),)) for n in range(3)]
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        assert all(isinstance(one, Response) for one in await ask(backend, halves))
        assert server.files[server.batches[0]["input_file_id"]].count(b"\\ud83d") == 2


def by_length(body: object) -> int:
    return len(body["messages"][-1]["content"]) // 6  # type: ignore[index]


async def test_error_lines_are_failures_of_the_same_kinds_as_direct_ones(tmp_path: Path) -> None:
    refusals = {
        2: refused_line(400, "content filtered"),
        3: refused_line(500, "internal"),
        4: refused_line(429, "slow down"),
        5: refused_line(413, "too large"),
        6: (200, {"choices": []}),
    }
    async with (
        BatchServer(answer=lambda body: refusals.get(by_length(body)) or answered(body)) as server,
        backend_at(server, tmp_path / "s.sqlite") as backend,
    ):
        responses = await ask(backend, QUESTIONS)
        kinds = [type(one) for one in responses]
        assert kinds == [Response, Response, BackendError, TransientError, TransientError, BackendError, BackendError]
        assert "content filtered" in str(responses[2])
        with Store(tmp_path / "s.sqlite") as store:
            assert store.stats().responses == 1, "no failure gets in"
        # What failed is asked anew when it is asked again, and only that.
        refusals.clear()
        again = await ask(backend, QUESTIONS[1:])
        assert all(isinstance(one, Response) for one in again)
        assert server.files[server.batches[1]["input_file_id"]].count(b"\n") == 5


async def test_a_line_longer_than_an_answer_may_be_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "MAX_ANSWER", 2000)
    long = completion("x" * 5000)
    async with (
        BatchServer(answer=lambda body: (200, long) if by_length(body) == 2 else answered(body)) as server,
        backend_at(server, tmp_path / "s.sqlite") as backend,
    ):
        responses = await ask(backend, QUESTIONS[:5])
        assert [type(one) for one in responses] == [Response, Response, BackendError, Response, Response]
        assert "without answering it" in str(responses[2])


async def test_a_key_that_is_refused_in_every_line_stops_the_run(tmp_path: Path) -> None:
    answers = iter([answered({"messages": [{"content": "x"}]}), *[refused_line(401, "bad key")] * 9])
    async with (
        BatchServer(answer=lambda _: next(answers)) as server,
        backend_at(server, tmp_path / "s.sqlite") as backend,
    ):
        responses = await ask(backend, QUESTIONS)
        assert all(isinstance(one, FatalBackendError) and "sk-" not in str(one) for one in responses[1:])


@pytest.mark.parametrize("ends", ["expired", "cancelled"])
async def test_of_a_batch_that_did_not_finish_the_answers_are_used(tmp_path: Path, ends: str) -> None:
    plans = iter([Plan(ends, answers=2), Plan()])  # type: ignore[arg-type]
    async with (
        BatchServer(plan=lambda _: next(plans)) as server,
        backend_at(server, tmp_path / "s.sqlite") as backend,
    ):
        responses = await ask(backend, QUESTIONS)
        assert [type(one) for one in responses] == [Response] * 3 + [BackendError] * 4
        assert "in time" in str(responses[5]) if ends == "expired" else "cancelled" in str(responses[5])
        assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS[1:]))
        assert len(server.paid) == len(QUESTIONS) and set(server.paid.values()) == {1}


@pytest.mark.parametrize(
    ("code", "said"), [("token_limit_exceeded", "concurrency"), ("model_not_found", "check model")]
)
async def test_a_batch_that_is_refused_as_a_whole_stops_the_run(tmp_path: Path, code: str, said: str) -> None:
    plan = Plan("failed", errors=[{"code": code, "line": 1, "message": "no such thing"}])
    async with BatchServer(plan=lambda _: plan) as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        responses = await ask(backend, QUESTIONS)
        assert all(isinstance(one, FatalBackendError) for one in responses[1:])
        assert "line 1: no such thing" in str(responses[1]) and said in str(responses[1])
        assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == 0


async def test_passing_faults_on_the_way_are_waited_out(tmp_path: Path) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        server.refuses_once = {"create": 503, "look": 500, "download": 502}
        assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS))
        assert len(server.batches) == 1 and not server.refuses_once
        server.refuses_once, server.cuts = {"create": 200, "look": 200}, 2
        again = [replace(question, repeat=1) for question in QUESTIONS]
        assert all(isinstance(one, Response) for one in await ask(backend, again))
        assert len(server.batches) == 2 and not server.refuses_once and not server.cuts


@pytest.mark.parametrize("status", [404, 410])
async def test_a_file_that_the_endpoint_has_deleted_is_said_to_be_gone(tmp_path: Path, status: int) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        server.refuses_once = {"download": status}
        responses = await ask(backend, QUESTIONS)
        assert isinstance(responses[1], FatalBackendError)
        assert re.search(
            rf"has no file \S+ \({status}\), which holds the answers of batch .*\n  hint:", str(responses[1])
        )
        # Nothing is paid twice: the same command looks for the file again.
        assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == len(QUESTIONS) - 1


async def test_the_same_question_twice_is_one_line(tmp_path: Path) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        assert all(isinstance(one, Response) for one in await ask(backend, [*QUESTIONS, *QUESTIONS[1:]]))
        assert set(server.paid.values()) == {1}


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite.batches").write_text("in the way")
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        responses = await ask(backend, QUESTIONS)
        assert all(isinstance(one, InputError) and "s.sqlite.batches" in str(one) for one in responses[1:])
        assert not server.files


async def test_an_endpoint_without_batches_is_named_as_such(tmp_path: Path) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        server.refuses_once = {"create": 404}
        responses = await ask(backend, QUESTIONS)
        assert isinstance(responses[1], FatalBackendError) and "leave out batch" in str(responses[1])
        assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == 0


async def test_a_batch_under_way_is_taken_up_again_and_its_answers_are_stored_whoever_asks(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    async with BatchServer(plan=lambda _: Plan(looks=10**6)) as server:
        async with backend_at(server, path) as backend:
            asking = asyncio.create_task(ask(backend, QUESTIONS))
            while not server.looks:
                await asyncio.sleep(0.01)
            asking.cancel()
        assert waiting_requests(path, backend.identity) == 6
        server.batches[0]["needs"] = 0
        said: list[str] = []
        async with backend_at(server, path, said) as backend:
            await backend.answer(QUESTIONS[4])
            assert "resuming batch batch_0 of 6 requests" in said
        with Store(path) as store:
            assert store.stats().responses == 6
        assert len(server.batches) == 1 and set(server.paid.values()) == {1}
        assert waiting_requests(path, backend.identity) == 0


async def test_a_batch_whose_id_was_lost_is_found_behind_newer_ones(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    async with BatchServer(hold=("create", "after")) as server:
        async with backend_at(server, path) as backend:
            asking = asyncio.create_task(ask(backend, QUESTIONS))
            await server.held.wait()
            asking.cancel()
        newer = [
            {**server.batches[0], "id": f"newer_{n}", "metadata": meta} for n, meta in enumerate([{}, None, {}, {}])
        ]
        server.batches += newer
        async with backend_at(server, path) as backend:
            assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS[1:]))
        assert len(server.batches) == 5 and set(server.paid.values()) == {1}


async def test_a_batch_that_the_key_does_not_see_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    async with BatchServer() as server, backend_at(server, path) as backend:
        opened = OpenBatch.begin(
            path, backend.identity, [(request_key(backend.identity, QUESTIONS[0]), QUESTIONS[0], b"")]
        )
        opened.note(batch_id="batch_of_another_project")
        opened.release()
        (response,) = await ask(backend, [QUESTIONS[0]])
        assert isinstance(response, FatalBackendError)
        assert "batch_of_another_project" in str(response) and str(opened.folder) in str(response)


async def test_two_processes_on_one_store_do_not_follow_the_same_batch(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    identity = {"kind": "openai", "base_url": "http://host/v1", "model": "m"}
    first = OpenBatch.begin(path, identity, [("k", QUESTIONS[0], b"{}\n")])
    assert not list(take_open_batches(path, identity)), "the first process holds it"
    first.release()
    assert not list(take_open_batches(path, {**identity, "model": "other"}))
    (taken,) = take_open_batches(path, identity)
    assert taken.requests() == {"k": QUESTIONS[0]} and taken.keys == ("k",) and taken.token == first.token
    (state := taken.folder / "batch.json").write_text(state.read_text()[:-1])
    with pytest.raises(InputError, match=r"batch.json: damaged"):
        waiting_requests(path, identity)
    taken.forget()
    assert not list(take_open_batches(path, identity)) and waiting_requests(path, identity) == 0


async def test_a_batch_refused_before_it_exists_leaves_no_waiting_requests(tmp_path: Path) -> None:
    class NoFiles(BatchServer):
        async def _upload(self, request: web.Request) -> web.Response:
            return web.json_response({"error": {"message": "no files here"}}, status=self.refusal)

    for status, said in ((404, "leave out batch"), (403, "rejects the key"), (400, "leave out batch")):
        async with NoFiles() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
            server.refusal = status
            responses = await ask(backend, [replace(question, repeat=status) for question in QUESTIONS])
            assert all(isinstance(one, FatalBackendError) for one in responses[1:]) and said in str(responses[1])
            assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == 0
    assert not list((tmp_path / "s.sqlite.batches").iterdir())


async def test_a_batch_keeps_what_its_endpoint_can_and_takes(tmp_path: Path) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        with Store(tmp_path / "s.sqlite") as store:
            await backend.probe(store_first(backend, store), labels=True)
        assert server.calls == 1 and server.seen[0]["logprobs"]
        # The server returns none.
        assert backend.capabilities.label_logprobs == 0 and backend.concessions["left_out"] == ["logprobs"]


@pytest.mark.parametrize("odd", [{}, {"id": 3, "status": []}, {"id": "b"}, {"object": "batch", "status": "completed"}])
def test_what_is_no_batch_is_unreadable(odd: dict[str, object]) -> None:
    with pytest.raises(TransientError, match="other than a batch"):
        Batch.of(odd)


def test_of_a_batch_what_makes_no_sense_is_left_out() -> None:
    odd = {"output_file_id": 3, "request_counts": {"completed": 10**30, "failed": "x"}, "errors": {"data": [1]}}
    found = Batch.of({"id": "b", "status": "\x1b[2J", "metadata": [], "created_at": "now", **odd})
    assert (found.output_file_id, found.done, found.errors, found.token) == (None, None, (), "")
    assert found.status == "\\x1b[2J"


async def test_an_answer_without_the_log_probabilities_that_alone_are_read_is_none(tmp_path: Path) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        await ask(backend, QUESTIONS[:1])
        labelled = [replace(one, labels=("A", "B"), sampling=Sampling(max_tokens=1)) for one in QUESTIONS]
        responses = await ask(backend, labelled)
        assert all("without the requested log-probabilities" in str(one) for one in responses)
        assert not any(isinstance(one, TransientError) for one in responses), "another try would be another batch"
        with Store(tmp_path / "s.sqlite") as store:
            assert store.stats().responses == 0


async def test_of_a_key_a_batch_may_hold_what_its_requests_hold(tmp_path: Path) -> None:
    questions = [Request((Message("user", f"[12345] {n}"),)) for n in range(3)]
    server = BatchServer(answer=lambda body: (200, completion(f"{body['messages'][0]['content']}, 54321")))
    async with server:
        direct = await open_openai(server.base_url, MODEL, api_key="12345")
        backend = BatchBackend(direct, tmp_path / "s.sqlite", quiet=0.02)
        responses = await ask(backend, questions)
        assert [one.text for one in responses if isinstance(one, Response)] == [f"[12345] {n}, 54321" for n in range(3)]
        await backend.close()


SHORT_OF_ONE = "its file has 5 readable answers, but 6 of its requests were answered"


def damaged(content: bytes, damage: Callable[[bytes], bytes]) -> bytes:
    """Return a file with its third line damaged."""
    lines = content.splitlines()
    return b"\n".join([*lines[:2], damage(lines[2]), *lines[3:], b""])


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a page": (
        lambda _: b"<html>\n<title>Sign in</title>\n</html>\n" * 5,
        "its file is a web page and not JSON (Sign in",
    ),
    "something else": (lambda _: b'{"detail": "gone"}', "its file is something that is not JSON"),
    "nothing": (lambda _: b"", "its file has 0 readable answers, but 6 of its requests were answered"),
    "in the form of another vendor": (
        lambda content: content.replace(b'"body"', b'"candidates"'),
        "of its file has an unknown format",
    ),
    "bodies of another vendor": (
        lambda content: content.replace(b'"choices"', b'"candidates"'),
        "of its file has an unknown format",
    ),
    "bodies as texts": (
        lambda content: content.replace(b'"body": {', b'"body": "{}", "rest": {'),
        "of its file has an unknown format",
    ),
    "with a damaged line": (lambda content: damaged(content, lambda line: line[:40]), SHORT_OF_ONE),
    "with a line nested too deeply": (lambda content: damaged(content, lambda _: b"[" * 999), SHORT_OF_ONE),
    "with a line of nobody": (lambda content: damaged(content, lambda line: b'{"custom_id": null}'), SHORT_OF_ONE),
    "cut off in a line": (lambda content: content[:-20], "its file is truncated in line 6"),
    "cut off between lines": (
        lambda content: b"".join(content.splitlines(keepends=True)[:2]),
        "its file has 2 readable answers",
    ),
}


@pytest.mark.parametrize(("spoils", "said"), SPOILT.values(), ids=SPOILT)
async def test_a_file_that_is_not_what_was_announced_is_fetched_again_and_never_paid_twice(
    spoils: Callable[[bytes], bytes], said: str, tmp_path: Path
) -> None:
    path, heard = tmp_path / "s.sqlite", list[str]()
    async with BatchServer() as server:
        async with backend_at(server, path, heard) as backend:
            server.spoilt = [spoils]
            assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS))
            assert sum(said in line and line.endswith("downloading it again") for line in heard) == 1
            assert waiting_requests(path, backend.identity) == 0
        others = [replace(question, repeat=1) for question in QUESTIONS]
        async with backend_at(server, path) as backend:
            server.spoilt = [spoils] * 3
            responses = await ask(backend, others)
            lost = [one for one in responses if isinstance(one, BackendError)]
            assert lost and all(said in str(one) and "downloads them again" in str(one) for one in lost)
            assert not any(isinstance(one, TransientError) for one in lost) and not server.spoilt
            # Neither now nor by another command is it asked anew.
            assert len(lost) == sum(isinstance(one, BackendError) for one in await ask(backend, others[1:]))
        async with backend_at(server, path) as backend:
            assert all(isinstance(one, Response) for one in await ask(backend, others[1:]))
            assert waiting_requests(path, backend.identity) == 0
        assert len(server.batches) == 2 and set(server.paid.values()) == {2}, "each of the two repeats was paid once"


async def test_an_empty_file_of_errors_and_lines_of_nobody_are_no_fault(tmp_path: Path) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        server.spoilt = [lambda content: b'null\n{"custom_id": 7}\n\n' + content]
        server.has_empty_files = True
        assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS))
        assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == 0


def once(alters: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """Alter the first reply only."""
    left = iter([alters])
    return lambda body: next(left, lambda same: same)(body)


LOST = {"create": lambda _: web.HTTPInternalServerError()}
"""The batch is created, and the answer that says so is lost."""
OTHERS: dict[str, dict[str, Callable[[dict[str, Any]], object]]] = {
    "a status in capitals": {"look": lambda body: {**body, "status": body["status"].upper()}},
    "a status of another vendor": {"look": lambda body: {**body, "status": "JOB_STATE_SUCCEEDED"}},
    "not known at first": {"look": once(lambda _: web.HTTPNotFound())},
    "no id of the file": {"upload": once(lambda body: {**body, "id": ""})},
    "no id of the batch": {"create": lambda body: {**body, "id": ""}},
    "lost, and listed without our name": {**LOST, "list": lambda page: without_names(page)},
    "lost, among entries that are none": {**LOST, "list": lambda page: listing(page, [None, {"id": 3}, {}])},
    "lost, behind one without a time": {
        **LOST,
        "list": lambda page: listing(page, [{"id": "z", "status": "completed", "created_at": 0}]),
    },
    "lost, and listed late": {**LOST, "list": once(lambda page: {**page, "data": []})},
}


def listing(page: dict[str, Any], first: list[object]) -> dict[str, Any]:
    return {**page, "data": [*first, *page["data"]]}


def without_names(page: dict[str, Any]) -> dict[str, Any]:
    return {**page, "data": [{**batch, "metadata": None} for batch in page["data"]]}


@pytest.mark.parametrize("alters", OTHERS.values(), ids=OTHERS)
async def test_what_other_endpoints_say_of_a_batch_is_understood_and_it_is_paid_once(
    alters: dict[str, Callable[[dict[str, Any]], object]], tmp_path: Path
) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        server.alters = {kind: once(alter) if kind == "create" else alter for kind, alter in alters.items()}
        assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS))
        assert len(server.batches) == 1 and set(server.paid.values()) == {1}


async def test_a_search_in_a_list_without_end_ends(tmp_path: Path) -> None:
    names = iter(range(10**6))
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        server.alters = {
            "create": once(lambda _: web.HTTPInternalServerError()),
            "list": lambda _: {"data": [{"id": f"z{next(names) % 2}", "status": "completed"}], "has_more": True},
        }
        assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS[:2]))
        assert next(names) < 20


async def test_a_lost_batch_that_the_endpoint_does_not_list_is_not_sent_anew(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    async with BatchServer() as server, backend_at(server, path) as backend:
        server.alters = {
            "create": once(lambda _: web.HTTPInternalServerError()),
            "list": lambda _: web.HTTPNotFound(),
        }
        for responses in (await ask(backend, QUESTIONS), await ask(backend, QUESTIONS[1:])):
            assert isinstance(error := responses[1], FatalBackendError)
            assert "may have created" in str(error) and "look for it at the endpoint" in str(error)
        assert len(server.batches) == 1 and waiting_requests(path, backend.identity) == 6


UNENDING: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "never ends": (lambda body: {**body, "status": "in_progress"}, "has not ended"),
    "a long Retry-After": (lambda _: web.HTTPTooManyRequests(headers={"Retry-After": "9" * 9}), "answered 429"),
    "a page for good": (lambda _: web.HTTPBadGateway(), "answered 502"),
}


@pytest.mark.parametrize(("look", "said"), UNENDING.values(), ids=UNENDING)
async def test_a_batch_without_end_is_given_up_in_time_and_never_sent_anew(
    look: Callable[[dict[str, Any]], object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "LATE", 0.1)
    monkeypatch.setattr(batch_module, "PATIENCE", 0.1)
    path = tmp_path / "s.sqlite"
    async with BatchServer() as server:
        async with backend_at(server, path) as backend:
            server.alters = {"look": look}
            for asked in (QUESTIONS, QUESTIONS[1:]):
                lost = [one for one in await ask(backend, asked) if isinstance(one, BackendError)]
                assert len(lost) == 6 and all(said in str(one) for one in lost)
                assert not any(isinstance(one, TransientError | FatalBackendError) for one in lost)
        server.alters = {}
        async with backend_at(server, path) as backend:
            assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS[1:]))
        assert len(server.batches) == 1 and set(server.paid.values()) == {1}


@pytest.mark.parametrize("counts", [None, {"completed": 0, "failed": 0}, {"completed": "all"}])
async def test_without_counts_each_request_of_a_completed_batch_has_a_line(tmp_path: Path, counts: object) -> None:
    path = tmp_path / "s.sqlite"
    async with BatchServer() as server:
        server.alters = {"look": lambda body: {**body, "request_counts": counts}}
        async with backend_at(server, path) as backend:
            server.spoilt = [lambda content: b"".join(content.splitlines(keepends=True)[:4])] * 3
            lost = [one for one in await ask(backend, QUESTIONS) if isinstance(one, BackendError)]
            assert len(lost) == 2 and all("4 readable answers, but 6" in str(one) for one in lost)
        async with backend_at(server, path) as backend:
            assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS[1:]))
        assert len(server.batches) == 1 and set(server.paid.values()) == {1}


async def test_noise_behind_all_answers_is_no_fault(tmp_path: Path) -> None:
    async with BatchServer() as server, backend_at(server, tmp_path / "s.sqlite") as backend:
        server.spoilt = [lambda content: content + b"<html>"]
        assert all(isinstance(one, Response) for one in await ask(backend, QUESTIONS))
        assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == 0


async def test_without_its_file_of_errors_a_batch_gives_its_answers(tmp_path: Path) -> None:
    said: list[str] = []
    async with (
        BatchServer(answer=lambda body: refused_line(500, "x") if by_length(body) == 3 else answered(body)) as server,
        backend_at(server, tmp_path / "s.sqlite", said) as backend,
    ):
        server.alters = {"look": lambda body: {**body, "error_file_id": "gone"}}
        responses = await ask(backend, QUESTIONS)
        assert [type(one) for one in responses] == [Response] * 3 + [BackendError] + [Response] * 3
        assert any("file of errors cannot be read" in line and "\n" not in line for line in said)
        assert waiting_requests(tmp_path / "s.sqlite", backend.identity) == 0


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_what_one_line_is_refused_for_does_not_stop_the_others(tmp_path: Path, status: int) -> None:
    async with (
        BatchServer(
            answer=lambda body: refused_line(status, "no") if by_length(body) == 3 else answered(body)
        ) as server,
        backend_at(server, tmp_path / "s.sqlite") as backend,
    ):
        responses = await ask(backend, QUESTIONS)
        assert [type(one) for one in responses] == [Response] * 3 + [BackendError] + [Response] * 3
        assert f"{status}" in str(responses[3]) or "quota" in str(responses[3])


@pytest.mark.parametrize("errors", ["no money", [{"message": "no money"}], {"message": "no money"}, ["no money"]])
async def test_whatever_form_the_reasons_have_they_are_said(tmp_path: Path, errors: object) -> None:
    async with (
        BatchServer(plan=lambda _: Plan("failed")) as server,
        backend_at(server, tmp_path / "s.sqlite") as backend,
    ):
        server.alters = {"look": lambda body: {**body, "errors": errors}}
        assert "rejected as a whole: no money" in str((await ask(backend, QUESTIONS))[1])


async def test_a_batch_that_another_process_leaves_is_taken_over_before_one_like_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    async with BatchServer(plan=lambda _: Plan(looks=10**6)) as server:
        async with backend_at(server, path) as later:
            await later.answer(replace(QUESTIONS[0], repeat=1))  # it looks for batches, and finds none
            async with backend_at(server, path) as first:
                asking = asyncio.create_task(ask(first, QUESTIONS))
                while not server.looks:
                    await asyncio.sleep(0.01)
                asking.cancel()
            server.batches[0]["needs"] = 0
            assert all(isinstance(one, Response) for one in await ask(later, QUESTIONS[1:]))
        assert len(server.batches) == 1


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda _: "", lambda text: text + "[]\n", None])
async def test_a_damaged_record_of_requests_is_named(tmp_path: Path, damage: Callable[[str], str] | None) -> None:
    identity = {"kind": "openai", "base_url": "http://host/v1", "model": "m"}
    OpenBatch.begin(tmp_path / "s.sqlite", identity, [("k", QUESTIONS[0], b"{}\n")]).release()
    (path,) = (tmp_path / "s.sqlite.batches").glob("*/requests.jsonl")
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match=r"requests.jsonl: damaged[\s\S]*hint"):
        list(take_open_batches(tmp_path / "s.sqlite", identity))
