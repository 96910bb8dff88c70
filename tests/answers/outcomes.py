"""Outcomes of the recorded answers of three models, one column for each: `python -m tests.answers.outcomes`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from llmrank.answers import answer_format
from llmrank.types import Question, Response
from tests.answers.named import named
from tests.answers.recorded import MODELS, Row, data_folder, folder_of, rerank, shown

_NUMBERED = re.compile(r"^\s*\d{1,3}[.)]\s+(.+)", re.MULTILINE)
_NO_WORD = re.compile(r"[^a-z0-9 ]")


def counted(model: str, data: Path) -> Counter[str]:
    """Return everything that is counted in a model's answers, by name."""
    counts = Counter[str]()
    with (folder_of(data) / "raw" / f"{model}_exp2_rerank_mostpop.jsonl").open(encoding="utf-8") as file:
        counts["rows of the file"] = sum(1 for _ in file)
    for row in rerank(model, data):
        counts["answers"] += 1
        answer = answer_format("titles").read(Response(row["response"]), Question(shown(row)))
        counts[f"outcome {answer.outcome}"] += 1
        counts[f"because {answer.reason}"] += bool(answer.reason)
        for name in named(row):
            counts["titles named"] += 1
            counts[name.stage] += 1
        counts["duplicate"] += answer.repairs.get("duplicate", 0)
        counts.update(simply(row))
    return counts


def simply(row: Row) -> Counter[str]:
    """Return the counts of a simple normaliser, which compares numbered lines in lower case without punctuation."""
    titles = {_simple(item.title) for item in shown(row)}
    lines = [_simple(line) for line in _NUMBERED.findall(row["response"])]
    return Counter({"simple lines": len(lines), "simple outside": sum(line not in titles for line in lines)})


def scored(model: str, data: Path) -> dict[str, Any]:
    """Return the measures that `llmrank score` gives for a model's answers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{model}.jsonl")
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rerank(model, data))
        command = [sys.executable, "-m", "llmrank", "score", str(path), "--answer", "titles", "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _simple(title: str) -> str:
    return " ".join(_NO_WORD.sub("", title.lower()).split())


def main() -> None:
    from tests.tables import show

    data = data_folder()
    counts = {model: counted(model, data) for model in MODELS}

    def share(name: str, of: str) -> list[str]:
        return [f"{counts[model][name]:,} ({counts[model][name] / counts[model][of]:.1%})" for model in MODELS]

    def plain(name: str) -> list[str]:
        return [f"{counts[model][name]:,}" for model in MODELS]

    for model in MODELS:
        counts[model]["candidates"] = sum(counts[model][stage] for stage in ("exact", "normalised", "fuzzy"))
    reasons = sorted({name for count in counts.values() for name in +count if name.startswith("because")})
    show(
        ("", *MODELS),
        [
            ["rows of the file", *plain("rows of the file")],
            ["answers: rows of a user who exists", *plain("answers")],
            *(
                [f"  {outcome}", *share(f"outcome {outcome}", "answers")]
                for outcome in ("ok", "repaired", "unparsed", "error")
            ),
            *([f"    {name}", *plain(name)] for name in reasons),
            ["titles named", *plain("titles named")],
            ["  a candidate", *share("candidates", "titles named")],
            *([f"    {stage}", *plain(stage)] for stage in ("exact", "normalised", "fuzzy")),
            ["    of these, named before (duplicate)", *plain("duplicate")],
            ["  ambiguous", *plain("ambiguous")],
            ["  outside the list", *share("outside", "titles named")],
            ["a simple normaliser: numbered lines", *plain("simple lines")],
            ["  outside the list", *share("simple outside", "simple lines")],
        ],
    )
    rows: list[list[str]] = []
    for model in MODELS:
        numbers = scored(model, data)
        ours, beside = numbers["measures"]["NDCG@10"], numbers["measures"]["NDCG@10"]["baselines"]
        low, high = ours["ci95"]
        others = [f"{beside[name]:.4f}" for name in ("random", "recall_order", "popularity", "ceiling")]
        known = f"{numbers['judged_cases']} of {numbers['cases']}"
        rows.append([model, known, f"{ours['value']:.4f}", f"{low:.4f} to {high:.4f}", *others])
    show(("NDCG@10", "truth known", "value", "95% interval", "random", "recall order", "popularity", "ceiling"), rows)


if __name__ == "__main__":
    main()
