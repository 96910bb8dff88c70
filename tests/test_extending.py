"""docs/extending.md is true: its example, built and installed as it stands there, ranks through a real server."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.scripted_server import MODEL, ScriptedServer, Step, good

BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILMS = ("Alien (1979)", "Boot, Das (1981)", "Casino (1995)", "Dead Man (1995)", "Emma (1996)", "Fargo (1996)")
FILMS += ("Gattaca (1997)", "Heat (1995)")
PLACES = {"1": [1], "2": [2], "3": [4], "4": [5, 6, 7, 8], "5": [8]}
"""Where each user's relevant film ends: what was not named is tied behind the four that were, and user 5 gets a
refusal, which counts as the last place."""
RELEVANT = {"1": 0, "2": 1, "3": 3, "4": 6, "5": 0}


@dataclass(frozen=True)
class Installed:
    """The example, in a folder on the path of the commands."""

    site: Path
    work: Path

    async def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join((str(self.site), str(ROOT), os.environ.get("PYTHONPATH", "")))
        command = (sys.executable, "-m", "llmrank", *arguments)
        ran = await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=self.work,
            env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == code, ran.stderr
        assert "Traceback" not in ran.stderr
        return ran


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files of the page into a folder, and install them into another, without a network."""
    folder = tmp_path_factory.mktemp("example")
    blocks: dict[str, str] = {}
    for name, text in BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")):
        if name in ("pyproject.toml", "top_half.py", "prompts/scored.jinja"):
            blocks.setdefault(name, text)
    assert len(blocks) == 3
    for name, text in blocks.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    subprocess.run([*pip, "--target", str(folder / "site"), str(folder)], check=True)
    return folder


