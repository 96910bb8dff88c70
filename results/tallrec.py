"""TALLRec's movie task with a small model: AUC on its published test windows, by the number of training windows.

    python results/tallrec.py FOLDER VALID_JSON --examples 0 16 64 256

VALID_JSON is `movie/valid.json` of TALLRec (Bao et al., RecSys 2023, arXiv:2305.00447). The training windows follow the
paper: ten events of a user of MovieLens 100K, and whether the eleventh is rated above 3. They are from other users:
test users are identified by their titles and left out completely. FOLDER keeps adapters and Runs, so the same command
continues.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import llmrank as lr
from llmrank.data.candidate_writing import write_cases
from llmrank.data.cases import held_out, histories
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out
from llmrank.data.tallrec import read_tallrec
from llmrank.finetune import PromptTraining, finetune
from llmrank.types import Case, Event

WINDOW = 10
LEARNED = 512
"""Windows per training, repeated if there are fewer."""
VALIDATION = 150


def test_users(cases: Sequence[Case], users: Mapping[str, Sequence[Event]]) -> set[str]:
    """Return the users of the dataset to whom the test windows belong; each window must match one user only."""
    titles: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        assert case.target is not None
        titles[case.user_id] |= {event.item.title for event in case.history} | {case.target.title}
    known = {user: {event.item.title for event in events} for user, events in users.items()}
    found: set[str] = set()
    for window in titles.values():
        [user] = [user for user, seen in known.items() if window <= seen]
        found.add(user)
    return found


def windows(users: Mapping[str, Sequence[Event]], seed: int) -> list[Case]:
    """Return a window of each user, drawn by the seed."""
    draw, cases = Random(seed), list[Case]()
    for user, events in sorted(users.items()):
        if len(events) > WINDOW:
            end = draw.randrange(WINDOW, len(events))
            target = events[end]
            cases.append(Case(user, tuple(events[end - WINDOW : end]), target=target.item, rating=target.rating))
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where adapters and Runs are kept")
    parser.add_argument("test", type=Path, metavar="VALID_JSON")
    parser.add_argument("--examples", nargs="+", type=int, default=[0, 16, 64, 256], help="to learn from; 0: zero-shot")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    asked = list(read_tallrec(given.test))
    split = leave_last_out(load_dataset("ml-100k"))
    last = held_out(split)
    events = {user: (*seen, *last.get(user, ())) for user, seen in histories(split).items()}
    left_out = test_users(asked, events)
    solved = given.folder / f"windows-{given.seed}.parquet"
    others = windows({user: seen for user, seen in events.items() if user not in left_out}, given.seed)
    write_cases(solved, others, overwrite=True)
    print(f"TALLRec's movie test: {len(asked):,} windows of {len(left_out)} users.")
    print(f"Learned from: windows of {len(others)} other users, one of each, seed {given.seed}.\n")
    print("| windows learned from | epochs | AUC | validation log-likelihood |\n|---|---|---|---|")
    for examples in given.examples:
        adapter, epochs, likelihood = None, "", ""
        if examples:
            adapter, passes = given.folder / f"{examples}-{given.seed}", LEARNED / examples
            card = finetune(
                solved,
                adapter,
                prompt="tallrec",
                validation_users=VALIDATION,
                settings=PromptTraining(
                    users=examples, epochs=passes, seed=given.seed, patience=4, validations=2, tuned_layers=10
                ),
                say=lambda line: print(line, file=sys.stderr, flush=True),
            )
            epochs, likelihood = f"{passes:g}", f"{card['validation']['best']:.4f}"
        run = lr.evaluate(
            asked, prompt="tallrec", adapter=adapter, measures="AUC", out=given.folder / f"run-{examples}"
        )
        auc = run.metrics["AUC"]
        assert auc.ci95 is not None
        low, high = auc.ci95
        print(
            f"| {examples or 'none'} | {epochs} | {auc.value:.4f} [{low:.4f}, {high:.4f}] | {likelihood} |", flush=True
        )


if __name__ == "__main__":
    main()
