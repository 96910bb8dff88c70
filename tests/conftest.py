"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.fixtures_vllm"]

# How long one example takes says more of the machine than of the code.
settings.register_profile("llmrank", deadline=None)
settings.load_profile("llmrank")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function that finds a folder of the development data, or skips the test where there is none."""
    root = Path(os.environ.get("LLMRANK_DATA") or ROOT.parent / "shared" / "data")

    def find(name: str) -> Path:
        folder = root / name
        if not folder.exists():
            # Only one form of ml-100k can be fetched with pip; licences forbid a copy of the others in the project.
            pytest.skip(f"the original files of {name} are not here: set LLMRANK_DATA to a folder that holds them")
        return folder

    return find
