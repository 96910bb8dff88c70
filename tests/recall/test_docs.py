"""The example of docs/recall.md runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_example_trains_and_scores_each_candidate(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(from pathlib.*?)```", (ROOT / "docs" / "recall.md").read_text(), re.DOTALL)
    run = (sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{example}")
    first, again = (subprocess.run(run, capture_output=True, text=True, check=True, cwd=tmp_path) for _ in range(2))
    *epochs, scores = first.stdout.splitlines()
    assert epochs[0].startswith("ials search: epoch 1 of at most 50, loss")
    assert len(scores.split(",")) == 20
    assert again.stdout.splitlines() == [scores]  # loaded, not trained again
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".pt"]
