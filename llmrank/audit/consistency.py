"""`consistency`: does a method give the same ranking when asked again, in another order or with another seed?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from statistics import fmean

import numpy as np

from llmrank.audit.contrast import expected_in_common, length_of_top, named_top
from llmrank.audit.finding import Audit, AuditRow, kendall, leaders, mean_of, mean_row, mid_ranks, top_in_common, unread
from llmrank.audit.options import ConsistencyOptions
from llmrank.audit.plan import AuditPlan, Change, as_it_is, asking, refuse_fixed_order
from llmrank.errors import InputError
from llmrank.evaluation.evaluate import Evaluation
from llmrank.measures.judgements import tie_spans
from llmrank.run import Run
from llmrank.run.compare import done_in_all
from llmrank.stats import Values
from llmrank.types import Ranking

PERSISTENCE = 0.9
"""The p of rank-biased overlap: the first 10 ranks have 86% of the weight."""


def plan_consistency(evaluation: Evaluation, options: ConsistencyOptions) -> AuditPlan:
    """Return the plan: the Run of `eval`, and Runs in other orders; raises InputError if the order is fixed."""
    order = refuse_fixed_order(evaluation)
    changes: dict[str, Change] = {"order-1": as_it_is}
    for at in range(1, options.orders):
        changes[f"order-{at + 1}"] = partial(asking, order=f"shuffled-{order.number + at}")
    return AuditPlan(changes, lambda runs: consistency(*runs.values()))


def consistency(run: Run, other: Run, *more: Run) -> Audit:
    """Return how similar the rankings of the same Cases are in several Runs, averaged over Cases and pairs of Runs.

    There are two numbers of change: how often another item is first, and the share of pairs of candidates in reversed
    order. And three of agreement: Kendall's tau-b of all ranks; rank-biased overlap, which weighs the first ranks most;
    and the Jaccard overlap of the top 10 (if all lists have fewer than 20 items, of half the longest). Each comes with
    the value for two random orders. Left out are Cases without a readable answer in both Runs of a pair, and those in
    which a Run ties all candidates. The Runs are of the same Cases and differ in `--seed`, order, prompt or model.

    Raises InputError if the Runs have no readable Case in common, or different candidates for the same Case.
    """
    runs = (run, other, *more)
    users, found, lengths, readable = list[str](), list[list[float]](), list[int](), 0
    cases = [case for case in done_in_all(runs) if len(case.candidates) > 1]
    k = length_of_top(cases)
    for case in cases:
        rankings = [one.records[case.case_id].ranking for one in runs]
        for one, ranking in zip(runs, rankings, strict=True):
            if set(ranking.order) != set(rankings[0].order):
                hint = "audit Runs of the same candidates"
                raise InputError("the Runs rank different candidates", path=one.path, user=case.user_id, hint=hint)
        answered = [ranking for ranking in rankings if ranking.answered]
        readable += len(answered) > 1
        ordered = [ranking for ranking in answered if len(leaders(ranking)) < len(ranking.order)]
        if len(ordered) > 1:
            pairs = [_compared(*pair, k) for pair in combinations(ordered, 2)]
            users.append(case.user_id)
            found.append([mean_of(column) for column in zip(*pairs, strict=True)])
            lengths.append(len(case.candidates))
    if not readable:
        raise InputError("the Runs have no readable Case in common", path=run.path, hint="audit Runs of the same Cases")
    # Name, bounds, and the value for two random orders of a list.
    measured: tuple[tuple[str, tuple[int, int], Callable[[int], float]], ...] = (
        ("another item ranked first", (0, 1), lambda n: 1 - 1 / n),
        ("pairs of candidates in reversed order", (0, 1), lambda _: 0.5),
        ("Kendall's tau-b of all ranks", (-1, 1), lambda _: 0.0),
        (f"rank-biased overlap (p = {PERSISTENCE})", (0, 1), lambda n: rank_biased(np.arange(1, n + 1) / n)),
        (f"top {named_top(k)}, overlap", (0, 1), lambda n: expected_in_common(n, k)),
    )
    columns = zip(*found, strict=True) if found else ((),) * len(measured)
    rows = tuple(
        mean_row(name, values, users, bounds, fmean(map(chance, lengths)) if lengths else None, graded=True)
        for (name, bounds, chance), values in zip(measured, columns, strict=True)
    )
    sentence = _sentence(rows[0], rows[1]) + unread(runs, "such answers are left out")
    return Audit("Does it give the same ranking when asked again?", sentence, rows, run.title)


SHOWN_AS_ZERO = 0.005
"""Smaller shares are written as 0%: rounding of a model's numbers may swap candidates that are nearly tied."""


