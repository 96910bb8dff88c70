"""The example of docs/report.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

from tests.run.making import case, make_run, shuffled

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "report.md"


def test_recommenders_are_compared_over_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    means = dict[str, list[np.ndarray]]()
    for place, name in enumerate(("mf-listwise", "knn-listwise")):
        for seed in (1, 2, 3):
            cases = [case(f"u{user:02}", seed=10 * place + seed) for user in range(30)]  # its own candidates
            made = make_run(tmp_path / "exp" / f"{name}-{seed}", cases, [shuffled(one, seed) for one in cases])
            means.setdefault(name, []).append(made.per_case("NDCG@10"))
    monkeypatch.chdir(tmp_path)
    [example] = re.findall(r"```python\n(import pandas.*?)```", PAGE.read_text(), re.DOTALL)
    exec(example, {})
    first, second = (np.mean(values, axis=0) for values in means.values())
    assert f"pvalue=np.float64({ttest_rel(second, first).pvalue:.6f}"[:-2] in capsys.readouterr().out
