"""Print results/finetune.md: trained adapters beside the recall order, on validation and on test.

    python results/finetune.py FOLDER_OF_DATA DATA=ADAPTER [DATA=ADAPTER …] > results/finetune.md
    python results/finetune.py FOLDER_OF_DATA DATA=ADAPTER --beside itemknn,ials,bpr
    python results/finetune.py FOLDER_OF_DATA ml-1m=SEED_0 ml-1m=SEED_1 ml-1m=SEED_2 --rows

The fusion weight and term are chosen on the validation Cases; the test Cases are then ranked once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from llmrank.backends.models import resolve_model
from llmrank.backends.title_model import TitleModel, load_adapter
from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out, validation_split
from llmrank.engine.driver import rank_without_model
from llmrank.files import cache_folder
from llmrank.finetune.titles import rank_titles
from llmrank.measures import HR, NDCG, Judgements, RankingMeasure
from llmrank.rankers.baselines import Popularity, RecallOrder
from llmrank.rankers.bm25 import BM25
from llmrank.rankers.fusion import FusionChoice, choose_fusion
from llmrank.rankers.ranking import rank_by_score
from llmrank.recall import candidates_for, tuned_model
from llmrank.recall.rescoring import Scores, fit_kept, rescore
from llmrank.stats import Difference, holm, mean_interval, paired_difference
from llmrank.types import Case, Ranking

K = 50
CHOOSERS = 800
MODEL = "smollm2-135m-instruct"
FOLDERS = {"beauty": "amazon-beauty-5core"}
Values = NDArray[np.float64]


def all_cases(split: Split) -> list[Case]:
    users = sorted(split.dataset.users[user] for user in set(split.test.user.tolist()))
    return list(candidates_for(split, tuned_model("ease", split), K, users))


def found(cases: Sequence[Case]) -> NDArray[np.bool_]:
    return np.array([bool(set(c.relevant) & {item.item_id for item in c.candidates}) for c in cases])


def values(cases: Sequence[Case], rankings: Sequence[Ranking], measure: RankingMeasure) -> Values:
    return measure.per_case(Judgements.from_rankings(rankings, [case.relevant for case in cases]))


def spread(hit: NDArray[np.bool_], given: Values) -> Values:
    """Return the values of all Cases: if the recall stage missed, every order of the list scores 0."""
    everyone = np.zeros(len(hit))
    everyone[hit] = given
    return everyone


def choose(model: TitleModel, cases: Sequence[Case]) -> FusionChoice:
    """Choose on at most `CHOOSERS` validation users whose item the recall stage found."""
    hits = [case for case, there in zip(cases, found(cases), strict=True) if there]
    share = len(hits) / len(cases)
    Random(0).shuffle(hits)
    hits = hits[:CHOOSERS]
    rankings = rank_titles(model, hits)
    return choose_fusion(
        lambda fusion: fusion.fuse_all(hits, rankings), lambda fused: (share * values(hits, fused, NDCG(10))).tolist()
    )


def row(name: str, given: Values, hr: Values, base: Values) -> tuple[str, float]:
    mean = mean_interval(given, bounds=(0, 1))
    if given is base:
        return f"| {name} | {mean.value:.4f} [{mean.low:.4f}, {mean.high:.4f}] | {hr.mean():.4f} | | |", 1.0
    gap = paired_difference(given, base)
    change = f"{gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    return f"| {name} | {mean.value:.4f} [{mean.low:.4f}, {mean.high:.4f}] | {hr.mean():.4f} | {change} | P |", gap.p


def table(named: Sequence[tuple[str, Values, Values]]) -> None:
    rows = [row(name, ndcg, hr, named[0][1]) for name, ndcg, hr in named]
    adjusted = holm([p for _, p in rows[1:]])
    print("| | NDCG@10 | HR@10 | difference to recall order | p, Holm |\n|---|---|---|---|---|")
    print(rows[0][0])
    for (text, _), p in zip(rows[1:], adjusted, strict=True):
        print(text.replace("| P |", f"| {'< .001' if p < 0.001 else f'{p:.3f}'} |"))


def groups(split: Split, hits: Sequence[Case], gain: Values) -> None:
    """Print for which Cases the fused ranker gains, among those whose item the recall stage found."""
    events = split.train
    popularity = dict(zip(*np.unique(events.item, return_counts=True), strict=True))
    number = {item.item_id: index for index, item in enumerate(split.dataset.items)}
    target = np.array([popularity.get(number[case.relevant[0]], 0) for case in hits])
    length = np.array([len(case.history) for case in hits])
    place = np.array([[item.item_id for item in case.candidates].index(case.relevant[0]) for case in hits])
    print("\n| users whose item is in the list | n | change of NDCG@10 |\n|---|---|---|")
    for name, score in (("item popularity", target), ("history", length)):
        low, high = np.quantile(score, [1 / 3, 2 / 3])
        for label, chosen in (
            (f"{name} up to {low:.0f}", score <= low),
            (f"{name} {low:.0f} to {high:.0f}", (score > low) & (score <= high)),
            (f"{name} above {high:.0f}", score > high),
        ):
            show_group(label, gain[chosen])
    for label, chosen in (
        ("recall place 1 to 3", place < 3),
        ("recall place 4 to 10", (place >= 3) & (place < 10)),
        (f"recall place 11 to {K}", place >= 10),
    ):
        show_group(label, gain[chosen])


def show_group(label: str, gain: Values) -> None:
    if len(gain) > 1:
        one = mean_interval(gain)
        print(f"| {label} | {len(gain)} | {one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}] |")


def learning_curve(card: Mapping[str, Any]) -> str:
    """Return validation NDCG@10, over the users whose item is in the list, by the number of events learned from."""
    points = ", ".join(f"{one['targets'] / 1000:.0f}k: {one['NDCG@10']:.3f}" for one in card["curve"])
    over = "over users whose item is in the list, by events learned from"
    return f"\nValidation NDCG@10 of the model alone, {over}: {points}."


def beside(hit: NDArray[np.bool_], hits: Sequence[Case], fused: Sequence[Ranking], found: Mapping[str, Scores]) -> None:
    """Print the fused ranker beside trained recommenders on the same lists; `found`: name -> scores of each Case."""
    ours = spread(hit, values(hits, fused, NDCG(10)))
    gaps: list[tuple[str, Values, Difference]] = []
    for name, scored in found.items():
        theirs = spread(hit, values(hits, by_scores(hits, scored), NDCG(10)))
        gaps.append((name, theirs, paired_difference(ours, theirs)))
    print("\n| trained recommender | NDCG@10 | fused language model minus it | p, Holm |\n|---|---|---|---|")
    for (name, theirs, gap), p in zip(gaps, holm([gap.p for _, _, gap in gaps]), strict=True):
        mean = mean_interval(theirs, bounds=(0, 1))
        change = f"{gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
        p_value = "< .001" if p < 0.001 else f"{p:.3f}"
        print(f"| {name} | {mean.value:.4f} [{mean.low:.4f}, {mean.high:.4f}] | {change} | {p_value} |")


def by_scores(cases: Sequence[Case], scored: Scores) -> list[Ranking]:
    """Return the rankings by the scores of each Case's candidates."""
    return [
        rank_by_score({item.item_id: score for item, score in zip(case.candidates, scores, strict=True)})
        for case, scores in zip(cases, scored, strict=True)
    ]


