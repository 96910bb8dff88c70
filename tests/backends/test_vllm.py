"""The default model through real vLLM, in this process and behind a real server: both must say the same."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from llmrank.backends.models import DEFAULT_MODEL
from llmrank.backends.openai import OpenAIBackend, open_openai
from llmrank.backends.vllm import VllmBackend, open_vllm
from llmrank.errors import BackendError, FatalBackendError
from llmrank.types import Message, Request, Response, Sampling, Structured

pytestmark = pytest.mark.vllm

SHORT = Sampling(max_tokens=24)


def ask(text: str, sampling: Sampling = SHORT) -> Request:
    return Request((Message("user", text),), sampling)


MOVIES = "\n".join(f"{letter}. Movie number {number} (19{60 + number})" for number, letter in enumerate("ABCDEFGHIJ"))
PROMPTS = [
    ask("What is the capital of France?"),
    ask(f"Rank these films for a friend of old westerns, best first:\n{MOVIES}"),
    ask("Écris une phrase sur « Amélie » (2001)."),
    Request((Message("system", "You answer in one word."), Message("user", "Is water wet?")), SHORT),
]
LETTERS = replace(
    ask(f"Which one is the best? Answer with its letter.\n{MOVIES}"), labels=tuple(string.ascii_uppercase)
)


@pytest.fixture(scope="module")
def server(engine_loop: asyncio.Runner, vllm_server: str) -> Iterator[OpenAIBackend]:
    backend = engine_loop.run(open_openai(vllm_server, DEFAULT_MODEL))
    yield backend
    engine_loop.run(backend.close())


@pytest.fixture(params=["in process", "server"])
def backend(
    request: pytest.FixtureRequest, vllm_backend: VllmBackend, server: OpenAIBackend
) -> VllmBackend | OpenAIBackend:
    return vllm_backend if request.param == "in process" else server


def test_the_server_says_what_it_is(server: OpenAIBackend, vllm_server: str, vllm_backend: VllmBackend) -> None:
    expected = {"kind": "openai", "base_url": vllm_server, "model": DEFAULT_MODEL, "server": "vllm"}
    assert server.identity == expected
    assert server.capabilities == vllm_backend.capabilities
    assert server.context_length == vllm_backend.context_length == 8192


def test_greedy_answers_agree_however_they_are_batched(
    engine_loop: asyncio.Runner, vllm_backend: VllmBackend, server: OpenAIBackend
) -> None:
    async def at_once(backend: VllmBackend | OpenAIBackend) -> list[Response]:
        return list(await asyncio.gather(*(backend.answer(prompt) for prompt in PROMPTS)))

    together, served = engine_loop.run(at_once(vllm_backend)), engine_loop.run(at_once(server))
    alone = [engine_loop.run(vllm_backend.answer(prompt)) for prompt in PROMPTS]
    assert "Paris" in together[0].text
    for one, other, third in zip(together, served, alone, strict=True):
        assert one.text == other.text == third.text
        assert one.finish_reason == other.finish_reason
        assert one.usage.prompt_tokens == other.usage.prompt_tokens
        assert one.usage.completion_tokens == other.usage.completion_tokens


def test_label_logprobs_agree(engine_loop: asyncio.Runner, vllm_backend: VllmBackend, server: OpenAIBackend) -> None:
    mine, served = engine_loop.run(vllm_backend.answer(LETTERS)), engine_loop.run(server.answer(LETTERS))
    assert mine.label_logprobs is not None
    assert served.label_logprobs is not None
    assert set(mine.label_logprobs) == set(string.ascii_uppercase)
    assert dict(served.label_logprobs) == pytest.approx(dict(mine.label_logprobs), abs=1e-3)
    assert 0 < sum(math.exp(value) for value in mine.label_logprobs.values()) <= 1 + 1e-6


def test_label_logprobs_owe_nothing_to_the_other_labels(
    engine_loop: asyncio.Runner, backend: VllmBackend | OpenAIBackend
) -> None:
    whole = engine_loop.run(backend.answer(LETTERS)).label_logprobs
    part = engine_loop.run(backend.answer(replace(LETTERS, labels=("Z", "A")))).label_logprobs
    assert whole is not None
    assert part == pytest.approx({"Z": whole["Z"], "A": whole["A"]}, abs=1e-3)


def test_a_forced_choice_follows_the_label_logprobs(engine_loop: asyncio.Runner, vllm_backend: VllmBackend) -> None:
    labels = ("A", "B", "C", "D")
    logprobs = engine_loop.run(vllm_backend.answer(replace(LETTERS, labels=labels))).label_logprobs
    assert logprobs is not None
    choice = replace(LETTERS, labels=(), structured=Structured("choice", "\n".join(labels)))
    assert engine_loop.run(vllm_backend.answer(choice)).text == max(labels, key=logprobs.__getitem__)


@pytest.mark.parametrize("labels", [("A", "elephantine"), ("10", "11")])
def test_a_label_of_several_tokens_is_refused_by_name(
    engine_loop: asyncio.Runner, backend: VllmBackend | OpenAIBackend, labels: tuple[str, ...]
) -> None:
    with pytest.raises(FatalBackendError, match=rf"'{labels[-1] if labels[0] == 'A' else labels[0]}' is \d tokens"):
        engine_loop.run(backend.answer(replace(LETTERS, labels=labels)))


def test_structured_answers(engine_loop: asyncio.Runner, backend: VllmBackend | OpenAIBackend) -> None:
    def answer(kind: str, spec: str) -> str:
        structured = Structured(kind, spec)  # type: ignore[arg-type]
        return engine_loop.run(backend.answer(replace(PROMPTS[1], structured=structured))).text

    assert answer("choice", "Movie 3\nMovie 7") in ("Movie 3", "Movie 7")
    assert set(answer("regex", "[A-C] > [A-C] > [A-C]")) <= set("ABC >")
    schema = {
        "type": "object",
        "properties": {"best": {"enum": ["A", "B"]}},
        "required": ["best"],
        "additionalProperties": False,
    }
    assert json.loads(answer("json_schema", json.dumps(schema)))["best"] in ("A", "B")


def test_sampling_is_obeyed(engine_loop: asyncio.Runner, backend: VllmBackend | OpenAIBackend) -> None:
    def answer(sampling: Sampling, repeat: int = 0) -> Response:
        question = ask("Write a long story about a dragon and a knight.", sampling)
        return engine_loop.run(backend.answer(replace(question, repeat=repeat)))

    cut = answer(Sampling(max_tokens=5))
    assert (cut.finish_reason, cut.usage.completion_tokens) == ("length", 5)
    stopped = answer(Sampling(max_tokens=40, stop=(cut.text.split()[1],)))
    assert stopped.finish_reason == "stop"
    assert cut.text.split()[1] not in stopped.text
    hot = Sampling(temperature=1.0, max_tokens=16, seed=5)
    assert answer(hot).text == answer(hot).text
    assert answer(hot).text != answer(hot, repeat=1).text
    assert answer(hot).text != answer(replace(hot, top_k=1)).text == answer(Sampling(max_tokens=16)).text


def test_tokens_are_counted_as_the_engine_counts(engine_loop: asyncio.Runner, vllm_backend: VllmBackend) -> None:
    for prompt in PROMPTS:
        usage = engine_loop.run(vllm_backend.answer(prompt)).usage
        assert vllm_backend.count_tokens(prompt.messages) == usage.prompt_tokens


def test_a_shared_prefix_is_taken_from_the_cache(engine_loop: asyncio.Runner, vllm_backend: VllmBackend) -> None:
    history = "The user watched: " + ", ".join(f"Film {number}" for number in range(100))
    first, second = (ask(f"{history}.\nWould they like {film}?", Sampling(max_tokens=1)) for film in ("Up", "Heat"))
    assert engine_loop.run(vllm_backend.answer(first)).usage.cached_tokens < 64
    usage = engine_loop.run(vllm_backend.answer(second)).usage
    # All but the block in which the two prompts part, and the last.
    assert usage.prompt_tokens - 64 <= usage.cached_tokens < usage.prompt_tokens


def test_a_prompt_that_does_not_fit_is_no_answer(
    engine_loop: asyncio.Runner, backend: VllmBackend | OpenAIBackend
) -> None:
    engine_loop.run(backend.answer(PROMPTS[0]))
    with pytest.raises(BackendError, match=r"(?s)8192") as caught:
        engine_loop.run(backend.answer(ask("word " * 9000)))
    assert not isinstance(caught.value, FatalBackendError)


def test_a_model_that_is_not_served(engine_loop: asyncio.Runner, vllm_server: str) -> None:
    with pytest.raises(FatalBackendError, match=f"did you mean '{DEFAULT_MODEL}'"):
        engine_loop.run(open_openai(vllm_server, "smollm2-135m"))


@pytest.mark.parametrize(
    ("wrong", "loads"),
    [
        # Contradicts the rest of the configuration: found before an engine is paid for.
        pytest.param({"num_attention_heads": 7}, 0, id="configuration"),
        # Contradicts the weights: found by the engine.
        pytest.param({"num_key_value_heads": 9}, 1, id="weights"),
    ],
)
def test_an_engine_that_does_not_start_is_not_started_again_for_every_call(
    engine_loop: asyncio.Runner, default_model: Path, tmp_path: Path, wrong: dict[str, int], loads: int
) -> None:
    for file in default_model.iterdir():
        (tmp_path / file.name).symlink_to(file)
    config = json.loads((default_model / "config.json").read_text())
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config | wrong))
    said: list[str] = []

    async def answers() -> list[Response | BaseException]:
        backend = await open_vllm(str(tmp_path), say=said.append)
        answered = await asyncio.gather(*map(backend.answer, PROMPTS), return_exceptions=True)
        await backend.close()
        return answered

    refused = engine_loop.run(answers())
    assert all(isinstance(one, FatalBackendError) and "does not start" in str(one) for one in refused)
    assert len([line for line in said if line.startswith("loading") and "so far" not in line]) == loads


def test_a_script_without_a_guard_runs_once_and_leaves_no_socket(default_model: Path, tmp_path: Path) -> None:
    """The engine's processes are spawned: Python would run the script again in each of them. vLLM itself leaves its
    sockets behind.

    The model is there before the first call, so that its deadline is not spent on loading, nor its output lost.
    """
    lines = (
        "import llmrank as lr",
        'print("begun", flush=True)',
        f'with lr.Reranker("first-token", model={str(default_model)!r}) as reranker:',
        '    ranking = reranker.rank(["Heat (1995)"], ["Alien (1979)", "Fargo (1996)"])',
        "    print(len(ranking.order), ranking.outcome != 'error')",
        "print(__name__)",
    )
    (tmp_path / "script.py").write_text("\n".join(lines))
    with tempfile.TemporaryDirectory() as temporary:  # tmp_path is too long for a socket
        command, variables = [sys.executable, "script.py"], os.environ | {"TMPDIR": temporary}
        ran = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        left = [one for one in Path(temporary).iterdir() if not one.name.startswith("torchinductor_")]  # torch's cache
    assert ran.stdout == "begun\n2 True\n__main__\n", ran.stderr
    assert not left


def test_an_engine_ends_with_a_process_that_is_killed(default_model: Path, tmp_path: Path) -> None:
    """It would keep gigabytes, on a GPU all that the next run needs."""
    lines = (
        "import asyncio, os, signal, psutil",
        "from llmrank.backends.vllm import open_vllm",
        "from pathlib import Path",
        "async def main():",
        f"    await (await open_vllm({str(default_model)!r})).load()",
        "    children = psutil.Process().children(recursive=True)",
        '    assert any("VLLM" in one.name() for one in children)',
        '    Path("children").write_text(" ".join(str(one.pid) for one in children))',
        "    os.kill(os.getpid(), signal.SIGKILL)",
        "asyncio.run(main())",
    )
    (tmp_path / "script.py").write_text("\n".join(lines))
    # Into a file: a pipe would be read until the last process that has it ends, which is what is to be seen.
    with (tmp_path / "said").open("w") as said:
        command = [sys.executable, "script.py"]
        ran = subprocess.run(command, cwd=tmp_path, stdout=said, stderr=said, check=False, timeout=300)
    assert ran.returncode == -signal.SIGKILL, (tmp_path / "said").read_text()
    children = map(int, (tmp_path / "children").read_text().split())
    _, left = psutil.wait_procs([psutil.Process(pid) for pid in children if psutil.pid_exists(pid)], timeout=60)
    assert not left
