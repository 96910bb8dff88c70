"""Answering from a Store, and refusing what it does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from llmrank.backends import BackendSettings, open_backend
from llmrank.errors import BackendError, InputError
from llmrank.store import Store, request_key
from llmrank.types import Message, Request, Response, Usage

REQUEST = Request((Message("user", "rank"),), labels=("A",))
RESPONSE = Response("[1]", usage=Usage(5, 0, 2), label_logprobs={"A": -0.5})


def identity(model: str) -> dict[str, str]:
    return {"kind": "vllm", "model": model, "revision": "1"}


def filled(path: Path, *identities: Mapping[str, str]) -> Path:
    with Store(path) as store:
        for one in identities:
            store.put(request_key(one, REQUEST), one, REQUEST, RESPONSE)
    return path


async def test_what_was_answered_is_answered_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "store.sqlite", identity("m"))
    for place in (path, tmp_path):
        backend = await open_backend(BackendSettings(f"replay:{place}"))
        assert backend.identity == identity("m")
        assert await backend.answer(REQUEST) == RESPONSE
        await backend.close()


async def test_what_was_not_is_refused(tmp_path: Path) -> None:
    backend = await open_backend(BackendSettings(f"replay:{filled(tmp_path / 's', identity('m'))}"))
    other = Request((Message("user", "another question"),))
    with pytest.raises(BackendError, match=rf"{tmp_path / 's'} holds no answer"):
        await backend.answer(other)
    await backend.close()


async def test_of_several_models_one_is_named(tmp_path: Path) -> None:
    path = filled(tmp_path / "s", identity("m"), identity("n"))
    backend = await open_backend(BackendSettings(f"replay:{path}", model="n"))
    assert backend.identity == identity("n")
    await backend.close()
    with pytest.raises(InputError, match=r"answers of m, n[\s\S]*--model"):
        await open_backend(BackendSettings(f"replay:{path}"))


async def test_an_empty_or_missing_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers of nobody"):
        await open_backend(BackendSettings(f"replay:{filled(tmp_path / 's')}"))
    with pytest.raises(InputError, match="no such store"):
        await open_backend(BackendSettings(f"replay:{tmp_path / 'absent'}"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (BackendSettings("vlm"), "unknown backend 'vlm'; did you mean 'vllm'"),
        (BackendSettings("replay"), "replay:FILE"),
        (BackendSettings("vllm", base_url="http://x/v1"), "takes no base_url"),
        (BackendSettings("openai", adapter=Path("a")), "takes no adapter"),
        (BackendSettings("openai", revision="main"), "takes no revision"),
    ],
)
async def test_settings_that_make_no_sense(settings: BackendSettings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        await open_backend(settings)