def evaluate(name: str, data: Path, adapter: Path, names: str = "", *, as_row: bool = False) -> None:
    base = resolve_model(MODEL)
    model = load_adapter(adapter, base, dtype=torch.bfloat16)  # three times as fast here; the order hardly changes
    card = json.loads((adapter / "card.json").read_text("utf-8"))
    split = leave_last_out(load_dataset(str(data / FOLDERS.get(name, name))))
    choice = choose(model, all_cases(validation_split(split)))
    fusion = choice.best.fusion
    alone = next(point.value for point in choice.curve if point.fusion.weight == 0)
    recalled = next(point.value for point in choice.curve if point.fusion.weight == float("inf"))

    cases = all_cases(split)
    hit = found(cases)
    hits = [case for case, there in zip(cases, hit, strict=True) if there]
    ranked = rank_titles(model, hits)
    ids = [item.item_id for item in split.dataset.items]
    counts = dict(zip(*np.unique(split.train.item, return_counts=True), strict=True))
    popularity = {ids[item]: int(count) for item, count in counts.items()}
    methods: list[tuple[str, list[Ranking]]] = [
        ("EASE, recall order", [rank_without_model(RecallOrder(), case) for case in hits]),
        ("popularity", [rank_without_model(Popularity(popularity), case) for case in hits]),
        ("BM25 on titles", [rank_without_model(BM25(), case) for case in hits]),
        ("language model alone", ranked),
        (
            f"language model + {fusion.weight:g} × recall {fusion.term}",
            fusion.fuse_all(hits, ranked),
        ),
    ]
    if as_row:
        base, alone, fused = (spread(hit, values(hits, methods[at][1], NDCG(10))) for at in (0, -2, -1))
        gap = paired_difference(fused, base)
        print(
            f"| {name} | {card['settings']['seed']} | {base.mean():.4f} | {alone.mean():.4f} | {fused.mean():.4f} | "
            f"{fusion.weight:g} × {fusion.term} | {gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}] | "
            f"{'< .001' if gap.p < 0.001 else f'{gap.p:.3f}'} |",
            flush=True,
        )
        return
    print(f"## {name}\n")
    start = f", started from an adapter of {card['start']['data']['name']}" if card.get("start") else ""
    print(
        f"Adapter: {card['shape']['layers']} layers, r = {card['shape']['rank']}, "
        f"{card['best_targets']:,} targets in {card['minutes']} minutes on {card['threads']} threads, "
        f"seed {card['settings']['seed']}{start}. {len(cases):,} users; the recall stage finds "
        f"the item of {hit.mean():.1%}."
    )
    print(
        f"Validation NDCG@10: recall order {recalled:.4f}, language model {alone:.4f}, "
        f"fused {choice.best.value:.4f} with weight {fusion.weight:g} on recall {fusion.term}.\n"
    )
    table([(n, spread(hit, values(hits, r, NDCG(10))), spread(hit, values(hits, r, HR(10)))) for n, r in methods])
    if names:
        trained = {
            name: rescore(fit_kept(tuned_model(name, split), split, cache_folder() / "recall"), split, hits)
            for name in names.split(",")
        }
        beside(hit, hits, methods[-1][1], trained)
        return
    first, last = (values(hits, methods[at][1], NDCG(10)) for at in (0, -1))
    groups(split, hits, last - first)
    print(learning_curve(card))
    points = ", ".join(f"{p.fusion.weight:g}: {p.value:.4f}" for p in choice.curve if p.fusion.term == fusion.term)
    print(f"\nValidation curve over the weight (recall {fusion.term}): {points}.\n", flush=True)


