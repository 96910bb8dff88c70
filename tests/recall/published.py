"""The numbers of LLMRank that need no model, computed again from its own candidate lists.

    python -m tests.recall.published

Hou et al. (arXiv:2305.08845), Table 2: NDCG of Pop over the target and the first 19 others of a list of random items,
for all users of MovieLens 1M and 6,000 of Amazon Games. A user's last event is the target, the one before it is kept
for validation, the others are for training (leave-one-out). Values are percent, as in the paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmrank.data.external_formats import read_histories, read_lists
from llmrank.measures import NDCG, Judgements
from tests.answers.recorded import data_folder
from tests.measures.arrays import judged_arrays
from tests.tables import show

DEPTHS = (1, 5, 10, 20)
COLUMNS = tuple(f"NDCG@{depth}" for depth in DEPTHS)
BUDGET = 20
"""Candidates shown: the target and 19 others."""
BATCH = 4096
"""Training events in a batch, by the repository's settings."""
PUBLISHED: Mapping[str, Sequence[float]] = {
    "Pop, ML-1M": (22.91, 45.16, 52.33, 55.36),
    "Pop, Games": (28.35, 47.42, 52.96, 57.45),
    "SASRec, ML-1M": (61.39, 76.39, 78.89, 79.79),
}
"""Table 2."""
Lists = Mapping[str, tuple[str, ...]]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sequences:
    """What the users of a dataset did, oldest first."""

    of: Mapping[str, tuple[str, ...]]
    without_order: Counter[str]
    """Further training events, of which only the item is known."""

    def target(self, user: str) -> str:
        """Return the last item of a user."""
        return self.of[user][-1]

    def popularity(self, without: int = 2) -> Counter[str]:
        """Return how many events each item has, the last `without` of every user left out."""
        events = (item for items in self.of.values() for item in items[: len(items) - without])
        return Counter(events) + self.without_order

    def batched_popularity(self, seed: int) -> Counter[str]:
        """Return popularity as the repository's Pop counts it: an item once for each batch that holds it.

        Its training samples are an item with those before it, in a shuffled order. A batch adds 1 to every item it
        holds, however often, and 1 more to every first item of a user of which it holds the second.
        """
        number = {item: at for at, item in enumerate(sorted({item for items in self.of.values() for item in items}))}
        samples = np.array(
            [
                (number[items[at]], number[items[0]] if at == 1 else -1)
                for items in self.of.values()
                for at in range(1, len(items) - 2)
            ]
        )
        samples = np.random.default_rng(seed).permutation(samples)
        counts = np.zeros(len(number), dtype=np.int64)
        for start in range(0, len(samples), BATCH):
            for column in samples[start : start + BATCH].T:
                counts[np.unique(column[column >= 0])] += 1
        return Counter(dict(zip(number, counts.tolist(), strict=True)))


def movielens(data: Path) -> Sequences:
    """Return ML-1M in the order of its timestamps, ties in the order of the file (`seq`).

    598 events, of films with fewer than 5 ratings, have no place in that order: they count as training.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(data / "ml-1m" / "ratings_reconstructed.parquet", columns=["user_id", "movie_id", "seq"])
    of: dict[str, list[tuple[int, str]]] = {}
    without_order = Counter[str]()
    for user, movie, seq in zip(*(column.to_pylist() for column in table.columns), strict=True):
        if seq is None:
            without_order[str(movie)] += 1
        else:
            of.setdefault(str(user), []).append((seq, str(movie)))
    return Sequences({user: tuple(item for _, item in sorted(events)) for user, events in of.items()}, without_order)


def games(data: Path) -> Sequences:
    """Return Games: the histories of all 50,546 users, and after them their targets."""
    folder = data / "LLMRank" / "Games-6k"
    events, targets = read_histories(folder / "Games-6k.test.inter")
    of = grouped(events.user.to_pylist(), events.item.to_pylist())
    return Sequences({user: (*items, *targets[user]) for user, items in of.items()}, Counter())


def lists(data: Path, name: str) -> Lists:
    """Return the lists of a recall stage (`ml-1m/ml-1m.pop`), by user."""
    table = read_lists(data / "LLMRank" / name)
    return grouped(table.texts("user").to_pylist(), table.texts("item").to_pylist())


def grouped(users: Sequence[str], items: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the items of each user, in their order."""
    of: dict[str, list[str]] = {}
    for user, item in zip(users, items, strict=True):
        of.setdefault(user, []).append(item)
    return {user: tuple(its) for user, its in of.items()}


