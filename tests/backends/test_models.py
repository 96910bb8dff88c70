"""Finding a model, and telling what is wrong with a folder that is none."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmrank.backends.models import (
    DEFAULT_MODEL,
    NOTED,
    cached_models,
    check_model_folder,
    fetch_default_model,
    fingerprint,
    resolve_model,
)
from llmrank.cli.models import models
from llmrank.errors import InputError, MissingError
from llmrank.files import remembered_sha256, sha256_of


def write_safetensors(path: Path, content: bytes) -> None:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    write_safetensors(folder / "model.safetensors", bytes(range(256)) * 40_000)
    return folder


def test_a_folder_is_its_own_model(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path / "cache"))
    model = resolve_model(str(folder))
    assert (model.name, model.folder, model.revision) == (str(folder), folder, fingerprint(folder))
    assert not (tmp_path / "cache" / "models").exists()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def replaced(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def with_header(header: str) -> Callable[[Path], object]:
    content = len(header).to_bytes(8, "little") + header.encode()
    return lambda folder: (folder / "model.safetensors").write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
    "cut off": (lambda folder: cut(folder / "model.safetensors"), "not a complete safetensors file"),
    "empty": (lambda folder: os.truncate(folder / "model.safetensors", 0), "not a complete safetensors file"),
    "pointer": (
        lambda folder: (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n"),
        "not a complete safetensors file",
    ),
    "shard": (
        lambda folder: (folder / "model.safetensors.index.json").write_text(
            '{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}'
        ),
        r"weight files are missing: model-2\.safetensors",
    ),
    "damaged index": (
        lambda folder: (folder / "model.safetensors.index.json").write_text("{"),
        "not an index of weight files",
    ),
    **{
        f"index {content}": (replaced("model.safetensors.index.json", content), "not an index of weight files")
        for content in ("[]", "{}", '{"weight_map": ["x"]}', '{"weight_map": {"a": ["x"]}}')
    },
    **{
        f"configuration {content}": (replaced("config.json", content), "not a configuration")
        for content in ("[]", "3", "null")
    },
    **{
        f"header {header}": (with_header(header), "not a complete safetensors file")
        for header in ("[]", "3", '{"a": [1]}', '{"a": {}}', '{"a": {"dtype": "U8", "shape": 1, "data_offsets": "x"}}')
    },
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_wrong_with_a_folder_is_said(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    with pytest.raises(InputError, match=rf"{folder}.*: {message}[\s\S]*hint: ") as caught:
        resolve_model(str(folder))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["intermediate_size", "hidden_size"])
def test_a_configuration_that_disagrees_with_the_weights_is_refused(name: str, folder: Path) -> None:
    sizes = {"intermediate_size": 6, "hidden_size": 4}
    whole = 2 * math.prod(sizes.values())
    tensor = {"dtype": "BF16", "shape": list(sizes.values()), "data_offsets": [0, whole]}
    header = json.dumps({"model.layers.0.mlp.up_proj.weight": tensor, "__metadata__": {"format": "pt"}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(whole))
    config = folder / "config.json"
    config.write_text(json.dumps(sizes))
    assert check_model_folder(folder) == folder
    config.write_text(json.dumps(sizes | {name: sizes[name] + 1}))
    with pytest.raises(InputError, match=f"{name} is {sizes[name] + 1}, but {sizes[name]}"):
        check_model_folder(folder)


@pytest.mark.parametrize("name", ["gpt2-of-mine", "./not-here", "/not/here", "a/b/c", "~/not-here"])
def test_a_name_that_is_neither_folder_nor_hub_name(name: str) -> None:
    with pytest.raises(InputError, match=DEFAULT_MODEL):
        resolve_model(name)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 9 (discard) refuses connections: a machine without network.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")


@pytest.mark.usefixtures("no_network")
def test_a_hub_name_without_a_hub(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingError, match=r"owner/no-such-model[\s\S]*\(ConnectError\)[\s\S]*with model") as caught:
        resolve_model("owner/no-such-model")
    assert caught.value.exit_code == 3
    assert capfd.readouterr().err == "", "the hub's client asks once, and prints no trials"


@pytest.mark.usefixtures("no_network")
def test_a_model_that_the_hub_s_client_has_stored_needs_no_hub(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, stored = "ab" * 20, tmp_path / "hub" / "models--owner--model"
    shutil.copytree(folder, stored / "snapshots" / commit)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = resolve_model("owner/model")
    assert (model.commit, model.revision) == (commit, fingerprint(folder))


def test_the_revision_follows_the_content(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(folder)
    assert fingerprint(Path(shutil.copytree(folder, tmp_path / "copy"))) == before
    (folder / "config.json").write_text("{ }")
    changed = fingerprint(folder)
    write_safetensors(folder / "model.safetensors", bytes(range(255, -1, -1)) * 40_000)
    assert len({before, changed, fingerprint(folder)}) == 3


@pytest.mark.parametrize("place", [0, 5_000_000, 9_999_999])
def test_one_altered_byte_of_the_weights_is_another_revision(folder: Path, place: int) -> None:
    before = fingerprint(folder)
    weights = folder / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(200 + place)
        byte = file.read(1)
        file.seek(200 + place)
        file.write(bytes([byte[0] ^ 1]))
    assert fingerprint(folder) != before


def test_the_hash_of_weights_is_remembered_until_they_change(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path))
    memory, weights = tmp_path / "hashes.json", folder / "model.safetensors"
    digest = remembered_sha256(weights)
    assert digest == sha256_of(weights)
    known = json.loads(memory.read_text())
    memory.write_text(json.dumps({name: [*stamp[:-1], "remembered"] for name, stamp in known.items()}))
    assert remembered_sha256(weights) == "remembered"
    os.utime(weights, ns=(0, 0))
    assert remembered_sha256(weights) == digest
    memory.write_text("[damaged")
    assert remembered_sha256(weights) == digest


def test_damaged_weights_of_the_default_model_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path))
    cached = tmp_path / "models" / DEFAULT_MODEL
    shutil.copytree(folder, cached)
    (cached / NOTED).write_text(sha256_of(cached / "model.safetensors"))
    assert resolve_model(DEFAULT_MODEL).folder == cached
    write_safetensors(cached / "model.safetensors", bytes(range(255, -1, -1)) * 40_000)
    with pytest.raises(InputError, match="not the downloaded ones"):
        resolve_model(DEFAULT_MODEL)


def test_the_default_model_is_what_was_published() -> None:
    folder = fetch_default_model()
    assert folder in cached_models()
    assert check_model_folder(folder) == folder
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": "hi"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )
    # Every digit is a token of its own, also after two spaces; special tokens are one token each.
    for text in ("Toy Story (1995)", "a  12", "1, 2 and 30", "<|im_start|>Été — « Amélie »<|im_end|>"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.tokenize("a  12") == ["a", "ĠĠ", "1", "2"]
    assert tokenizer.encode("<|im_start|>") == [1]


def test_models_list_and_fetch(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path / "cache"))
    shutil.copytree(folder, tmp_path / "cache" / "models" / "mine")
    listed = CliRunner().invoke(models, ["list", "--json"])
    assert json.loads(listed.stdout) == [
        {"model": DEFAULT_MODEL, "default": True, "folder": None},
        {"model": "mine", "default": False, "folder": str(tmp_path / "cache" / "models" / "mine")},
    ]
    assert CliRunner().invoke(models, ["fetch", str(folder)]).stdout == f"{folder}\n"
