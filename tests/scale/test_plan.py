"""The table of docs/scale.md is what its script prints today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_plan_is_what_the_script_prints() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "docs" / "scale_plan.py"], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.rstrip() for line in printed.splitlines()]
    assert "\n".join(lines) in (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