def with_target(items: Sequence[str], target: str) -> list[str]:
    """Return the target and the first others of a list, the target last: `has_gt` of the repository."""
    return [*[item for item in items if item != target][: BUDGET - 1], target]


def ndcg(judgements: Judgements) -> Values:
    """Return NDCG at each depth in percent."""
    return np.array([100 * NDCG(depth).value(judgements) for depth in DEPTHS])


def by_popularity(sequences: Sequences, negatives: Lists, popularity: Mapping[str, int]) -> Judgements:
    """Return the judgements of Pop on the target and its negatives; equal counts are ties."""
    rows = [with_target(items, sequences.target(user)) for user, items in negatives.items()]
    scores = np.array([[popularity.get(item, 0) for item in row] for row in rows], dtype=np.float64)
    relevance = np.zeros(scores.shape, dtype=bool)
    relevance[:, -1] = True
    return judged_arrays(relevance, scores)


def expected(popularity: Mapping[str, int], items: int, targets: Sequence[str]) -> tuple[Values, Values]:
    """Return what Pop's NDCG is on average if the 19 others are drawn anew among all `items`, and how much it varies.

    The number of the drawn that stand above the target is hypergeometric, so no draw is needed. The second value is
    the standard deviation of the mean over these users.
    """
    from scipy.special import comb

    above = np.arange(BUDGET)
    rank, others, draws = np.arange(items)[:, None], items - 1, BUDGET - 1
    chance = comb(rank, above) * comb(others - rank, draws - above) / comb(others, draws)
    gain = np.where(above < np.array(DEPTHS)[:, None], 100 / np.log2(above + 2), 0)
    counts = np.zeros(items)
    counts[: len(popularity)] = sorted(popularity.values(), reverse=True)
    target = np.array([popularity.get(item, 0) for item in targets])
    first = np.searchsorted(-counts, -target, side="left")
    last = np.searchsorted(-counts, -target, side="right")  # the target stands anywhere among its equals

    def mean(values: Values) -> Values:
        total = np.concatenate([np.zeros((1, len(DEPTHS))), np.cumsum(chance @ values.T, axis=0)])
        return (total[last] - total[first]) / (last - first)[:, None]

    variance = mean(gain**2) - mean(gain) ** 2
    return mean(gain).mean(axis=0), np.sqrt(variance.sum(axis=0)) / len(targets)


def bounds(sequences: Sequences, negatives: Lists, ranked: Lists) -> tuple[Values, Values]:
    """Return the least and the most that the NDCG of a model can be of which only each user's first 100 are known."""
    judged: list[Values] = []
    for most in (False, True):
        ranks: list[int] = []
        for user, items in negatives.items():
            place = {item: at for at, item in enumerate(ranked[user])}
            target = place.get(sequences.target(user), len(place))
            others = with_target(items, sequences.target(user))[:-1]
            known = target < len(place) or most
            ranks.append(sum(place.get(item, len(place)) < target for item in others) if known else len(others))
        relevance = np.arange(BUDGET) == np.array(ranks)[:, None]
        judged.append(ndcg(judged_arrays(relevance)))
    return judged[0], judged[1]


# --- what is printed


def show_movielens(ml: Sequences, negatives: Lists) -> None:
    training = ml.popularity()
    once = [ndcg(by_popularity(ml, negatives, ml.batched_popularity(seed))) for seed in range(5)]
    judged = by_popularity(ml, negatives, training)
    published = PUBLISHED["Pop, ML-1M"]
    show(
        (f"Pop, ML-1M, {len(negatives):,} users", *COLUMNS),
        [
            _row("published", published),
            *_beside("training events", ndcg(judged), published),
            *_beside(
                "with the validation events", ndcg(by_popularity(ml, negatives, ml.popularity(without=1))), published
            ),
            *_beside("training, once a batch (mean of 5)", np.mean(once, axis=0), published),
            _row("random, exact", ndcg(judged.random())),
        ],
    )


def show_games(shop: Sequences, users: Iterable[str]) -> None:
    items, targets = len(shop.popularity(without=0)), [shop.target(user) for user in users]
    mean, deviation = expected(shop.popularity(), items, targets)
    with_validation, _ = expected(shop.popularity(without=1), items, targets)
    published = PUBLISHED["Pop, Games"]
    show(
        (f"Pop, Games, {len(targets):,} users", *COLUMNS),
        [
            _row("published", published),
            *_beside("training events, mean over draws", mean, published),
            _row("  standard deviation of a draw", deviation),
            *_beside("with the validation events, mean", with_validation, published),
        ],
    )


