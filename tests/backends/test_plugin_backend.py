"""Backends of other packages: found by name, opened with the settings, held to the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmrank.backends import BackendSettings, backend_names, open_backend
from llmrank.errors import InputError, LlmrankError
from llmrank.types import Capabilities, Message, Request
from tests.conftest import ROOT
from tests.plugins import install

REQUEST = Request((Message("user", "rank"),))
SOURCE = """
import asyncio
from llmrank.backends import BaseBackend
from llmrank.types import Response

class Echo(BaseBackend):
    def __init__(self, settings):
        self.settings = settings

    @property
    def identity(self):
        return {"kind": "echo", "model": self.settings.model, "voice": self.settings.argument}

    async def answer(self, request):
        if request.repeat == 1:
            raise KeyError("no such voice")
        if request.repeat == 2:
            return "a text"
        if request.repeat == 3:
            return Response(None)
        if request.repeat == 4:
            return Response("a text", usage={"prompt_tokens": 3})
        if request.repeat == 5:
            raise SystemExit("no license")
        if request.repeat == 6:
            raise asyncio.CancelledError
        return Response(request.messages[-1].content.upper())

async def open_slowly(settings):
    return Echo(settings)

def open_nothing(settings):
    return object()

class Nameless(Echo):
    identity = {"kind": 3}
"""


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = f"echo_{tmp_path.name}"
    targets = {"echo": "Echo", "slow": "open_slowly", "nothing": "open_nothing", "nameless": "Nameless", "absent": "X"}
    install(tmp_path, package, SOURCE, *[f"backends:{name}={package}:{target}" for name, target in targets.items()])
    return package


@pytest.mark.parametrize("name", ["echo", "slow"])
async def test_a_backend_of_another_package_answers_by_its_name(echo: str, name: str) -> None:
    backend = await open_backend(BackendSettings(f"{name}:loud", model="m", base_url="http://h/v1"))
    assert (await backend.answer(REQUEST)).text == "RANK"
    assert backend.identity == {"kind": "echo", "model": "m", "voice": "loud"}
    # What it does not say has the defaults.
    assert (backend.capabilities, backend.context_length, backend.concessions) == (Capabilities(), None, {})
    assert backend.count_tokens(REQUEST.messages) is None and backend.holds(REQUEST) is None
    await backend.probe(backend.answer, labels=True)
    await backend.close()
    assert name in backend_names()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "does not return a backend"),
        ("nameless", "has the identity"),
        ("absent", "cannot be loaded"),
        ("ech", "did you"),
    ],
)
async def test_what_is_no_backend_is_named(echo: str, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        await open_backend(BackendSettings(name))
    assert name == "ech" or echo in str(caught.value)


async def test_what_it_raises_or_returns_never_becomes_an_answer(echo: str) -> None:
    backend = await open_backend(BackendSettings("echo"))
    for repeat, says in (
        (1, "raised in `answer`: KeyError"),
        (2, "answers 'a text'"),
        (3, "answers a Response with text=None"),
        (4, "answers a Response with usage={'prompt_tokens': 3}"),
        (5, r"py, line \d+: .* raised in `answer`: RuntimeError: SystemExit"),
        (6, r"py, line \d+: .* raised in `answer`: RuntimeError: CancelledError"),
    ):
        with pytest.raises(LlmrankError, match=says) as caught:
            await backend.answer(Request(REQUEST.messages, repeat=repeat))
        assert echo in str(caught.value)


async def test_no_backend_of_ours_can_be_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, "usurper", SOURCE, "backends:openai=usurper:Echo")
    with pytest.raises(InputError, match="provided by llmrank and by usurper"):
        await open_backend(BackendSettings("openai"))
    assert backend_names().count("openai") == 1


async def test_the_example_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    source = next(block for block in page.split("```python\n")[1:] if "class Echo" in block).partition("```")[0]
    monkeypatch.syspath_prepend(str(tmp_path))
    package = f"documented_{tmp_path.name}"
    install(tmp_path, package, source, f"backends:documented={package}:Echo")
    backend = await open_backend(BackendSettings("documented", model="m"))
    assert (await backend.answer(REQUEST)).text == "RANK" and backend.identity["model"] == "m"
