"""Answering from a Store, and refusing what it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from llmrank.backends import BackendSettings, BaseBackend, open_backend
from llmrank.engine import Caller, CaseResult, rank_case
from llmrank.errors import BackendError, InputError
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.pairwise import Pairwise
from llmrank.rankers.prompt import Prompt
from llmrank.run import Origin, RunFolder
from llmrank.store import Store, request_key
from llmrank.types import Backend, Case, Event, Item, Message, Ranker, Request, Response, Usage
from tests.rankers.oracle import prompt

REQUEST = Request((Message("user", "rank"),), labels=("A",))
RESPONSE = Response("[1]", usage=Usage(5, 0, 2), label_logprobs={"A": -0.5})


def identity(model: str) -> dict[str, str]:
    return {"kind": "vllm", "model": model, "revision": "1"}


def filled(path: Path, *identities: Mapping[str, str]) -> Path:
    with Store(path) as store:
        for one in identities:
            store.put(request_key(one, REQUEST), one, REQUEST, RESPONSE)
    return path


def run(path: Path, *stores: Path, backend: Mapping[str, str] | None) -> Path:
    """Return a Run whose answers went into the Stores, one after the other."""
    for store in stores:
        settings = {} if backend is None else {"backend": dict(backend)}
        RunFolder(path, settings, Origin("eval", {}, store)).close()
    return path


async def test_what_was_answered_is_answered_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "store.sqlite", identity("m"))
    for place in (path, run(tmp_path / "run", path, backend=identity("m"))):
        backend = await open_backend(BackendSettings(f"replay:{place}"))
        assert backend.identity == identity("m")
        assert await backend.answer(REQUEST) == RESPONSE
        await backend.close()


async def test_a_question_is_looked_up_once_and_not_claimed(tmp_path: Path) -> None:
    kept = tmp_path / "kept.sqlite"
    backend = await open_backend(BackendSettings(f"replay:{filled(tmp_path / 'store.sqlite', identity('m'))}"))
    with Store(kept) as store:
        caller = Caller(backend, store)
        assert backend.holds(REQUEST)
        first, again = await caller.ask([REQUEST, REQUEST])
        await backend.close()  # the answer is at hand, and in the other Store
        assert (await caller.ask([REQUEST]))[0].stored and await backend.answer(REQUEST) == RESPONSE
    assert first.reply == again.reply == RESPONSE and caller.calls == 0, "nobody is asked"
    assert not kept.with_name(f"{kept.name}-claims").exists()


async def test_what_was_not_is_refused(tmp_path: Path) -> None:
    backend = await open_backend(BackendSettings(f"replay:{filled(tmp_path / 's', identity('m'))}"))
    other = Request((Message("user", "another question"),))
    with pytest.raises(BackendError, match=rf"^no answer to this request in {tmp_path / 's'}$"):
        await backend.answer(other)
    await backend.close()


async def test_a_run_knows_whose_answers_it_has_among_those_of_others(tmp_path: Path) -> None:
    shared = filled(tmp_path / "shared", identity("m"), identity("n"))
    backend = await open_backend(BackendSettings(f"replay:{run(tmp_path / 'run', shared, backend=identity('n'))}"))
    assert backend.identity == identity("n")
    await backend.close()


async def test_a_run_that_went_on_with_another_store_is_answered_from_both(tmp_path: Path) -> None:
    first, second = filled(tmp_path / "a", identity("m")), tmp_path / "b"
    other = Request((Message("user", "another question"),))
    with Store(second) as store:
        store.put(request_key(identity("m"), other), identity("m"), other, RESPONSE)
    place = run(tmp_path / "run", first, second, backend=identity("m"))
    backend = await open_backend(BackendSettings(f"replay:{place}"))
    assert await backend.answer(REQUEST) == await backend.answer(other) == RESPONSE
    await backend.close()


async def test_a_store_within_the_run_moves_with_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run(tmp_path / "run", filled(tmp_path / "run" / "own.sqlite", identity("m")), backend=identity("m"))
    (tmp_path / "run").rename(tmp_path / "moved")
    backend = await open_backend(BackendSettings(f"replay:{tmp_path / 'moved'}"))
    assert await backend.answer(REQUEST) == RESPONSE
    await backend.close()


async def test_a_store_that_is_gone_and_a_folder_that_is_no_run(tmp_path: Path) -> None:
    path = filled(tmp_path / "s", identity("m"))
    place = run(tmp_path / "run", path, backend=identity("m"))
    path.unlink()
    with pytest.raises(InputError, match=rf"is missing \({path}\)[\s\S]*replay:FILE"):
        await open_backend(BackendSettings(f"replay:{place}"))
    with pytest.raises(InputError, match="is not a Run"):
        await open_backend(BackendSettings(f"replay:{tmp_path}"))
    nobody = run(tmp_path / "scored", filled(path, identity("m")), backend=None)
    with pytest.raises(InputError, match="used no model"):
        await open_backend(BackendSettings(f"replay:{nobody}"))


async def test_of_several_models_one_is_named(tmp_path: Path) -> None:
    path = filled(tmp_path / "s", identity("m"), identity("n"))
    backend = await open_backend(BackendSettings(f"replay:{path}", model="n"))
    assert backend.identity == identity("n")
    await backend.close()
    with pytest.raises(InputError, match=r"answers of m, n[\s\S]*with model"):
        await open_backend(BackendSettings(f"replay:{path}"))


async def test_an_empty_or_missing_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers of no model"):
        await open_backend(BackendSettings(f"replay:{filled(tmp_path / 's')}"))
    with pytest.raises(InputError, match="no such store"):
        await open_backend(BackendSettings(f"replay:{tmp_path / 'absent'}"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (BackendSettings("vlm"), "unknown backend 'vlm'; did you mean 'vllm'"),
        (BackendSettings("ollama"), "unknown backend 'ollama'\n  hint: .*base_url=http://localhost:11434/v1"),
        (BackendSettings("LM-Studio"), "base_url=http://localhost:1234/v1"),
        (BackendSettings("openai", timeout=0), "not a valid timeout"),
        (BackendSettings("replay"), "replay:FILE"),
        (BackendSettings("vllm", base_url="http://x/v1"), "does not accept base_url\n  hint: leave it out"),
        (BackendSettings("openai", adapter=Path("a")), "does not accept adapter"),
        (BackendSettings("openai", revision="main"), "does not accept revision"),
        *(
            (BackendSettings(kind, model="m\udcff"), "field 'model': 'm.udcff' is not valid UTF-8")
            for kind in ("vllm", "openai")
        ),
        (BackendSettings("vllm", revision="r\ud800"), "field 'revision': 'r.ud800' is not valid UTF-8"),
    ],
)
async def test_settings_that_make_no_sense(settings: BackendSettings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        await open_backend(settings)


class Small(BaseBackend):
    """A model that holds 120 tokens, a word each."""

    identity = {"kind": "small", "model": "m"}  # noqa: RUF012
    context_length = 120

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    async def answer(self, request: Request) -> Response:
        return Response("[2] > [1]")


@pytest.mark.parametrize("ranker", [Listwise, Pairwise])
async def test_a_replay_asks_what_the_run_asked_where_histories_were_shortened(
    ranker: Callable[[Prompt], Ranker], tmp_path: Path
) -> None:
    items = (Item("a", "Film a"), Item("b", "Film b"))
    cases = [
        Case(f"u{size}", tuple(Event(Item(f"h{n}", f"A long title of film {n}")) for n in range(size)), items)
        for size in (1, 5, 19)
    ]
    path = tmp_path / "s.sqlite"

    async def ranked(backend: Backend, store: Path) -> list[CaseResult]:
        with Store(store) as opened:
            caller = Caller(backend, opened)
            made = replace(
                prompt("rankgpt" if ranker is Listwise else "pairwise"),
                count_tokens=backend.count_tokens,
                context_length=backend.context_length,
                holds=backend.holds,
            )
            made = replace(made, sampling=replace(made.sampling, max_tokens=1))
            return [await rank_case(case, ranker(made), caller, lambda case: case) for case in cases]

    first = await ranked(Small(), path)
    replay = await open_backend(BackendSettings(f"replay:{path}"))
    again = await ranked(replay, tmp_path / "other.sqlite")
    await replay.close()
    assert [one.ranking for one in again] == [one.ranking for one in first]
    assert [one.exchanges[0].key for one in again] == [one.exchanges[0].key for one in first]
    assert first[0].ranking.history_dropped == 0 < first[2].ranking.history_dropped
