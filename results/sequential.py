"""The tuned language model and a sequential recommender: side by side on EASE's lists, and combined.

    python results/sequential.py FOLDER_OF_CHECKPOINTS ml-1m=ADAPTER --model hstu --beside ease,sasrec,bert4rec

FOLDER_OF_CHECKPOINTS is that of `tests.benchmarks.recall_table`. The recommender is used at its best epoch so far. It
has not seen the last training events of the users on whom that epoch was chosen, so the weight of the language model
behind it is chosen on these users alone. It knows the last training event of every other user. `--beside` ranks its
lists with other recommenders too, each at its best epoch.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from finetune import MODEL, K, Values, all_cases, beside, by_scores, choose, found, row, spread, values

from llmrank.backends.models import resolve_model
from llmrank.backends.title_model import load_adapter
from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out, validation_split
from llmrank.engine.driver import rank_without_model
from llmrank.finetune.titles import rank_titles
from llmrank.measures import HR, NDCG
from llmrank.rankers.baselines import RecallOrder
from llmrank.recall import candidates_for, tuned_model
from llmrank.recall.model import Fitted
from llmrank.recall.rescoring import rescore
from llmrank.recall.training import TrainedModel, hold_out, read_checkpoint
from llmrank.types import Case, Ranking


def best_so_far(name: str, split: Split, checkpoint: Path) -> tuple[Fitted, Fitted, list[str]]:
    """Return the recommender with the histories of the validation users, and with those of the test users, and the
    users whose validation event it has not seen."""
    model = tuned_model(name, split)
    assert isinstance(model, TrainedModel)
    state = read_checkpoint(checkpoint)["progress"]["best_state"]

    def with_histories(of: Split) -> Fitted:
        # A learner reads the sequences of the split it was created with.
        learner = model.learner(of)
        learner.restore(state)
        return model.fitted(learner, of)

    unseen = users_of(hold_out(split, model.validation_users, model.seed))
    return with_histories(validation_split(split)), with_histories(split), unseen


def fitted_at_best(name: str, split: Split, checkpoint: Path) -> Fitted:
    """Return a recommender of the checkpoint, or a model that needs none, fitted."""
    model = tuned_model(name, split)
    return best_so_far(name, split, checkpoint)[1] if isinstance(model, TrainedModel) else model.fit(split)


def users_of(split: Split) -> list[str]:
    """Return the users with a test event."""
    return sorted(split.dataset.users[user] for user in set(split.test.user.tolist()))


def proposed(split: Split, name: str, fitted: Fitted, users: Sequence[str]) -> list[Case]:
    """Return the Cases of these users with the recommender's top list."""
    return list(candidates_for(split, tuned_model(name, split), K, users, fitted=fitted))


def show(cases: Sequence[Case], methods: Sequence[tuple[str, Sequence[Ranking]]]) -> None:
    """Print a table of methods that rank the Cases with the item in the list; differences are to the first."""
    hit = found(cases)
    hits = [case for case, there in zip(cases, hit, strict=True) if there]
    named: list[tuple[str, Values, Values]] = [
        (name, spread(hit, values(hits, rankings, NDCG(10))), spread(hit, values(hits, rankings, HR(10))))
        for name, rankings in methods
    ]
    print("\n| | NDCG@10 | HR@10 | difference to the first row | p |\n|---|---|---|---|---|")
    for name, ndcg, hr in named:
        text, p = row(name, ndcg, hr, named[0][1])
        print(text.replace("| P |", f"| {'< .001' if p < 0.001 else f'{p:.3f}'} |"), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path)
    parser.add_argument("trained", metavar="DATA=ADAPTER")
    parser.add_argument("--model", default="hstu")
    parser.add_argument("--beside", default="", metavar="NAMES", help="recommenders to rank its lists with, too")
    given = parser.parse_args()
    data, _, adapter = given.trained.partition("=")
    split = leave_last_out(load_dataset(data))

    def checkpoint(name: str) -> Path:
        return given.checkpoints / f"{data}-{name}-0.pt"

    before, after, unseen = best_so_far(given.model, split, checkpoint(given.model))
    model = load_adapter(Path(adapter), resolve_model(MODEL), dtype=torch.bfloat16)

    cases = all_cases(split)
    hits = [case for case, there in zip(cases, found(cases), strict=True) if there]
    fusion = choose(model, all_cases(validation_split(split))).best.fusion
    fused = fusion.fuse_all(hits, rank_titles(model, hits))
    scored = by_scores(hits, rescore(after, split, hits))
    order = [rank_without_model(RecallOrder(), case) for case in hits]
    print(f"{data}, {len(cases):,} users. EASE's top {K}:")
    show(cases, [("language model, fused with EASE", fused), (given.model, scored), ("EASE, recall order", order)])

    cases = proposed(split, given.model, after, users_of(split))
    hit = found(cases)
    hits = [case for case, there in zip(cases, hit, strict=True) if there]
    choice = choose(model, proposed(validation_split(split), given.model, before, unseen))
    fusion = choice.best.fusion
    ranked = rank_titles(model, hits)
    order = [rank_without_model(RecallOrder(), case) for case in hits]
    fused = fusion.fuse_all(hits, ranked)
    print(
        f"\nThe top {K} of {given.model}. Weight {fusion.weight:g} on recall {fusion.term}, chosen on the last "
        f"training events of {len(unseen):,} users, which it has not seen: NDCG@10 {choice.best.value:.4f} there, the "
        f"language model alone {choice.alone:.4f}, {given.model} {choice.recall_order:.4f}."
    )
    both = f"language model + {fusion.weight:g} × recall {fusion.term}"
    show(cases, [(f"{given.model}, recall order", order), ("language model alone", ranked), (both, fused)])
    if names := given.beside.split(",") if given.beside else []:
        trained = {name: fitted_at_best(name, split, checkpoint(name)) for name in names}
        beside(hit, hits, fused, {name: rescore(model, split, hits) for name, model in trained.items()})


if __name__ == "__main__":
    main()