def show_200(name: str, sequences: Sequences, negatives: Lists) -> None:
    from llmrank.stats import mean_interval

    judged = by_popularity(sequences, negatives, sequences.popularity())
    intervals = [mean_interval(100 * NDCG(depth).per_case(judged), bounds=(0.0, 100.0)) for depth in DEPTHS]
    show(
        (f"Pop, {name}, the {len(negatives)} users of Table 3", *COLUMNS),
        [
            _row("training events", ndcg(judged)),
            ["  95% interval over users", *(f"{interval.low:.1f} to {interval.high:.1f}" for interval in intervals)],
        ],
    )


def show_sasrec(ml: Sequences, negatives: Lists, ranked: Lists) -> None:
    least, most = bounds(ml, negatives, ranked)
    show(
        (f"SASRec, ML-1M, {len(negatives):,} users", *COLUMNS),
        [
            _row("published", PUBLISHED["SASRec, ML-1M"]),
            _row("least, from its first 100 of each user", least),
            _row("most", most),
        ],
    )


def order_of(name: str, sequences: Sequences, proposals: Lists) -> list[str]:
    """Return the row of a list: where in it the targets stand, and its NDCG@10 as it is, beside that of any order."""
    relevance = np.zeros((len(proposals), max(map(len, proposals.values()))), dtype=bool)
    for at, (user, items) in enumerate(proposals.items()):
        if (target := sequences.target(user)) in items:
            relevance[at, items.index(target)] = True
    judged = judged_arrays(relevance, relevant=np.ones(len(proposals), dtype=np.int64))
    found = int(relevance.sum())
    first_half = int(relevance[:, : relevance.shape[1] // 2].sum())
    values = (f"{100 * NDCG(10).value(judgements):.2f}" for judgements in (judged, judged.random()))
    return [name, f"{len(proposals):,}", str(relevance.shape[1]), f"{found:,}", f"{first_half:,}", *values]


def show_their_popularity(ml: Sequences, theirs: Sequence[str]) -> None:
    from scipy.stats import kendalltau

    print(
        f"ml-1m-full.pop: the same {len(theirs)} films for all users. Kendall's tau of their order with popularity by"
    )
    training = ml.popularity()
    for label, counts in (("training events", training), ("training, once a batch", ml.batched_popularity(0))):
        tau = kendalltau([-counts[item] for item in theirs], range(len(theirs))).statistic
        print(f"  {label}: {tau:.2f}; the first {in_common(counts, theirs)} are the same")
    head = {item for item, _ in training.most_common(len(theirs))}
    for label, items in (("theirs", set(theirs)), ("those with the most training events", head)):
        print(f"  Users whose target is among {label}: {sum(ml.target(user) in items for user in ml.of):,}")
    [(most_seen, events)] = training.most_common(1)
    print(f"  The film with the most training events, {events:,}, is at place {theirs.index(most_seen) + 1}.")


def in_common(popularity: Counter[str], theirs: Sequence[str]) -> int:
    """Return how many items at the head of a list are those of popularity, in the same order."""
    same = [item == other for (item, _), other in zip(popularity.most_common(), theirs, strict=False)]
    return [*same, False].index(False)


def _row(label: str, values: Values | Sequence[float], form: str = ".2f") -> list[str]:
    return [label, *(f"{value:{form}}" for value in values)]


def _beside(label: str, values: Values, published: Sequence[float]) -> list[list[str]]:
    return [_row(label, values), _row("  less the published", values - np.array(published), "+.2f")]


def main() -> None:
    data = data_folder()
    ml, shop = movielens(data), games(data)
    negatives, sasrec = lists(data, "ml-1m-full/ml-1m-full.random"), lists(data, "ml-1m-full/ml-1m-full.sasrec")
    show_movielens(ml, negatives)
    show_games(shop, lists(data, "Games-6k/Games-6k.sasrec"))
    show_200("ML-1M", ml, lists(data, "ml-1m/ml-1m.random"))
    show_200("Games", shop, lists(data, "Games/Games.random"))
    show_sasrec(ml, negatives, sasrec)
    paths = sorted(path for path in (data / "LLMRank").glob("*/*.*") if path.suffix not in (".item", ".inter"))
    show(
        ("list", "users", "items", "has the target", "in its first half", "NDCG@10 as listed", "in any order"),
        [
            order_of(
                path.name, shop if path.name.startswith("Games") else ml, lists(data, f"{path.parent.name}/{path.name}")
            )
            for path in paths
        ],
    )
    show_their_popularity(ml, next(iter(lists(data, "ml-1m-full/ml-1m-full.pop").values())))


if __name__ == "__main__":
    main()
