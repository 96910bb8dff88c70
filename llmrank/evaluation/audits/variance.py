"""`variance`: what part of the spread of a number is due to users, candidate order, repeated sampling, and wording?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit, AuditRow, mean_row, unread, with_reasons
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import VarianceOptions
from llmrank.evaluation.audits.paraphrase import changing_wording
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, asking
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.order import Order
from llmrank.run import Run
from llmrank.run.tables import between, number
from llmrank.stats import Values

SpreadSource = Literal["users", "orders", "draws", "wordings"]
SOURCES: tuple[SpreadSource, ...] = get_args(SpreadSource)
SAID: Mapping[SpreadSource, str] = {
    "users": "with other users",
    "orders": "in other orders",
    "draws": "by answers drawn again",
    "wordings": "in other words",
}
REPLICAS = 2_000
USUAL_DRAWS = 2


def plan_variance(evaluation: Evaluation, options: VarianceOptions) -> AuditPlan:
    """Return what is asked: the Run of `eval`, and those of other orders, draws and wordings.

    Raises InputError where nothing but the users would differ, and for draws of a temperature above 0 that are not
    told from orders.
    """
    prompt, not_asked = evaluation.setup.prompt, dict[str, str]()
    wordings = changing_wording(evaluation, "variance", options.wording) if options.wording else {"": as_it_is}
    temperature = _temperature(evaluation)
    orders, draws = options.orders, options.draws or (USUAL_DRAWS if temperature else 1)
    order = Order.parse(prompt.order)
    if not order.is_shuffled:
        orders, not_asked["orders"] = 1, f"the order is {order}"
    elif prompt.options.repeats > 1:
        orders, not_asked["orders"] = 1, "--repeats shows orders of its own"
    elif orders == 1:
        not_asked["orders"] = "there is one"
    if draws == 1:
        if temperature and orders > 1:
            hint = "ask twice or more: --draws 2"
            raise InputError("one draw cannot be told from the order", field="draws", hint=hint)
        not_asked["draws"] = "the temperature is 0" if temperature == 0 else "there is one"
    if len(wordings) == 1:
        not_asked["wordings"] = "there is one"
    if len(not_asked) == len(("orders", "draws", "wordings")):
        hint = "show the candidates shuffled, in --orders 2 or more, ask in --draws 2, or give another --wording"
        raise InputError("nothing would be drawn again", field="orders", hint=hint)
    design = Design(tuple(wordings), orders, draws)
    changes: dict[str, Change] = {
        name: partial(_drawn, wordings[wording], f"shuffled-{order.number + at}" if at else None, prompt.draw + draw)
        for name, (wording, at, draw) in design.cells.items()
    }
    return AuditPlan(changes, lambda runs: variance(runs, design, not_asked))


def _drawn(word: Change, order: str | None, draw: int, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation in another wording, in another order (None: its own), for the draw of that number."""
    return asking(word(evaluation), order=order, draw=draw)


def _temperature(evaluation: Evaluation) -> float | None:
    """Return the temperature of the answers; None for a method that asks with no template of ours."""
    setup = evaluation.setup
    if setup.template is None:
        return None
    given = setup.prompt.temperature
    return setup.template.front.sampling.temperature if given is None else given


@dataclass(frozen=True, slots=True)
class Design:
    """What is crossed with the Cases: every wording in every order, each asked several times."""

    wordings: tuple[str, ...]
    """Names of the prompts."""
    orders: int = 1
    draws: int = 1

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
    """What one source adds to the variance of a mean over Cases."""

    source: SpreadSource
    variance: float
    """Of the value of one Case; of `wordings`, of the mean itself. Zero where the estimate is below zero."""
    ci95: tuple[float, float]
    """95% interval of `variance` over users; its ends are never below zero."""
    cases: int

    @property
    def parts(self) -> int:
        """Of how many independent values the mean is made: its variance is `variance` divided by them."""
        return 1 if self.source == "wordings" else self.cases

    @property
    def of_mean(self) -> float:
        """The variance of the mean that this source adds."""
        return self.variance / self.parts

    @property
    def moves(self) -> float:
        """By how much the mean would move if this source alone were drawn again: a standard deviation."""
        return math.sqrt(self.of_mean)

    @property
    def moves_ci95(self) -> tuple[float, float]:
        """95% interval of `moves`."""
        low, high = (math.sqrt(end / self.parts) for end in self.ci95)
        return low, high


def variance(runs: Mapping[str, Run], design: Design, not_asked: Mapping[str, str]) -> Audit:
    """Return what users, orders, draws and wordings add to the variance of the headline measure.

    The Runs are by the names of `design.cells`; `not_asked` are the sources of which nothing can be said, and why.

    Raises InputError: the Runs have no Case in common, or fewer than two users with a known relevant item.
    """
    found = Contrast.of({name: runs[name] for name in design.cells})
    measured, users = found.measured()
    if len(set(users)) < 2:
        problem = "how much users vary cannot be told from fewer than two whose truth is known"
        raise InputError(problem, path=next(iter(runs.values())).path, field="users", hint="audit more users")
    shape = (len(design.wordings), design.orders, design.draws, len(users))
    values = np.moveaxis(measured.reshape(shape), -1, 0)
    components = variance_components(values, stats.clusters_of(users))
    mean = mean_row(f"{found.headline}, mean of all", values.mean(axis=(1, 2, 3)), users, (0, 1))
    rows = [row for one in components for row in _rows(one, found.headline)]
    sentence = _sentence(components, found.headline) + with_reasons("Not asked", not_asked)
    sentence += unread(runs.values(), "they count as worst")
    return Audit("How far would the number move if it were measured again?", sentence, (mean, *rows), found.about)


