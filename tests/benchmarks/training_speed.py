"""Tokens a second of training beside trl, the share of the processor's bf16 peak, and the cost of scoring by titles.

`python -m tests.benchmarks.training_speed FOLDER [--users 80] [--title-users 6] [--rounds 3]`. FOLDER keeps an
environment for trl. Each side runs in its own process, and they take turns. All run on one thread and count CPU
seconds, since other work on the machine would disturb the clock, and threads that wait for each other still more.

- *Training*: `llmrank finetune --prompt first-token -k 20` for one epoch, with its default settings (LoRA on all linear
  layers, bfloat16), without its validation. trl's SFTTrainer learns the same examples, exported by llmrank, for one
  epoch, with LoRA of the same rank on the same layers; all else is trl's default (with `use_cpu`, which it needs here):
  float32 weights with bfloat16 autocast, gradient checkpointing, batches of 8. Tokens are those of the examples,
  without padding. The first step warms up and is not measured. An example has one loss token in llmrank, its letter; in
  trl, also what ends the answer.
- *Peak*: the fastest of ten products of two bfloat16 matrices of 4096 x 4096 in PyTorch. Training needs 4 operations
  per token and weight of the frozen linear layers (2 forward, 2 for the gradient of the activations), 6 per token and
  weight of LoRA, and 4 per loss token and weight of the output layer. Attention and all that is computed twice is not
  counted.
- *Titles*: `TitleModel.scores`, as `next_title` calls it, in float32. P is reading a user's history: a forward pass of
  transformers over its titles, and one over the events. S is a forward pass over a candidate's title. P and S are
  measured without tokenising, on as many layers as the adapter uses, in batches of titles of similar length, of the
  size that was fastest; S is the time for all candidates, divided by their number. Without sharing, each candidate
  costs P + S. If the titles are known, P is the pass over the events alone, and S a product of two vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks.environments import environment, installed
from tests.benchmarks.machine import heading, table

DATA, CANDIDATES, TITLE_CANDIDATES = "ml-100k", 20, 50
SIDE, PRODUCTS = 4096, 10
SIZES = (8, 16, 32, 64)
"""Titles in a batch, of which the fastest is taken."""
REPEATS = 3


@dataclass
class Trained:
    """What was trained after the first step, and the weights that it takes."""

    steps: int = 0
    tokens: int = 0
    padded: int = 0
    """Tokens with padding."""
    loss_tokens: int = 0
    seconds: float = 0.0
    frozen: int = 0
    """Weights of the linear layers under the adapter."""
    lora: int = 0
    output: int = 0
    """Weights of the output layer."""

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds

    @property
    def operations(self) -> float:
        """Operations a second that training needs."""
        per_token = 4 * self.frozen + 6 * self.lora
        return (per_token * self.tokens + 4 * self.output * self.loss_tokens) / self.seconds


@dataclass
class Scored:
    """CPU seconds for the lists of some users: the fastest of some repeats each."""

    history: float = 0.0
    """P."""
    candidates: float = 0.0
    """K * S."""
    llmrank: float = 0.0

    def __add__(self, other: Scored) -> Scored:
        history, candidates = self.history + other.history, self.candidates + other.candidates
        return Scored(history, candidates, self.llmrank + other.llmrank)

    @property
    def bound(self) -> float:
        """P + K * S."""
        return self.history + self.candidates

    def naive(self, candidates: int) -> float:
        """K * (P + S)."""
        return candidates * self.history + self.candidates


# --- training


def of_llmrank(sft: Path, users: int) -> Trained:
    """Train as `llmrank finetune` does, and write what was learned into `sft`."""
    from torch import nn

    from llmrank.finetune import PromptTraining, finetune, prompts
    from llmrank.finetune.export import write_sft

    found = Trained()
    started = 0.0

    class Timed(prompts.PromptObjective):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.validate = self._done
            examples = [example for one in self._learned for example in one.examples(one.method.order)]
            write_sft(examples, sft, "trl", self._learned[0].cases)
            layers = [one for name, one in self._model.named_modules() if name.endswith("base_layer")]
            found.frozen = sum(one.weight.numel() for one in layers if isinstance(one, nn.Linear))
            found.lora = sum(one.numel() for one in self._model.parameters() if one.requires_grad)
            found.output = sum(one.numel() for one in self._head.parameters())

        def batches(self, epoch: int) -> Iterator[list[prompts.Example]]:
            nonlocal started
            for number, batch in enumerate(super().batches(epoch)):
                if number == 1:
                    started = time.process_time()
                if number:
                    lengths = [len(one.tokens) for one in batch]
                    found.steps, found.tokens = found.steps + 1, found.tokens + sum(lengths)
                    found.padded += len(batch) * max(lengths)
                    found.loss_tokens += len(batch)
                yield batch

        def _done(self) -> float:
            found.seconds = time.process_time() - started
            return 0.0

    prompts.PromptObjective = Timed
    with tempfile.TemporaryDirectory() as out:
        settings = PromptTraining(users=users, epochs=1, validations=1)
        finetune(DATA, Path(out), prompt="first-token", settings=settings, k=CANDIDATES)
    return found


def of_trl(sft: Path, model: str, rank: int, layers: Sequence[str]) -> Trained:
    """Train on the examples in `sft` with trl's defaults."""
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import TrainerCallback

    trl: Any = import_module("trl")
    found = Trained()
    started = 0.0

    class Timed(trl.SFTTrainer):
        def training_step(self, model: Any, inputs: Mapping[str, Any], *others: Any, **named: Any) -> Any:
            if self.state.global_step:
                found.steps, found.tokens = found.steps + 1, found.tokens + int(inputs["attention_mask"].sum())
                found.padded += inputs["input_ids"].numel()
                found.loss_tokens += int((inputs["labels"][:, 1:] != -100).sum())
            return super().training_step(model, inputs, *others, **named)

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            nonlocal started
            if state.global_step == 1:
                started = time.process_time()
            found.seconds = time.process_time() - started

    lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(layers), task_type="CAUSAL_LM")
    data = load_dataset("json", data_files=str(sft), split="train").select_columns(["prompt", "completion"])
    with tempfile.TemporaryDirectory() as out:
        settings = trl.SFTConfig(output_dir=out, num_train_epochs=1, use_cpu=True, disable_tqdm=True)
        trainer = Timed(model, args=settings, train_dataset=data, peft_config=lora, callbacks=[Clock()])
        found.lora = sum(one.numel() for one in trainer.model.parameters() if one.requires_grad)
        trainer.train()
    return found