def _sentence(first: AuditRow, reversed_pairs: AuditRow) -> str:
    if first.value is None or reversed_pairs.value is None:
        return "No conclusion: every Case ties all its candidates."
    said = "Yes" if max(first.value, reversed_pairs.value) < SHOWN_AS_ZERO else "Not always"
    interval = "–" if first.ci95 is None else f"{first.ci95[0]:.0%} to {first.ci95[1]:.0%}"
    return (
        f"{said}: from one ranking to another, the item ranked first changes in {first.value:.0%} of Cases (95% CI "
        f"{interval}), and {reversed_pairs.value:.0%} of pairs of candidates are reversed; for two random "
        f"orders, it would be {first.chance:.0%} and {reversed_pairs.chance:.0%}."
    )


def _compared(left: Ranking, right: Ranking, k: int) -> tuple[float, ...]:
    ranks = mid_ranks(left), mid_ranks(right)
    mine, theirs = leaders(left), leaders(right)
    # As rank-biased overlap has it: no change if the same items share the first rank.
    changed = 1 - len(mine & theirs) / math.sqrt(len(mine) * len(theirs))
    both = [[one[item_id] for item_id in ranks[0]] for one in ranks]
    tau, top = kendall(*both), top_in_common(*ranks, k)
    return changed, reversed_share(*both), tau, rank_biased_overlap(left, right), top


def reversed_share(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the share of pairs in reversed order, among those that neither side ties; NaN if there are none."""
    signs = [np.sign(np.subtract.outer(ranks, ranks)) for ranks in map(np.asarray, (left, right))]
    product = signs[0] * signs[1]
    ordered = np.count_nonzero(product)
    return float(np.count_nonzero(product < 0) / ordered) if ordered else math.nan


def rank_biased_overlap(left: Ranking, right: Ranking, p: float = PERSISTENCE) -> float:
    """Return the extrapolated rank-biased overlap (Webber, Moffat & Zobel 2010, ACM TOIS 28, 4, equation 30) of two
    rankings of the same items: 1 if they are equal.

    Ties, and the items that an answer does not name, count as in RBO^b of Corsi & Urbano (2024, SIGIR, "The Treatment
    of Ties in Rank-Biased Overlap"), which corrects for them as tau-b does: an item tied over several ranks is in the
    top d with the share of these ranks up to d, and the agreement of two tops is the cosine of these shares.
    """
    shares = [_in_tops(ranking) for ranking in (left, right)]
    items = sorted(shares[0])
    tops = [np.array([one[item_id] for item_id in items]) for one in shares]
    norms = np.prod([np.sqrt((one**2).sum(axis=0)) for one in tops], axis=0)
    return rank_biased((tops[0] * tops[1]).sum(axis=0) / norms, p)


def rank_biased(agreement: Values, p: float = PERSISTENCE) -> float:
    """Return the rank-biased mean of the agreements at each depth, of which the last holds for all greater depths."""
    weights = p ** np.arange(len(agreement))
    return float((1 - p) * weights @ agreement + p ** len(agreement) * agreement[-1])


def _in_tops(ranking: Ranking) -> dict[str, Values]:
    """Return the share of each item that is in the top 1, 2, …: 0 or 1, between them for an item whose rank is tied."""
    depths, found = np.arange(1, len(ranking.order) + 1), dict[str, Values]()
    for above, size in tie_spans(ranking):
        found |= dict.fromkeys(ranking.order[above : above + size], np.clip((depths - above) / size, 0, 1))
    return found
