"""`variance`: what part of the spread of a number is due to users, orders, draws, wordings, and seeds of training?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit, AuditRow, mean_row, unread, with_reasons
from llmrank.audit.options import VarianceOptions
from llmrank.audit.paraphrase import changing_wording
from llmrank.audit.plan import AuditPlan, Change, as_it_is, asking
from llmrank.errors import InputError
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.order import Order
from llmrank.run import Run
from llmrank.run.compare import different_settings, shared_cases
from llmrank.run.tables import between, number
from llmrank.stats import Values

SpreadSource = Literal["users", "orders", "draws", "wordings", "runs"]
SAID: Mapping[SpreadSource, str] = {
    "users": "with other users",
    "orders": "in other orders",
    "draws": "with answers sampled again",
    "wordings": "in other wordings",
    "runs": "from Run to Run",
}
CROSSED: tuple[SpreadSource, ...] = ("wordings", "runs")
"""The sources whose values are the same for all Cases: they move the mean itself, however many Cases it has."""
REPLICAS = 2_000
USUAL_DRAWS = 2


def plan_variance(evaluation: Evaluation, options: VarianceOptions) -> AuditPlan:
    """Return the plan: the Run of `eval`, and Runs with other orders, draws and wordings.

    Raises InputError if nothing but the users would vary, or if the answers are sampled but each order is asked only
    once, so that the two cannot be separated.
    """
    prompt, not_asked = evaluation.setup.prompt, dict[str, str]()
    wordings = changing_wording(evaluation, "variance", options.wording) if options.wording else {"": as_it_is}
    temperature = _temperature(evaluation)
    orders, draws = options.orders, options.draws or (USUAL_DRAWS if temperature else 1)
    order = Order.parse(prompt.order)
    if not order.is_shuffled:
        orders, not_asked["orders"] = 1, f"the order is fixed: {order}"
    elif prompt.options.repeats > 1:
        orders, not_asked["orders"] = 1, "--repeats uses its own orders"
    elif orders == 1:
        not_asked["orders"] = "there is only one"
    if draws == 1:
        if temperature and orders > 1:
            hint = "sample at least twice: --draws 2"
            raise InputError("with one draw, sampling and order cannot be separated", field="draws", hint=hint)
        not_asked["draws"] = "the temperature is 0" if temperature == 0 else "there is only one"
    if len(wordings) == 1:
        not_asked["wordings"] = "there is only one"
    if len(not_asked) == len(("orders", "draws", "wordings")):
        hint = "shuffle the candidates (--order shuffled --orders 2), sample twice (--draws 2), or add a --wording"
        raise InputError("nothing would vary", field="orders", hint=hint)
    design = Design(tuple(wordings), orders, draws)
    changes: dict[str, Change] = {
        name: partial(_drawn, wordings[wording], f"shuffled-{order.number + at}" if at else None, prompt.draw + draw)
        for name, (wording, at, draw) in design.cells.items()
    }
    return AuditPlan(changes, lambda runs: variance(runs, design, not_asked))


def _drawn(word: Change, order: str | None, draw: int, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation in another wording, in another order (None: its own), for the draw with this number."""
    return asking(word(evaluation), order=order, draw=draw)


def _temperature(evaluation: Evaluation) -> float | None:
    """Return the sampling temperature; None for a method without a template."""
    setup = evaluation.setup
    if setup.template is None:
        return None
    given = setup.prompt.temperature
    return setup.template.front.sampling.temperature if given is None else given


@dataclass(frozen=True, slots=True)
class Design:
    """The design of the experiment: every Case in every wording and every order, each sampled several times."""

    wordings: tuple[str, ...]
    """Names of the prompts; or of finished Runs, which take the place of wordings."""
    orders: int = 1
    draws: int = 1
    crossed: Literal["wordings", "runs"] = "wordings"
    """What `wordings` are."""

    @property
    def cells(self) -> dict[str, tuple[str, int, int]]:
        """Wording, order and draw of each Run, both counted from 0, by the name of its variant."""
        several = len(self.wordings) > 1
        return {
            (f"{wording}-" if several else "") + f"order-{order + 1}-draw-{draw + 1}": (wording, order, draw)
            for wording, order, draw in product(self.wordings, range(self.orders), range(self.draws))
        }