INTRO = """# A tuned language model of 135 million parameters against the recall stage it sits on

The model reads the user's history as a sequence of titles and predicts which candidate's title comes next (`--ranker
next_title`, backend `titles`). It is a part of SmolLM2-135M-Instruct: eight layers read a title (with its genres, if
there are any), four layers with a LoRA adapter read the history, one position per event. It has no parameters per
item, so a film that nobody has rated is scored like any other. The adapter is 1.7 MB.

Protocol: leave-last-out. EASE proposes 50 candidates from each user's training events; an item that it misses counts
0. The adapter is trained on the training events except the last one of each user, which is the validation target. The
weights to keep, and the weight of the fusion, are chosen on the validation targets, with lists from an EASE that has
not seen them. Then the test lists are ranked once. Intervals are 95% over users, differences are paired on users
(randomisation test), and p-values are corrected for the methods of a table (Holm). Scores are computed in bfloat16.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with a folder for each data set")
    parser.add_argument("trained", nargs="+", metavar="DATA=ADAPTER")
    parser.add_argument("--beside", default="", metavar="NAMES", help="trained recommenders to put beside it instead")
    parser.add_argument("--rows", action="store_true", help="print a row for each adapter: trainings of several seeds")
    given = parser.parse_args()
    if given.rows:
        print("| data | seed | recall order | model alone | fused | weight | fused minus recall order | p |")
        print("|---|---|---|---|---|---|---|---|")
    elif not given.beside:
        print(INTRO)
    for pair in given.trained:
        dataset, _, folder = pair.partition("=")
        evaluate(dataset, given.data, Path(folder), given.beside, as_row=given.rows)
