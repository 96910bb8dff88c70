"""Users a second and calls a user, beside llmranker and rank-llm, on the same stub endpoint and the same lists.

`python -m tests.benchmarks.others FOLDER [--users 400]`. FOLDER keeps an environment for each of the others, made with
pip on the first run. llm4ranking, a third package of this kind, is on no package index.

- llmranker (which uses litellm) runs as its documentation says, one thread per user, with as many threads as llmrank
  has calls in flight. Its lists of 50 go through its sliding window.
- rank-llm calls an endpoint through `SafeOpenai.rerank_batch`, which ranks one user after the other and offers no
  alternative; the second line calls the same object from as many threads. A package that it imports but does not use on
  this path cannot be installed beside it (the vllm of this package index needs transformers 5, its T5 code one below
  4.50), so a module with the two names that it looks up replaces vllm. Its token counts need tiktoken's cl100k_base,
  which comes with litellm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.environments import environment, installed
from tests.benchmarks.lists import rows, write_jsonl
from tests.benchmarks.machine import heading, table
from tests.benchmarks.stub_server import MODEL, Stub, serving_stub

CONCURRENCY, LATENCY = 64, 0.02
Rows = Sequence[Mapping[str, Any]]


def llmranker(content: Rows, base_url: str, threads: int) -> list[list[str]]:
    """Return each user's ranking by llmranker's listwise method."""
    import litellm
    from llmranker import Candidate, ListwiseRanker, LLMConfig

    litellm.suppress_debug_info = True
    config = LLMConfig(model=f"openai/{MODEL}", api_key="none", api_base=base_url)

    def rank(row: Mapping[str, Any]) -> list[str]:
        candidates = [Candidate(id=item["item_id"], text=item["title"]) for item in row["candidates"]]
        ranker = ListwiseRanker(config, window_size=20, item_label="film")
        return [candidate.id for candidate in ranker.rank(query(row), candidates)]

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(rank, content))


def rank_llm(content: Rows, base_url: str, threads: int) -> list[list[str]]:
    """Return each user's ranking by rank_llm's RankGPT."""
    from rank_llm.data import Candidate, Query, Request
    from rank_llm.rerank.listwise import SafeOpenai
    from rank_llm.rerank.rankllm import PromptMode

    ranker = SafeOpenai(MODEL, 16384, PromptMode.RANK_GPT, keys="none", base_url=f"{base_url}/")
    requests = [
        Request(
            Query(query(row), row["user_id"]),
            [Candidate(i["item_id"], i["score"], {"contents": i["title"]}) for i in row["candidates"]],
        )
        for row in content
    ]
    if threads == 1:
        results = ranker.rerank_batch(requests)
    else:
        with ThreadPoolExecutor(threads) as pool:
            results = [one for [one] in pool.map(lambda request: ranker.rerank_batch([request]), requests)]
    return [[candidate.docid for candidate in result.candidates] for result in results]


def query(row: Mapping[str, Any]) -> str:
    """Return the history as a query, which is all that the others take."""
    return "films like " + ", ".join(event["title"] for event in row["history"])


WAYS: dict[str, tuple[str, Callable[[Rows, str, int], list[list[str]]], int]] = {
    "llmranker, 64 threads": ("llmranker", llmranker, CONCURRENCY),
    "rank-llm, as it comes": ("rank-llm", rank_llm, 1),
    "rank-llm, 64 threads": ("rank-llm", rank_llm, CONCURRENCY),
}


def run_other(way: str, lists: Path, base_url: str) -> None:
    """Rank the lists in the other's environment; print the seconds it took, one user ranked beforehand."""
    name, rank, threads = WAYS[way]
    content = [json.loads(line) for line in lists.read_text().splitlines()]
    rank(content[:1], base_url, threads)
    started = time.perf_counter()
    rankings = rank(content[1:], base_url, threads)
    seconds = time.perf_counter() - started
    for row, ranking in zip(content[1:], rankings, strict=True):
        if sorted(ranking) != sorted(item["item_id"] for item in row["candidates"]):
            sys.exit(f"{name}: user {row['user_id']} got no permutation")
    print(json.dumps(seconds))


