"""Does the wording decide?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit, AuditRow
from llmrank.measures.summary import finite, finite_pair
from llmrank.run import Run
from llmrank.run.tables import number


def paraphrase(runs: Mapping[str, Run]) -> Audit:
    """Return the headline measure under each wording, how far the wordings spread, and how the others differ from the
    prompt's own.

    The spread is the standard deviation of the wordings' values. Where all wordings are alike it is not zero, because
    each has answers of its own: `chance` is what the users' differences alone would make of it. Beside it stands by how
    much the users make each value uncertain, the standard error. Beside the differences, which are paired on users:
    Kendall's tau of the ranks, the overlap of the tops, and the share of answers that cannot be read, which count as
    worst.

    Args:
        runs: By the name of the wording, the prompt itself first.

    Raises:
        InputError: no relevant item is known, or the Runs have no Case in common.
    """
    found = Contrast.of(runs)
    own = next(iter(runs))
    spread, error = _spread(found)

    def said(name: str) -> str:
        return name.removeprefix(f"{own}-")  # the name of a shipped wording begins with that of its template

    return found.audit(
        "Does the wording decide?",
        lambda name: f"the wording {said(name)} rather than {own}",
        said,
        more=(spread, error),
        remark=f" The wordings spread by {number(spread.value)} (standard deviation; {number(spread.chance)} if all "
        f"were alike), and the users make each uncertain by {number(error.value)} (standard error).",
    )


def _spread(found: Contrast) -> tuple[AuditRow, AuditRow]:
    """Return the standard deviation over wordings, with an interval over users, and the standard error over users."""
    measured, users = found.measured()
    values, clusters = measured.T, stats.clusters_of(users)

    def spread(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return (weights @ values / weights.sum(axis=1, keepdims=True)).std(axis=1, ddof=1)

    cases, wordings = values.shape
    low, high = stats.percentile_interval(stats.bootstrap(spread, clusters), len(np.unique(clusters)))
    own = values - values.mean(axis=1, keepdims=True)
    noise = sum(_error(own[:, at], clusters) ** 2 for at in range(wordings)) / (wordings - 1)
    error = math.sqrt(sum(_error(column, clusters) ** 2 for column in values.T) / wordings)
    value, chance = float(spread(np.ones((1, cases)))[0]), finite(math.sqrt(noise))
    return (
        AuditRow("spread over wordings, standard deviation", value, finite_pair(low, high), cases, chance),
        AuditRow("of one wording, standard error over users", finite(error), None, cases),
    )


def _error(values: NDArray[np.float64], clusters: NDArray[np.intp]) -> float:
    """Return the standard error of the mean over users."""
    sums, counts = stats.by_cluster(values, clusters)
    return stats.spread(sums, counts) / math.sqrt(len(sums))
