"""Print recommenders and language models side by side, on the same lists of one recall model.

    python results/recommenders.py FOLDER --recall hstu -k 20

Only lists that contain the user's item are ranked: on any other list every order scores 0. Two columns are the axes of
the survey arXiv:2306.05817 (section 4): whether the language model is fine-tuned, and whether a classical recommender
takes part. FOLDER keeps the Runs, the cache folder the trained recommenders and the answers, so the same command
continues.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import llmrank as lr
from llmrank.run.tables import between, number, p_value, signed
from llmrank.stats import holm

MEASURE, OTHERS = "NDCG@10", ("HR@1", "MRR")
TRAINED = ("itemknn", "ease", "ials", "bpr", "hstu", "sasrec", "bert4rec", "autoint", "ctrl", "bst")
LETTERS, TITLES = {"prompt": "first-token"}, {"ranker": "next_title"}
FUSED = {"fuse": "validation"}
METHODS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "letters": ("zero-shot", "proposes", LETTERS),
    "letters, fused": ("zero-shot", "proposes, fused", {**LETTERS, **FUSED}),
    "titles": ("fine-tuned", "proposes", TITLES),
    "titles, fused": ("fine-tuned", "proposes, fused", {**TITLES, **FUSED}),
}
"""Name -> how the language model is used, what the recall model does, and the settings."""


def in_list(case: lr.Case) -> bool:
    """Return whether the user's item is among the candidates."""
    return not {item.item_id for item in case.candidates}.isdisjoint(case.relevant)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the Runs are kept")
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--recall", default="hstu", help="whose candidates are ranked")
    parser.add_argument("-k", type=int, default=20, help="candidates per user")
    parser.add_argument("--baselines", nargs="+", default=TRAINED, metavar="NAME", help="trained recommenders")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS, help="of the language model")
    given = parser.parse_args()
    everyone = lr.load_cases(given.data, recall=given.recall, k=given.k, users=0)
    cases = everyone.where(in_list)
    measures = ",".join((MEASURE, *OTHERS))

    def ranked(name: str, **settings: Any) -> lr.Run:
        out = given.folder / f"{given.data}-{given.recall}-{given.k}-{name.replace(', ', '-')}"
        return lr.evaluate(cases, **settings, measures=measures, out=out)

    trained = [name for name in given.baselines if name != given.recall]
    first = ranked("order", ranker="recall_order", baselines=trained)
    order = first.metrics
    runs = {name: ranked(name, **METHODS[name][-1]) for name in given.methods}
    # name -> difference from recall order, its interval and p-value
    found: dict[str, tuple[float, tuple[float, float], float]] = {}
    for name in ("random", "popularity", *trained):
        against = order[MEASURE].versus[name]
        assert against.difference is not None and against.ci95 is not None
        found[name] = (-against.difference, (-against.ci95[1], -against.ci95[0]), against.p)
    for name, run in runs.items():
        result = lr.compare(first, run, measures=MEASURE).results[0]
        assert result.difference is not None and result.ci95 is not None
        found[name] = (result.difference, result.ci95, result.p)
    corrected = dict(zip(found, holm([p for _, _, p in found.values()]), strict=True))

    print(
        f"The top {given.k} of {given.recall}, {len(cases)} of {len(everyone)} users of {given.data}: those whose item "
        "is in the list.\n\n"
        f"| ranker | language model | recommender | {MEASURE} | difference to recall order | p, Holm | "
        f"{' | '.join(OTHERS)} |\n|---|---|---|---|---|---|{'---|' * len(OTHERS)}"
    )
    for name in ("random", "recall_order", "popularity", *trained, *runs, "ceiling"):
        metrics = runs[name].metrics if name in runs else order
        own = name in runs or name == "recall_order"
        values = {measure: metrics[measure] for measure in (MEASURE, *OTHERS)}
        shown = [number(one.value if own else one.baselines[name]) for one in values.values()]
        interval = values[MEASURE].ci95 if own else values[MEASURE].baseline_ci95.get(name)
        difference = ""
        if name in found:
            gain, ends, _ = found[name]
            difference = f"{signed(gain)} [{between(ends, sign=True)}]"
        model, recommender, _ = METHODS.get(name, ("", "ranks" if name in trained else "", {}))
        cells = (
            f"recall order ({given.recall})" if name == "recall_order" else name,
            "in training" if name == "ctrl" else model,
            "proposes and ranks" if name == "recall_order" else recommender,
            f"{shown[0]} [{between(interval)}]" if interval else shown[0],
            difference,
            p_value(corrected[name]) if name in corrected else "",
            *shown[1:],
        )
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