def ours(folder: Path, lists: Path, base_url: str) -> float:
    """Return the seconds of the whole `llmrank rerank`, with a Store of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        command = [sys.executable, "-m", "llmrank", "rerank", str(lists), "-o", f"{name}/reranked.jsonl", "--json"]
        command += ["--base-url", base_url, "--model", MODEL, "--prompt", "rankgpt", "--store", f"{name}/store.sqlite"]
        started = time.perf_counter()
        ran = subprocess.run([*command, "--concurrency", str(CONCURRENCY)], capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
    if ran.returncode or json.loads(ran.stdout)["outcomes"] != {"ok": json.loads(ran.stdout)["rows"]}:
        sys.exit(f"llmrank: {ran.stdout}{ran.stderr}")
    return seconds


def compare(folder: Path, temporary: Path, stub: Stub, users: int, candidates: int) -> list[tuple[str, ...]]:
    """Return a line per way: users a second, calls a user, and how many times as fast llmrank is."""
    lists, one = temporary / f"{candidates}.jsonl", temporary / "one.jsonl"
    write_jsonl(lists, rows(users + 1, candidates=candidates))
    write_jsonl(one, rows(1, candidates=candidates))
    before = stub.calls()
    whole = ours(temporary, lists, stub.base_url)
    calls = (stub.calls() - before) / (users + 1)
    start_up = ours(temporary, one, stub.base_url)
    rate, whole_rate = users / (whole - start_up), (users + 1) / whole
    lines = [("llmrank rerank, without start-up", f"{candidates}", f"{rate:.0f}", f"{calls:.1f}", "1.0")]
    name = f"llmrank rerank, with its start-up of {start_up:.1f} s"
    lines.append((name, f"{candidates}", f"{whole_rate:.0f}", f"{calls:.1f}", f"{rate / whole_rate:.1f}"))
    tiktoken = next((folder / "llmranker").glob("lib/python*/site-packages/litellm/litellm_core_utils/tokenizers"))
    for way, (package, _, _) in WAYS.items():
        command = [str(environment(folder, package)), "-m", "tests.benchmarks.others", str(folder), "--run", way]
        before = stub.calls()
        ran = subprocess.run(
            [*command, "--lists", str(lists), "--base-url", stub.base_url],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TIKTOKEN_CACHE_DIR": str(tiktoken), "OPENAI_API_KEY": "none", "PYTHONPATH": "."},
        )
        if ran.returncode:
            sys.exit(f"{way}: {ran.stderr[-3000:]}")
        other = users / json.loads(ran.stdout.splitlines()[-1])
        calls = (stub.calls() - before) / (users + 1)
        lines.append((way, f"{candidates}", f"{other:.0f}", f"{calls:.1f}", f"{rate / other:.1f}"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the environments of the others are kept")
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--run", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--lists", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run_other(given.run, given.lists, given.base_url)
        return
    folder: Path = given.folder.resolve()
    versions = [f"{name} {installed(folder, name)}" for name in ("llmranker", "rank-llm")]
    with tempfile.TemporaryDirectory() as temporary, serving_stub(LATENCY) as stub:
        lines = [line for n in (20, 50) for line in compare(folder, Path(temporary), stub, given.users, n)]
    what = (
        f"{given.users} users, {LATENCY * 1000:.0f} ms latency, at most {CONCURRENCY} calls under way; windows of 20 "
        f"in steps of 10; {', '.join(versions)}, each in an environment of its own\n"
        "llmrank stores each answer and writes the reranked file; the others return lists"
    )
    head = ("method", "candidates", "users/s", "calls a user", "llmrank is so many times as fast")
    command = f"python -m tests.benchmarks.others FOLDER --users {given.users}"
    print(heading(what, command, "openai"), table(head, lines), sep="\n\n")


if __name__ == "__main__":
    main()
