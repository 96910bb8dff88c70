"""Rating prediction: means, trained models and a language model on the same events (Kang et al. 2023).

    python results/ratings.py FOLDER ml-100k --asked 500 --learned 512
    python results/ratings.py FOLDER ml-1m --asked 0 --models mf mlp --without-language
    python results/ratings.py FOLDER ml-100k --asked 0 --model-seeds 0 1 2

The training part is the oldest 90% of all ratings by time, or of each user's ratings in their order if some have no
time. A Case is one later rating of a user who has training ratings; `--asked` of them are drawn by the seed. The
language model sees the user's ten newest training events; solved examples are the newest events of other users'
histories. FOLDER keeps adapters and Runs, so the same command continues.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

import llmrank as lr
from llmrank.data.candidate_writing import write_cases
from llmrank.data.cases import held_out, histories
from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import time_split, user_ratio
from llmrank.finetune import PromptTraining, finetune
from llmrank.measures import AUC, MAE, RMSE
from llmrank.measures.ratings import Ratings
from llmrank.recall import tuned_model
from llmrank.recall.ratings import ratings_of
from llmrank.types import Case

HISTORY = 10
PROMPT, FEW_SHOT = "google-zero-shot", "google-few-shot"
MODELS = ("mf", "mlp", "transformer_mlp")
VALIDATION = 150
MEASURES = (RMSE(), MAE(), AUC())
Values = NDArray[np.float64]


def split_of(name: str) -> Split:
    dataset = load_dataset(name)
    times = dataset.interactions.timestamp
    if times is None or np.isnan(times).any():
        return user_ratio(dataset, 0.9)
    return time_split(dataset, float(np.quantile(times, 0.9)))


def asked_cases(split: Split) -> Iterator[Case]:
    """Yield a Case for each test rating of a user who has training ratings."""
    past = histories(split)
    for user, events in held_out(split).items():
        for number, event in enumerate(events) if user in past else ():
            name = f"{user}-{number}"
            yield Case(user, tuple(past[user][-HISTORY:]), target=event.item, rating=event.rating, case_id=name)


def solved_cases(split: Split, seed: int) -> Iterator[Case]:
    """Yield a Case for each user with enough training events: one drawn event, and what came before it."""
    draw = Random(seed)
    for user, events in sorted(histories(split).items()):
        if len(events) > HISTORY:
            end = draw.randrange(HISTORY, len(events))
            past, event = tuple(events[end - HISTORY : end]), events[end]
            yield Case(user, past, target=event.item, rating=event.rating)


def means(split: Split, users: NDArray[np.int32], items: NDArray[np.int32]) -> Mapping[str, Values]:
    """Return the training means; a user or an item without ratings gets the global mean."""
    train, ratings = split.train, ratings_of(split.train)
    overall = float(ratings.mean())

    def mean_by(column: NDArray[np.int32], asked: NDArray[np.int32], size: int) -> Values:
        count = np.bincount(column, minlength=size)
        return np.where(count, np.bincount(column, ratings, size) / np.maximum(count, 1), overall)[asked]

    return {
        "global mean": np.full(len(users), overall),
        "user mean": mean_by(train.user, users, len(split.dataset.users)),
        "item mean": mean_by(train.item, items, len(split.dataset.items)),
    }


def predictions(split: Split, cases: Sequence[Case], models: Sequence[str], seed: int) -> Iterator[tuple[str, Values]]:
    """Yield the name and the predictions of each mean and each recommender."""
    user_at = {user: at for at, user in enumerate(split.dataset.users)}
    item_at = {item.item_id: at for at, item in enumerate(split.dataset.items)}
    users = np.array([user_at[case.user_id] for case in cases], np.int32)
    items = np.array([item_at[case.target.item_id] for case in cases if case.target], np.int32)
    yield from means(split, users, items).items()
    for name in models:
        fitted = tuned_model(name, split, seed=seed).fit(split)
        predicted = np.empty(len(cases))
        for user in np.unique(users):
            predicted[users == user] = fitted.score_items(int(user), items[users == user])
        yield name, predicted


def asked_of_the_model(
    folder: Path, cases: Sequence[Case], name: str, adapter: Path | None = None, prompt: str = PROMPT
) -> Values:
    run = lr.evaluate(
        cases, prompt=prompt, answer="expected_rating", max_tokens=1, adapter=adapter, out=folder / f"run-{name}"
    )
    predicted = dict(zip(*run.to_arrow().select(["case_id", "predicted"]).to_pydict().values(), strict=True))
    return np.array([np.nan if (one := predicted[case.case_id]) is None else one for case in cases])


def row(name: str, judged: Ratings, best: Ratings | None, users: Sequence[str]) -> str:
    """Return a line of the table: each measure with its interval, and the RMSE minus that of `best`."""
    cells: list[str] = []
    for measure in MEASURES:
        found = measure.summary(judged, users)
        low, high = found.ci95 or (np.nan, np.nan)
        cells.append(f"{found.value:.4f} [{low:.4f}, {high:.4f}]")
    if best is not None:
        less = RMSE().difference(judged, best, users)
        cells.append(f"{less.difference:+.4f} [{less.low:+.4f}, {less.high:+.4f}]")
    return f"| {name} | {' | '.join(cells)} |"


def over_seeds(
    split: Split,
    cases: Sequence[Case],
    truth: Ratings,
    models: Sequence[str],
    seeds: Sequence[int],
) -> str:
    """Return a table of each trained model's measures over the seeds: the mean and the standard deviation."""
    values: dict[str, list[list[float]]] = {}
    for seed in seeds:
        for name, predicted in predictions(split, cases, models, seed):
            judged = replace(truth, predicted=np.clip(predicted, 1, 5))
            values.setdefault(name, []).append([measure.value(judged) for measure in MEASURES])
            print(seed, name, values[name][-1], file=sys.stderr, flush=True)
    lines = [
        f"seeds {', '.join(map(str, seeds))}: mean ± standard deviation\n",
        "| | RMSE | MAE | AUC |\n|---|---|---|---|",
    ]
    for name in models:
        means, spreads = np.mean(values[name], 0), np.std(values[name], 0, ddof=1)
        cells = (f"{mean:.4f} ± {spread:.4f}" for mean, spread in zip(means, spreads, strict=True))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where adapters and Runs are kept")
    parser.add_argument("data")
    parser.add_argument("--asked", type=int, default=500, help="Cases drawn; 0: all")
    parser.add_argument("--learned", type=int, default=512, help="windows that the language model learns from")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model-seeds", type=int, nargs="+", help="only train the models, once with each seed")
    parser.add_argument("--models", nargs="*", default=MODELS, help="trained models beside the means")
    parser.add_argument("--without-language", action="store_true", help="only the means and the trained models")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    split = split_of(given.data)
    cases = list(asked_cases(split))
    if 0 < given.asked < len(cases):
        cases = sorted(Random(given.seed).sample(cases, given.asked), key=lambda case: case.case_id)
    users = [case.user_id for case in cases]
    truth = Ratings.from_rankings([lr.Ranking((), outcome=lr.Outcome.UNPARSED)] * len(cases), cases, (1.0, 5.0))
    print(f"{given.data}, {split.name}: {len(split.train):,} training ratings.")
    print(f"{len(cases):,} Cases of {len(set(users))} users; intervals are over users.\n")
    if given.model_seeds:
        print(over_seeds(split, cases, truth, given.models, given.model_seeds))
        return
    print("| | RMSE | MAE | AUC | RMSE less that of mf |\n|---|---|---|---|---|")
    best: Ratings | None = None
    rows: list[tuple[str, Ratings]] = []
    for name, predicted in predictions(split, cases, given.models, given.seed):
        rows.append((name, replace(truth, predicted=np.clip(predicted, 1, 5))))
        best = rows[-1][1] if name == "mf" else best
    for name, judged in rows:
        print(row(name, judged, best, users), flush=True)
    if given.without_language:
        return

    def show(name: str, predicted: Values) -> None:
        print(row(f"language model, {name}", replace(truth, predicted=predicted), best, users), flush=True)

    show("zero-shot", asked_of_the_model(given.folder, cases, "zero-shot"))
    show("three solved examples", asked_of_the_model(given.folder, cases, "few-shot", prompt=FEW_SHOT))
    solved = given.folder / "solved.parquet"
    write_cases(solved, solved_cases(split, given.seed), overwrite=True)
    training = PromptTraining(
        users=given.learned, epochs=given.epochs, seed=given.seed, patience=4, validations=4, tuned_layers=10
    )
    for kind in ("classes", "regression"):
        adapter = given.folder / f"adapter-{given.learned}-{given.epochs:g}-{kind}"
        finetune(
            solved,
            adapter,
            prompt=PROMPT,
            answer="expected_rating",
            validation_users=VALIDATION,
            settings=replace(training, regression=kind == "regression"),
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        tuned = asked_of_the_model(given.folder, cases, f"tuned-{given.learned}-{kind}", adapter)
        show(f"tuned on {given.learned} ratings, {kind}", tuned)


if __name__ == "__main__":
    main()
