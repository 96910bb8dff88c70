"""Environments for the packages that llmrank is compared with: one each, made with pip when missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Other:
    """What the environment of a package takes."""

    alone: tuple[str, ...] = ()
    """Installed without its requirements, for those cannot all be had; `further` are the ones it uses here."""
    further: tuple[str, ...] = ()
    stands_in: Mapping[str, str] | None = None
    """Files in place of a module that it imports and does not use."""


OTHERS = {
    "ranx": Other(further=("ranx==0.3.21",)),
    "llmranker": Other(further=("llmranker==0.3.0",)),
    "rectools": Other(further=("rectools==0.19.0",)),
    "recbole": Other(
        further=("recbole==1.2.1", "torch==2.13.0+cpu", "numpy<2", "scipy<1.14", "pandas<2.2", "setuptools<80")
    ),
    "replay-rec": Other(further=("replay-rec[spark]==0.22.0",)),
    "lenskit": Other(further=("lenskit==2025.8.1",)),
    "trl": Other(further=("trl==1.16.0", "torch==2.13.0+cpu", "transformers==5.19.0", "peft==0.21.2")),
    "rank-llm": Other(
        alone=("rank-llm==0.25.7",),
        further=(
            *("torch==2.13.0+cpu", "transformers<4.50", "openai", "tiktoken", "tqdm", "dacite", "ftfy", "pandas"),
            *("pyyaml", "python-dotenv"),
        ),
        stands_in={
            "vllm/__init__.py": "from vllm.outputs import RequestOutput as RequestOutput\n",
            "vllm/outputs.py": "class RequestOutput:\n    pass\n",
        },
    ),
}


def environment(folder: Path, name: str) -> Path:
    """Return the Python of the package's own environment, made with pip when it is absent."""
    home, other = folder / name, OTHERS[name]
    ready = home / "ready"
    if not ready.exists():
        print(f"{name}: installing into {home}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        if other.alone:
            subprocess.run([*pip, "--no-deps", *other.alone], check=True)
        subprocess.run([*pip, *other.further], check=True)
        packages = next((home / "lib").glob("python*/site-packages"))
        for path, text in (other.stands_in or {}).items():
            (packages / path).parent.mkdir(exist_ok=True)
            (packages / path).write_text(text)
        ready.touch()
    return home / "bin" / "python"


def installed(folder: Path, name: str) -> str:
    """Return the version in that environment."""
    ask = f"from importlib.metadata import version; print(version({name!r}))"
    command = [str(environment(folder, name)), "-c", ask]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
