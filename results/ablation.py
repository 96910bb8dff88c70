"""Print how much each component adds, on EASE's lists of ml-100k.

    python results/ablation.py FOLDER -k 20 --letters ADAPTER

Only lists that contain the user's item are ranked: on any other list every order scores 0. The fusion weights are
chosen on validation events (`--fuse validation`), with lists from an EASE that has not seen these events. FOLDER keeps
the Runs and the user's Store keeps every answer, so the same command continues.
"""

from __future__ import annotations

import argparse
from math import nan
from pathlib import Path
from typing import Any

import llmrank as lr
from llmrank.run.tables import between, number, p_value, signed
from llmrank.stats import holm

DATA, MEASURE = "ml-100k", "NDCG@10"
CHOOSERS = 400
"""Validation users; those whose item is proposed are used."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the Runs are kept")
    parser.add_argument("-k", type=int, default=20)
    parser.add_argument("--letters", type=Path, metavar="ADAPTER", help="tuned with `finetune --prompt first-token`")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--only", nargs="+", metavar="ROW", help="of the table, by their names; else all")
    given = parser.parse_args()
    everyone = lr.load_cases(DATA, recall="ease", k=given.k, users=0)
    cases = [case for case in everyone if set(case.relevant) & {item.item_id for item in case.candidates}]
    letters, titles = {"prompt": "first-token"}, {"ranker": "next_title"}
    methods: dict[str, dict[str, Any]] = {"recall order": {"ranker": "recall_order"}, "letters, zero-shot": letters}
    for strength in (1.0, "adaptive"):
        methods[f"letters, zero-shot, calibrated ({strength})"] = {**letters, "calibrate": strength}
    methods["letters, zero-shot, fused"] = {**letters, "fuse": "validation"}
    methods["letters, zero-shot, calibrated (1.0) and fused"] = {**letters, "calibrate": 1.0, "fuse": "validation"}
    methods["letters, zero-shot, calibrated and fused"] = {
        **letters,
        "calibrate": "validation",
        "fuse": "validation",
    }
    if given.repeats > 1:
        methods[f"letters, zero-shot, {given.repeats} orders"] = {**letters, "repeats": given.repeats}
    if given.letters:
        tuned = {**letters, "adapter": given.letters}
        methods |= {"letters, tuned": tuned, "letters, tuned, fused": {**tuned, "fuse": "validation"}}
    methods |= {"titles, tuned": titles, "titles, tuned, fused": {**titles, "fuse": "validation"}}
    wanted = {"recall order", *(given.only or methods)}
    if unknown := wanted - methods.keys():
        parser.error(f"no row is called {min(unknown)!r}; there are {', '.join(methods)}")
    methods = {name: settings for name, settings in methods.items() if name in wanted}

    runs: dict[str, lr.Run] = {}
    chosen: dict[str, str] = {}
    validated: dict[str, str] = {}
    for name, settings in methods.items():
        folder = given.folder / f"{given.k}-{name.replace(' ', '-').replace(',', '')}"
        if settings.get("fuse") == "validation":
            # The weight is chosen by an evaluation of one user; the lists of all are then ranked with it.
            whole = lr.evaluate(
                DATA, users=1, k=given.k, **settings, fuse_users=CHOOSERS, out=folder / "weight", progress=False
            )
            fusion: Any = whole.settings["fusion"]
            weight: Any = float(fusion["weight"])  # an infinite weight is stored as text
            settings = {**settings, "fuse": weight, "fuse_term": fusion["term"]}
            chosen[name] = f"{weight:g} × {fusion['term']}"
            validated[name] = number(max(value for _, _, value in fusion["curve"]))
            if "calibration" in whole.settings:
                settings["calibrate"] = whole.settings["calibration"]["strength"]
                chosen[name] += f", calibrated ({settings['calibrate']})"
        runs[name] = lr.evaluate(cases, **settings, measures=MEASURE, out=folder / "run", progress=False)
    first, *others = runs.values()
    compared = [lr.compare(first, run, measures=MEASURE).results[0] for run in others]
    corrected = [None, *holm([one.p for one in compared])]
    print(f"EASE's top {given.k}, {len(cases)} of {len(everyone)} users of {DATA}: those whose item is in the list.")
    print(f"\n| | chosen | validation | {MEASURE} | difference to recall order | p, Holm |\n|---|---|---|---|---|---|")
    for (name, run), one, p in zip(runs.items(), [None, *compared], corrected, strict=True):
        low, high = run.metrics[MEASURE].ci95 or (nan, nan)
        difference = "" if one is None else f"{signed(one.difference)} [{between(one.ci95, sign=True)}]"
        value = f"{number(run.metrics[MEASURE].value)} [{number(low)}, {number(high)}]"
        how = f"{chosen.get(name, '')} | {validated.get(name, '')}"
        print(f"| {name} | {how} | {value} | {difference} | {p_value(p)} |")


if __name__ == "__main__":
    main()