@dataclass(frozen=True, slots=True)
class Component:
    """The variance that one source adds to a mean over Cases."""

    source: SpreadSource
    variance: float
    """Of the value of one Case; of `CROSSED` sources, of the mean itself. Zero where the estimate is below zero."""
    ci95: tuple[float, float]
    """95% interval of `variance` over users; its ends are never below zero."""
    cases: int

    @property
    def parts(self) -> int:
        """The number of independent values in the mean, by which `variance` is divided."""
        return 1 if self.source in CROSSED else self.cases

    @property
    def of_mean(self) -> float:
        """The variance of the mean that this source adds."""
        return self.variance / self.parts

    @property
    def moves(self) -> float:
        """How far the mean would move if this source alone were drawn again: a standard deviation."""
        return math.sqrt(self.of_mean)

    @property
    def moves_ci95(self) -> tuple[float, float]:
        """95% interval of `moves`."""
        low, high = (math.sqrt(end / self.parts) for end in self.ci95)
        return low, high


def variance(runs: Mapping[str, Run], design: Design, not_asked: Mapping[str, str]) -> Audit:
    """Return the variance that users, orders, draws and wordings add to the headline measure.

    Args:
        runs: By the names of `design.cells`.
        design: The design that the Runs follow.
        not_asked: The sources about which nothing can be said, with the reason.

    Raises InputError: the Runs have no Case in common, or fewer than two users with a known relevant item.
    """
    found = Contrast.of({name: runs[name] for name in design.cells})
    measured, users = found.measured()
    if len(set(users)) < 2:
        problem = "the variance between users needs two users or more whose relevant items are known"
        raise InputError(problem, path=next(iter(runs.values())).path, field="users", hint="audit more users")
    shape = (len(design.wordings), design.orders, design.draws, len(users))
    values = np.moveaxis(measured.reshape(shape), -1, 0)
    components = variance_components(values, stats.clusters_of(users), crossed=design.crossed)
    mean = mean_row(f"{found.headline}, mean of all", values.mean(axis=(1, 2, 3)), users, (0, 1))
    rows = [row for one in components for row in _rows(one, found.headline)]
    sentence = _sentence(components, found.headline) + with_reasons("Not measured", not_asked)
    sentence += unread(runs.values(), "such answers count as worst")
    return Audit("How much would the result vary if it were measured again?", sentence, (mean, *rows), found.about)


def variance_of_runs(run: Run, other: Run, *more: Run) -> Audit:
    """Return the variance that users add to the headline measure, and that between finished Runs of the same Cases.

    The Runs are of one method and differ in what is to be measured, such as the seed of their training (`--adapter`,
    `--seed`). The variance between Runs is that of their means on these Cases; what they differ in is named.

    Raises InputError if the Runs are not comparable (as `llmrank.compare`), have no Case in common, or fewer than two
    users with a known relevant item.
    """
    runs = (run, other, *more)
    names, _ = shared_cases(runs)
    design = Design(names, crossed="runs")
    found = variance(dict(zip(design.cells, runs, strict=True)), design, {})
    differ = ", ".join(different_settings(runs))
    said = f" The Runs differ in {differ}." if differ else " The Runs have the same settings."
    return replace(found, sentence=found.sentence + said)


def variance_components(
    values: Values, clusters: NDArray[np.intp], *, crossed: SpreadSource = "wordings"
) -> tuple[Component, ...]:
    """Return the variance that each source adds to the mean of `values`, float64[case, wording, order, draw].

    Orders are drawn for each Case anew, and draws for each order: both are nested in the Case, and wordings are crossed
    with it. The components are those of the analysis of variance of a balanced design: mean squares set equal to their
    expectations (Searle, Casella & McCulloch 1992, Variance Components, chapter 4). Each is what a new drawing of that
    source alone would add, under one wording, in one order, with one draw: an interaction (an order that matters under
    one wording only) counts for both sources.

    A component that is truly zero comes out below zero in half of all samples. It is then reported as zero, and the
    interval says how large it may be. It has the percentiles of a bootstrap of users, shifted so that their mean is the
    component, and cut at zero (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 10 and 13). It holds
    for the wordings that were asked: a few wordings cannot say how others would differ.

    Args:
        values: The measure of each Case. A source with one value has no component.
        clusters: The user of each Case (`stats.clusters_of`). The variance between users is cluster-robust.
        crossed: What the second axis is.

    Returns the components that can be estimated: of users, orders, draws, and what is crossed with the Cases.
    """
    cases, wordings, orders, draws = values.shape
    known: dict[SpreadSource, int] = {"users": len(np.unique(clusters)), "orders": orders, "draws": draws}
    known[crossed] = wordings
    [estimates] = _estimates(values, clusters, np.ones((1, cases)))
    replicas = stats.bootstrap(lambda weights: _estimates(values, clusters, weights), clusters, replicas=REPLICAS)
    shifted = replicas - replicas.mean(axis=0) + np.maximum(estimates, 0.0)
    ends = (stats.percentile_interval(column, known["users"]) for column in shifted.T)
    intervals = [(max(0.0, low), max(0.0, high)) for low, high in ends]
    return tuple(
        Component(source, max(0.0, float(estimates[at])), intervals[at], cases)
        for at, (source, number_of) in enumerate(known.items())
        if number_of > 1
    )