@pytest.fixture
def installed(example: Path, tmp_path: Path) -> Installed:
    """The example, with five users whose relevant film is the 1st, 2nd, 4th, 7th and 1st best, shown out of order."""
    site = tmp_path / "site"
    work = tmp_path / "work"
    for folder, name in ((site, "site"), (work / "prompts", "prompts")):
        folder.mkdir(parents=True)
        for path in (example / name).rglob("*"):
            if path.is_file():
                (folder / path.relative_to(example / name)).parent.mkdir(parents=True, exist_ok=True)
                (folder / path.relative_to(example / name)).write_bytes(path.read_bytes())
    shown = [{"item_id": f"f{n}", "title": FILMS[n], "score": 1 / (n + 2)} for n in (3, 6, 0, 7, 5, 1, 4, 2)]
    rows = [
        {
            "user_id": user,
            "history": [{"item_id": "h", "title": f"Seen by {user} (1990)"}],
            "candidates": shown,
            "relevant": [f"f{film}"],
        }
        for user, film in RELEVANT.items()
    ]
    (work / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Installed(site, work)


def film_buff(request: Mapping[str, Any]) -> Step:
    """Know the best four; their order only when asked about the four alone. Never answer in the order of the scores."""
    text = request["messages"][-1]["content"]
    if "Seen by 5" in text:
        return good("I'm sorry, but I can't help with that.")
    listed = text[text.index("The candidates are:") : text.index("Name the best")]
    films = sorted(film for film in FILMS if film in listed)
    asked = int(re.search(r"Name the best (\d+)", text)[1])
    worst_first = films[:asked][::-1]
    scores = range(60, 60 + len(films)) if len(films) == asked else range(90, 90 - asked, -1)
    lines = [f"{film} | {score}" for film, score in zip(worst_first, scores, strict=False)]
    return good("Here you are:\n" + "\n".join(lines))


async def test_the_example_ranks_and_its_numbers_are_right(installed: Installed) -> None:
    async with ScriptedServer(answer=film_buff) as server:
        there = ("--base-url", server.base_url, "--model", MODEL, "--store", "store.sqlite")
        command = ("eval", "--prompt", "scored", "--data", "cases.jsonl", *there, "--out", "run", "--json")
        numbers = json.loads((await installed.run(*command)).stdout)
        assert numbers["outcomes"] == {"ok": 4, "repaired": 0, "unparsed": 1, "error": 0}
        assert server.calls == numbers["usage"]["requests"] == 2 * 4 + 1, "no second call after a refusal"
        wanted = {
            "HR@1": mean(mean(place == 1 for place in places) for places in PLACES.values()),
            "NDCG@10": mean(mean(1 / math.log2(place + 1) for place in places) for places in PLACES.values()),
            "MRR": mean(mean(1 / place for place in places) for places in PLACES.values()),
        }
        for name, value in wanted.items():
            assert numbers["measures"][name]["value"] == pytest.approx(value, abs=1e-4)
        asked = [call["messages"][-1]["content"] for call in server.seen]
        assert all("Name the best 4" in text for text in asked)
        assert sorted(text.count("(19") for text in asked) == [5] * 4 + [9] * 5, "films shown, the history's included"
        manifest = json.loads((installed.work / "run" / "manifest.json").read_text())["settings"]
        package = "llmrank-top-half 1.0"
        assert manifest["ranker"] == "top_half" and manifest["answer"] == "title_scores"
        assert manifest["plugins"] == {"ranker": package, "answer": package}

        await installed.run("rerank", "cases.jsonl", "-o", "reranked.jsonl", "--prompt", "scored", *there)
        rows = [json.loads(line) for line in (installed.work / "reranked.jsonl").read_text().splitlines()]
        assert [row["ranking"][:4] for row in rows[:4]] == [["f0", "f1", "f2", "f3"]] * 4
        assert server.calls == 9, "the same questions are not paid again"

        await installed.run(*command, "--show-scores", "--out", "scores")
        assert "Alien (1979) (score 0.5)" in server.seen[-1]["messages"][-1]["content"]
        [metadata] = installed.site.glob("*.dist-info/METADATA")
        metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
        assert "llmrank-top-half 1.1" in (await installed.run(*command, code=2)).stderr


async def test_a_mistake_in_the_example_stops_with_its_place_and_the_mended_run_pays_nothing_twice(
    installed: Installed,
) -> None:
    module = installed.site / "top_half.py"
    right = module.read_text()
    wrong = right.replace("float(line[2])", "float(line[3])")
    async with ScriptedServer(answer=film_buff) as server:
        there = ("--base-url", server.base_url, "--model", MODEL, "--store", "store.sqlite", "--concurrency", "1")
        command = ("eval", "--prompt", "scored", "--data", "cases.jsonl", *there, "--out", "run", "--json")
        module.write_text(wrong)
        os.utime(module, (time.time() + 60,) * 2)  # or the compiled file counts as new enough
        said = (await installed.run(*command, code=2)).stderr
        line = next(number for number, text in enumerate(wrong.splitlines(), 1) if "line[3]" in text)
        for part in ("'title_scores' of llmrank-top-half 1.0", f"top_half.py, line {line}", "IndexError", "hint: "):
            assert part in said
        assert server.calls == 1
        module.write_text(right)
        os.utime(module, (time.time() + 120,) * 2)
        assert json.loads((await installed.run(*command)).stdout)["cases"] == 5
        assert server.calls == 9


async def test_score_reads_with_the_example(installed: Installed) -> None:
    rows = [json.loads(line) for line in (installed.work / "cases.jsonl").read_text().splitlines()]
    answer = "\n".join(f"{film} | {score}" for film, score in zip(FILMS, (5, 90, 7.5, 80, 1, 2, 3, 4), strict=True))
    lines = [json.dumps(row | {"response": answer}) + "\n" for row in rows]
    (installed.work / "answers.jsonl").write_text("".join(lines))
    ran = await installed.run("score", "answers.jsonl", "--answer", "title_scores", "--json")
    places = [4, 1, 2, 6, 4]  # of the 1st, 2nd, 4th, 7th and 1st film, by the scores above
    mrr = json.loads(ran.stdout)["measures"]["MRR"]["value"]
    assert mrr == pytest.approx(mean(1 / place for place in places), abs=1e-4)


async def test_its_names_are_known_like_any_other(installed: Installed) -> None:
    await installed.run("prompts", "check", "scored")
    listed = (await installed.run("prompts", "list", "--long")).stdout
    assert "top_half" in listed and "title_scores" in listed
    shown = (await installed.run("prompts", "show", "--variables")).stdout
    assert "top_half" in shown and "title_scores" in shown
    rendered = await installed.run("prompts", "render", "scored", "--data", "cases.jsonl", "--user", "1")
    assert "Name the best 4" in rendered.stdout and rendered.stdout.count("(19") == 9
    wrong = (await installed.run("eval", "--data", "cases.jsonl", "--ranker", "top_hal", code=2)).stderr
    assert "did you mean 'top_half'" in wrong and "use one of listwise" in wrong
    wrong = (await installed.run("score", "cases.jsonl", "--answer", "title_score", code=2)).stderr
    assert "did you mean 'title_scores'" in wrong and "use one of titles" in wrong


def test_the_example_is_as_short_as_it_says() -> None:
    blocks = dict(BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")))
    lines = [line for name in ("pyproject.toml", "top_half.py") for line in blocks[name].splitlines() if line.strip()]
    assert len(lines) <= 48