def variance_components(values: Values, clusters: NDArray[np.intp]) -> tuple[Component, ...]:
    """Return what each source adds to the variance of the mean of `values`, float64[case, wording, order, draw].

    Orders are drawn for each Case anew, and draws for each order: both are nested in the Case, and wordings are crossed
    with it. The components are those of the analysis of variance of a balanced design: mean squares set equal to their
    expectations (Searle, Casella & McCulloch 1992, Variance Components, chapter 4). Each is what a new drawing of that
    source alone would add, under one wording, in one order, with one draw: an interaction (an order that matters under
    one wording only) counts for both sources.

    A component that is truly zero comes out below zero in half of all samples. It is then reported as zero, and the
    interval says how large it may be. It has the percentiles of a bootstrap of users, shifted so that their mean is the
    component, and cut at zero (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 10 and 13). It
    speaks of the wordings that were asked. A few wordings cannot say how others would differ.

    Args:
        values: Of each Case under each wording, in each order, in each draw. A source with one value has no component.
        clusters: The user of each Case (`stats.clusters_of`). The variance between users is cluster-robust.

    Returns users first, then orders, draws and wordings, those that can be estimated.
    """
    cases, wordings, orders, draws = values.shape
    known = {"users": len(np.unique(clusters)), "orders": orders, "draws": draws, "wordings": wordings}
    [estimates] = _estimates(values, clusters, np.ones((1, cases)))
    replicas = stats.bootstrap(lambda weights: _estimates(values, clusters, weights), clusters, replicas=REPLICAS)
    shifted = replicas - replicas.mean(axis=0) + np.maximum(estimates, 0.0)
    ends = (stats.percentile_interval(column, known["users"]) for column in shifted.T)
    intervals = [(max(0.0, low), max(0.0, high)) for low, high in ends]
    return tuple(
        Component(source, max(0.0, float(estimates[at])), intervals[at], cases)
        for at, source in enumerate(SOURCES)
        if known[source] > 1
    )


def _estimates(values: Values, clusters: NDArray[np.intp], weights: Values) -> Values:
    """Return the component of each of `SOURCES`, unbiased, float64[replica, source]; 0 for one with a single value.

    `weights[replica, case]` say how often each Case is counted.
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
    # What orders and draws leave in a Case's mean under one wording, and in the differences between its wordings.
    noise = ordered / orders + drawn / (orders * draws)
    between_users = _variance_of_mean(under_wording, clusters, weights).mean(axis=1) * total - averaged(noise)
    worded = np.zeros(len(weights))
    if wordings > 1:
        means = weights @ under_wording / total[:, None]
        worded = means.var(axis=1, ddof=1) - averaged(_left_between_wordings(in_order, drawn / draws)) / total
    return np.stack([between_users, averaged(ordered), averaged(drawn), worded], axis=1)


def _left_between_wordings(in_order: Values, drawn: Values) -> Values:
    """Return the variance that orders and draws leave in the difference between two wordings of each Case, halved.

    All wordings are shown in the same orders, so what an order adds to all of them cancels: what is left is the
    interaction of wording and order, with the draws in it.

    `in_order` is the mean over draws, float64[case, wording, order]; `drawn` what these leave in it, float64[case].
    """
    _, wordings, orders = in_order.shape
    if orders == 1:
        return drawn
    own = in_order - in_order.mean(axis=1, keepdims=True) - in_order.mean(axis=2, keepdims=True)
    interaction = (own + in_order.mean(axis=(1, 2), keepdims=True)) ** 2
    return interaction.sum(axis=(1, 2)) / ((wordings - 1) * (orders - 1)) / orders


def _variance_of_mean(values: Values, clusters: NDArray[np.intp], weights: Values) -> Values:
    """Return the cluster-robust variance of the mean of each column of `values`, float64[replica, column].

    `weights[replica, case]` say how often each Case is counted, all Cases of a user alike.
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
    subject = "wordings" if component.source == "wordings" else f"{component.source}, of one Case"
    moves = f"{component.source}: {headline} moves by ±"
    return [
        AuditRow(f"{subject}: variance", component.variance, component.ci95, component.cases),
        AuditRow(moves, component.moves, component.moves_ci95, component.cases),
    ]


def _sentence(components: Sequence[Component], headline: str) -> str:
    total = sum(one.of_mean for one in components)
    if not total:
        return f"No part of the spread of {headline} can be told from zero."
    shares = [f"{one.of_mean / total:.0%}" for one in components]
    shares[0] += " of the variance"
    parts = [
        f"±{number(one.moves)} {SAID[one.source]} ({between(one.moves_ci95)}; {share})"
        for one, share in zip(components, shares, strict=True)
    ]
    return f"{headline} would move by {', '.join(parts)}."
