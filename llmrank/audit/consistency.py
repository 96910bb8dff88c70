"""Does a method give the same ranking when asked again, in another order or with another seed?"""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

from llmrank.audit.contrast import expected_in_common, length_of_top
from llmrank.audit.finding import Audit, AuditRow, correlation, leaders, mean_of, mean_row, mid_ranks, top_in_common
from llmrank.errors import InputError
from llmrank.run import Run
from llmrank.run.compare import done_in_all
from llmrank.run.tables import between
from llmrank.types import Ranking


def consistency(run: Run, other: Run, *more: Run) -> Audit:
    """Return how similar the rankings of the same Cases are in several Runs, averaged over Cases and pairs of Runs.

    There are three numbers: Spearman's correlation of the ranks of all candidates; the Jaccard overlap of the top 10
    (if all lists have fewer than 20 items, of half the longest); and how often the same item is first. Each comes with
    the value for two random orders. Cases without a readable answer in both Runs of a pair are left out. The Runs are
    of the same Cases and differ in `--seed`, order, prompt or model.

    Raises InputError if the Runs have no readable Case in common, or different candidates for the same Case.
    """
    runs = (run, other, *more)
    users, found, lengths = list[str](), list[list[float]](), list[int]()
    cases = [case for case in done_in_all(runs) if len(case.candidates) > 1]
    k = length_of_top(cases)
    for case in cases:
        rankings = [one.records[case.case_id].ranking for one in runs]
        for one, ranking in zip(runs, rankings, strict=True):
            if set(ranking.order) != set(rankings[0].order):
                hint = "audit Runs of the same candidates"
                raise InputError("the Runs rank different candidates", path=one.path, user=case.user_id, hint=hint)
        pairs = [_alike(*pair, k) for pair in combinations(rankings, 2) if all(ranking.answered for ranking in pair)]
        if pairs:
            users.append(case.user_id)
            found.append([mean_of(column) for column in zip(*pairs, strict=True)])
            lengths.append(len(case.candidates))
    if not found:
        raise InputError("the Runs have no readable Case in common", path=run.path, hint="audit Runs of the same Cases")
    names = ("correlation of all ranks", f"top {k}, overlap", "same item ranked first")
    bounds = ((-1, 1), (0, 1), (0, 1))
    chances = (0.0, fmean(expected_in_common(n, k) for n in lengths), fmean(1 / n for n in lengths))
    rows = tuple(
        mean_row(name, values, users, limits, chance)
        for name, values, limits, chance in zip(names, zip(*found, strict=True), bounds, chances, strict=True)
    )
    return Audit("Does it give the same ranking when asked again?", _sentence(rows[1], k), rows, run.title)


def _sentence(top: AuditRow, k: int) -> str:
    if top.value is None:
        return "No conclusion: every Case ties all its candidates."
    return (
        f"Of the items in the top {k} of either of two Runs, {top.value:.0%} are in both (95% CI {between(top.ci95)}); "
        f"for two random orders, it would be {top.chance:.0%}."
    )


def _alike(left: Ranking, right: Ranking, k: int) -> tuple[float, float, float]:
    ranks = mid_ranks(left), mid_ranks(right)
    ids = list(ranks[0])
    mine, theirs = leaders(left), leaders(right)
    same = len(mine & theirs) / (len(mine) * len(theirs))
    alike = correlation([ranks[0][one] for one in ids], [ranks[1][one] for one in ids])
    return alike, top_in_common(*ranks, k), same
