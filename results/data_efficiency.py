"""How many users does the adapter need? Train on 16, 64, 256, 1,024 and all users, and rank all test users each time.

    python results/data_efficiency.py FOLDER --data ml-1m

FOLDER keeps the adapters, so the same command continues. Every training validates on the same users, and keeps its best
weights and chooses its fusion there; the test lists are ranked once for each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from finetune import MODEL, all_cases, found, spread, values

from llmrank.backends.models import resolve_model
from llmrank.backends.title_model import load_adapter
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.engine.driver import rank_without_model
from llmrank.finetune import TitleTraining, finetune
from llmrank.finetune.titles import rank_titles
from llmrank.measures import NDCG
from llmrank.rankers.baselines import RecallOrder
from llmrank.rankers.fusion import Fusion
from llmrank.stats import mean_interval, paired_difference

USERS = (16, 64, 256, 1024, 0)
LEARNED = 120_000
"""The approximate maximum of targets of a training; fewer if that would exceed MOST_EPOCHS passes."""
MOST_EPOCHS = 40.0
EPOCHS_OF_ALL = 0.5


def epochs(users: int, everyone: int, targets: int) -> float:
    """Return how many passes over these users' events learn from `LEARNED` targets."""
    share = targets * users / everyone
    return round(min(MOST_EPOCHS, LEARNED / share), 2) if users else EPOCHS_OF_ALL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the adapters are kept")
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--users", nargs="+", type=int, default=list(USERS), help="to learn from; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    split = leave_last_out(load_dataset(given.data))
    cases = all_cases(split)
    hit = found(cases)
    hits = [case for case, there in zip(cases, hit, strict=True) if there]
    recalled = spread(hit, values(hits, [rank_without_model(RecallOrder(), case) for case in hits], NDCG(10)))
    mean = mean_interval(recalled, bounds=(0, 1))
    print(
        f"{given.data}, {len(cases):,} test users, EASE's top 50, seed {given.seed}. Recall order: NDCG@10 "
        f"{mean.value:.4f} [{mean.low:.4f}, {mean.high:.4f}]."
    )
    print("\n| users learned from | targets (best weights) | epochs | model alone | fused | change | p |")
    print("|---|---|---|---|---|---|---|")
    for users in given.users:
        passes = epochs(users, len(cases), len(split.train))
        settings = TitleTraining(users=users, epochs=passes, learning_rate=0.002, validations=5, seed=given.seed)
        out = given.folder / f"{given.data}-{users or 'all'}-{given.seed}"
        card = finetune(given.data, out, settings=settings, say=lambda line: print(line, file=sys.stderr, flush=True))
        line(card, hits, hit, recalled, out, passes)


def line(card: Mapping[str, Any], hits: Any, hit: Any, recalled: Any, out: Path, passes: float) -> None:  # noqa: ANN401
    """Print a row of the table."""
    model = load_adapter(out, resolve_model(MODEL), dtype=torch.bfloat16)
    ranked = rank_titles(model, hits)
    fusion = Fusion(float(card["fusion"]["weight"]), card["fusion"]["term"])
    fused = [fusion.fuse(case, ranking) for case, ranking in zip(hits, ranked, strict=True)]
    alone, both = (spread(hit, values(hits, rankings, NDCG(10))) for rankings in (ranked, fused))
    gap = paired_difference(both, recalled)
    cells = [mean_interval(one, bounds=(0, 1)) for one in (alone, both)]
    shown = [f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for one in cells]
    p = "< .001" if gap.p < 0.001 else f"{gap.p:.3f}"
    change = f"{gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    learned = f"| {card['data']['sequences']:,} | {card['best_targets']:,} | {passes:g} |"
    print(f"{learned} {shown[0]} | {shown[1]} | {change} | {p} |", flush=True)


if __name__ == "__main__":
    main()