def peak() -> float:
    """Return the operations a second of the fastest product of two bfloat16 matrices."""
    import torch

    one, other = (torch.randn(SIDE, SIDE).to(torch.bfloat16) for _ in range(2))
    return 2 * SIDE**3 / min(seconds_of(lambda: one @ other) for _ in range(PRODUCTS))


def seconds_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


# --- titles


def titles(users: int) -> dict[str, Any]:
    """Return what scoring cost with titles that are new and with titles that are known, and the size of the batches."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from llmrank import load_cases
    from llmrank.backends.decoder import open_base
    from llmrank.backends.models import DEFAULT_MODEL, resolve_model
    from llmrank.backends.title_model import TITLE_TOKENS, TitleReader, load_adapter
    from llmrank.backends.titles import TitleShape, adapter_card, find_adapter
    from llmrank.rankers.next_title import item_text

    base = resolve_model(DEFAULT_MODEL)
    shape = TitleShape(**adapter_card(None)["shape"])
    ours = load_adapter(find_adapter(None), base)
    reader = open_base(base.folder, shape.item_layers, torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)

    def plain(layers: int) -> Any:
        model: Any = AutoModel.from_pretrained(base.folder, dtype=torch.float32).eval()
        model.layers = model.layers[:layers]
        model.config.num_hidden_layers = layers
        return model

    of_titles, of_events = plain(shape.item_layers), plain(shape.layers)

    def batches(texts: Sequence[str], size: int) -> list[Any]:
        ids = sorted((tokenizer.encode(one)[:TITLE_TOKENS] for one in dict.fromkeys(texts)), key=len)
        parts = (ids[start : start + size] for start in range(0, len(ids), size))
        return [torch.nn.utils.rnn.pad_sequence([*map(torch.tensor, part)], batch_first=True) for part in parts]

    def read(parts: Sequence[Any]) -> None:
        for tokens in parts:
            of_titles(input_ids=tokens, use_cache=False)

    lists = [
        ([item_text(event.item) for event in case.history], [*map(item_text, case.candidates)])
        for case in load_cases(DATA, recall="ease", k=TITLE_CANDIDATES, users=users, progress=False)
    ]

    def spent(size: int) -> float:
        parts = [batches([*history[-shape.window :], *candidates], size) for history, candidates in lists[:3]]
        return sum(min(seconds_of(partial(read, part)) for _ in range(REPEATS)) for part in parts)

    def scored(history: Sequence[str], candidates: Sequence[str], *, new: bool) -> float:
        if new:
            ours.reader = TitleReader(*reader, shape.item_layers)
        return seconds_of(lambda: ours.scores(history, candidates))

    def fastest(history: Sequence[str], candidates: Sequence[str], size: int) -> tuple[Scored, Scored]:
        newest = history[-shape.window :]
        shown, asked = batches(newest, size), batches(candidates, size)
        events = torch.randn(1, len(newest), of_events.config.hidden_size)
        vectors = torch.randn(len(candidates), of_events.config.hidden_size)
        laps = [
            (
                seconds_of(lambda: read(shown)),
                seconds_of(lambda: read(asked)),
                scored(history, candidates, new=True),
            )
            for _ in range(REPEATS)
        ]
        p_titles, k_titles, new = map(min, zip(*laps, strict=True))
        short_laps = [
            (
                seconds_of(lambda: of_events(inputs_embeds=events, use_cache=False)),
                seconds_of(lambda: vectors @ events[0, 0]),
                scored(history, candidates, new=False),
            )
            for _ in range(10 * REPEATS)
        ]
        p_events, k_products, known = map(min, zip(*short_laps, strict=True))
        return Scored(p_titles + p_events, k_titles, new), Scored(p_events, k_products, known)

    with torch.inference_mode():
        spent(SIZES[0])
        size = min(SIZES, key=spent)
        new, known = zip(*(fastest(*one, size) for one in lists), strict=True)
    events = statistics.mean(min(len(history), shape.window) for history, _ in lists)
    sums = {name: asdict(sum(found, Scored())) for name, found in (("new", new), ("known", known))}
    return {**sums, "size": size, "events": events}


# --- the table


def run(side: str, arguments: Sequence[object], python: str = sys.executable) -> Any:
    """Return what a side found, in a process of its own."""
    env = {**os.environ, "PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [python, "-m", "tests.benchmarks.training_speed", "FOLDER", "--run", side, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if ran.returncode:
        sys.exit(f"{side}: {ran.stderr[-3000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def compare(folder: Path, users: int, title_users: int, rounds: int) -> None:
    """Run the sides in turns, and print the tables."""
    from llmrank.backends.decoder import LINEAR
    from llmrank.backends.models import fetch_default_model
    from llmrank.finetune import PromptTraining

    python, laps = str(environment(folder, "trl")), list[tuple[float, Trained, Trained]]()
    with tempfile.TemporaryDirectory() as name:
        sft = Path(name, "sft.jsonl")
        rank = PromptTraining().rank
        lora = ["--sft", sft, "--model", fetch_default_model(), "--rank", rank, "--layers", *LINEAR]
        for number in range(rounds):
            fastest = run("peak", [])
            mine = Trained(**run("llmrank", ["--sft", sft, "--users", users]))
            other = Trained(**run("trl", lora, python))
            other.frozen, other.output = mine.frozen, mine.output
            if mine.lora != other.lora:
                sys.exit(f"llmrank trains {mine.lora:,} weights, trl {other.lora:,}")
            laps.append((fastest, mine, other))
            print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}: {laps[-1]}", file=sys.stderr, flush=True)
        examples = len(sft.read_text().splitlines())
    scored = run("titles", ["--title-users", title_users])
    what = (
        f"LoRA (rank {rank}) on all linear layers of smollm2-135m-instruct, {examples} prompts of {DATA} with "
        f"{CANDIDATES} candidates; {rounds} rounds in turns; one thread, CPU seconds\n"
        f"trl {installed(folder, 'trl')} in an environment of its own; processor: the fastest product of bfloat16 "
        f"matrices of {SIDE} x {SIDE}, {statistics.median(lap[0] for lap in laps) / 1e9:,.0f} GFLOP/s (median)\n"
        f"titles: {title_users} users of {DATA}, {scored['events']:.0f} events on average, {TITLE_CANDIDATES} "
        f"candidates, float32, batches of {scored['size']} titles"
    )
    command = (
        f"python -m tests.benchmarks.training_speed FOLDER --users {users} --title-users {title_users} "
        f"--rounds {rounds}"
    )
    print(heading(what, command, "torch", "transformers", "peft"), "", sep="\n")
    print(trained_table(laps), "", sep="\n")
    ratios = ", ".join(f"{mine.rate / other.rate:.2f}" for _, mine, other in laps)
    print(f"as fast as trl times: {ratios} in each round", "", sep="\n")
    print(scored_table(scored, title_users))


def trained_table(laps: Sequence[tuple[float, Trained, Trained]]) -> str:
    """Return a table with the medians of the rounds."""
    rate = statistics.median(lap[2].rate for lap in laps)
    rows: list[tuple[str, ...]] = []
    for place, name in ((1, "llmrank finetune"), (2, "trl's SFTTrainer")):
        sides: list[tuple[float, Trained]] = [(lap[0], (lap[1], lap[2])[place - 1]) for lap in laps]
        own = statistics.median(side.rate for _, side in sides)
        first = sides[0][1]
        share = statistics.median(side.operations / fastest for fastest, side in sides)
        loss_rate = statistics.median(side.loss_tokens / side.seconds for _, side in sides)
        numbers = (f"{first.steps}", f"{first.tokens:,}", f"{first.padded / first.tokens - 1:.0%}")
        rows.append((name, *numbers, f"{own:,.0f}", f"{loss_rate:.2f}", f"{own / rate:.2f}", f"{share:.0%}"))
    head = ("", "steps", "tokens", "padding", "tokens/CPU s", "loss tokens/CPU s", "times trl", "of the bf16 peak")
    return table(head, rows)


def scored_table(scored: Mapping[str, Any], users: int) -> str:
    """Return a table of the milliseconds per user."""
    rows: list[tuple[str, ...]] = []
    for name in ("new", "known"):
        found = Scored(**scored[name])
        apart = found.naive(TITLE_CANDIDATES)
        numbers = (found.history, found.candidates, found.bound, found.llmrank, apart)
        milliseconds = (f"{1000 * seconds / users:,.1f}" for seconds in numbers)
        rows.append((f"titles {name}", *milliseconds, f"{found.llmrank / found.bound:.2f}"))
    head = ("CPU ms per user", "P", "K·S", "P + K·S", "llmrank", "K·(P + S)", "llmrank / (P + K·S)")
    return table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the environment of trl is kept")
    parser.add_argument("--users", type=int, default=80)
    parser.add_argument("--title-users", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=("llmrank", "trl", "peak", "titles"), help=argparse.SUPPRESS)
    parser.add_argument("--sft", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--layers", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sides: dict[str, Callable[[], object]] = {
        "llmrank": lambda: asdict(of_llmrank(given.sft, given.users)),
        "trl": lambda: asdict(of_trl(given.sft, given.model, given.rank, given.layers)),
        "peak": peak,
        "titles": lambda: titles(given.title_users),
    }
    if given.run:
        print(json.dumps(sides[given.run]()))
    else:
        compare(given.folder.resolve(), given.users, given.title_users, given.rounds)


if __name__ == "__main__":
    main()