def _estimates(values: Values, clusters: NDArray[np.intp], weights: Values) -> Values:
    """Return the components of users, orders, draws and wordings, unbiased, float64[replica, source]; 0 for a source
    with a single value.

    `weights[replica, case]`: how often each Case is counted.
    """
    total = weights.sum(axis=1)
    _, wordings, orders, draws = values.shape

    def averaged(of_case: Values) -> Values:
        return weights @ of_case / total

    in_order = values.mean(axis=3)
    under_wording = in_order.mean(axis=2)
    zero = np.zeros(len(values))
    drawn = values.var(axis=3, ddof=1).mean(axis=(1, 2)) if draws > 1 else zero
    ordered = in_order.var(axis=2, ddof=1).mean(axis=1) - drawn / draws if orders > 1 else zero
    # The variance from orders and draws that remains in a Case's mean under one wording.
    noise = ordered / orders + drawn / (orders * draws)
    between_users = _variance_of_mean(under_wording, clusters, weights).mean(axis=1) * total - averaged(noise)
    worded = np.zeros(len(weights))
    if wordings > 1:
        means = weights @ under_wording / total[:, None]
        worded = means.var(axis=1, ddof=1) - averaged(_left_between_wordings(in_order, drawn / draws)) / total
    return np.stack([between_users, averaged(ordered), averaged(drawn), worded], axis=1)


def _left_between_wordings(in_order: Values, drawn: Values) -> Values:
    """Return half the variance from orders and draws that remains in the difference between two wordings of each Case.

    All wordings are shown in the same orders, so an effect that an order has on all of them cancels. The interaction of
    wording and order remains, and the draws with it.

    `in_order` is the mean over draws, float64[case, wording, order]; `drawn` the variance from draws in it,
    float64[case].
    """
    _, wordings, orders = in_order.shape
    if orders == 1:
        return drawn
    own = in_order - in_order.mean(axis=1, keepdims=True) - in_order.mean(axis=2, keepdims=True)
    interaction = (own + in_order.mean(axis=(1, 2), keepdims=True)) ** 2
    return interaction.sum(axis=(1, 2)) / ((wordings - 1) * (orders - 1)) / orders


def _variance_of_mean(values: Values, clusters: NDArray[np.intp], weights: Values) -> Values:
    """Return the cluster-robust variance of the mean of each column of `values`, float64[replica, column].

    `weights[replica, case]`: how often each Case is counted; the same for all Cases of a user.
    """
    counts = np.bincount(clusters).astype(np.float64)
    sums = np.stack([np.bincount(clusters, column) for column in values.T], axis=1)
    first = np.unique(clusters, return_index=True)[1]
    times = weights[:, first]
    users = times.sum(axis=1, keepdims=True)
    size = (times @ counts)[:, None]
    means = times @ sums / size
    # The sum over users of (sum - mean * count)², multiplied out.
    squares = times @ sums**2 - 2 * means * (times @ (sums * counts[:, None])) + means**2 * (times @ counts**2)[:, None]
    return squares / (users - 1) * users / size**2


def _rows(component: Component, headline: str) -> list[AuditRow]:
    subject = component.source if component.source in CROSSED else f"{component.source}, of one Case"
    moves = f"{component.source}: standard deviation of {headline}"
    return [
        AuditRow(f"{subject}: variance", component.variance, component.ci95, component.cases),
        AuditRow(moves, component.moves, component.moves_ci95, component.cases),
    ]


def _sentence(components: Sequence[Component], headline: str) -> str:
    total = sum(one.of_mean for one in components)
    if not total:
        return f"No part of the spread of {headline} can be distinguished from zero."
    shares = [f"{one.of_mean / total:.0%}" for one in components]
    shares[0] += " of the variance"
    parts = [
        f"±{number(one.moves)} {SAID[one.source]} ({between(one.moves_ci95)}; {share})"
        for one, share in zip(components, shares, strict=True)
    ]
    return f"{headline} would vary by {', '.join(parts)}."
