"""`paraphrase`: does the wording matter? Each Case is asked in several wordings of one prompt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit, AuditRow
from llmrank.audit.options import SHIPPED, ParaphraseOptions
from llmrank.audit.plan import AuditPlan, Change, as_it_is, asking, template_of
from llmrank.errors import InputError
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import asked_template
from llmrank.prompting import PromptTemplate, shipped_wordings
from llmrank.run import Run
from llmrank.run.tables import number
from llmrank.stats import Values

TEXT = frozenset({"name", "description", "provenance"})
"""The front-matter keys in which wordings may differ."""


def plan_paraphrase(evaluation: Evaluation, options: ParaphraseOptions) -> AuditPlan:
    """Return the plan, with the prompt itself first; raises InputError like `changing_wording`."""
    return AuditPlan(changing_wording(evaluation, "paraphrase", options.wording), paraphrase)


def changing_wording(
    evaluation: Evaluation, audit: str, wordings: Sequence[str | Path | PromptTemplate]
) -> Mapping[str, Change]:
    """Return the change to each wording, by name of its template; the prompt's own comes first, unchanged.

    Raises InputError if there is no other wording, if one differs from the prompt in more than its words, or if two
    have the same name.
    """
    own = template_of(evaluation, audit)
    changes: dict[str, Change] = {own.name: as_it_is}
    for wording in _others(own, wordings):
        template = _template(evaluation, wording)
        _refuse_other(own, template)
        if template.name in changes:
            problem = f"two wordings are called {template.name!r}, the second in {template.path}"
            raise InputError(problem, field="wording", hint="give each its own name")
        named = None if isinstance(wording, PromptTemplate) else wording
        changes[template.name] = partial(asking, template=template, prompt=named)
    return changes


def _others(own: PromptTemplate, wordings: Sequence[str | Path | PromptTemplate]) -> list[str | Path | PromptTemplate]:
    """Return the wordings, with `shipped` replaced by those that come with llmrank; raises InputError for none."""
    known = shipped_wordings()
    shipped = known.get(own.name, ())
    if not wordings or (SHIPPED in wordings and not shipped):
        problem = f"there is no other wording of {own.name} to compare with"
        hint = f"write one: --wording mine.jinja; llmrank has wordings of {', '.join(known)}"
        raise InputError(problem, field="wording", hint=hint)
    return [other for one in wordings for other in (shipped if one == SHIPPED else (one,))]


def _template(evaluation: Evaluation, wording: str | Path | PromptTemplate) -> PromptTemplate:
    """Return the checked template of a wording, with the settings applied to its keys."""
    given = isinstance(wording, PromptTemplate)
    settings = asking(evaluation, prompt=None if given else wording).setup.prompt
    template = asked_template(settings, wording if given else None)
    assert template is not None, "the prompt itself is asked with the same settings"
    return template


def _refuse_other(own: PromptTemplate, other: PromptTemplate) -> None:
    """Raise InputError if the two differ in more than their words."""
    mine, theirs = own.front.model_dump(), other.front.model_dump()
    for key in mine:
        if key not in TEXT and mine[key] != theirs[key]:
            its, not_this = ("not given" if one is None else repr(one) for one in (theirs[key], mine[key]))
            problem = f"{other.name} is not a wording of {own.name}: its {key!r} is {its}, not {not_this}"
            hint = "let only the texts differ, name other wordings, or compare Runs with `llmrank compare`"
            raise InputError(problem, path=other.path, field=key, hint=hint)


def paraphrase(runs: Mapping[str, Run]) -> Audit:
    """Return the headline measure under each wording, the spread over wordings, and the differences from the prompt.

    The spread is the standard deviation of the wordings' values. Even equivalent wordings get different answers, so it
    is never zero: `chance` is the spread expected from the users' differences alone. Another row gives the standard
    error of each value over users. The differences are paired on users. Further rows give Kendall's tau of the ranks,
    the overlap of the tops, and the share of unreadable answers, which count as worst. The Runs are by name of the
    wording, the prompt itself first.

    Raises InputError if no relevant item is known, or if the Runs have no Case in common.
    """
    own = next(iter(runs))
    # The name of a shipped wording begins with that of its template.
    found = Contrast.of(runs, lambda name: name.removeprefix(f"{own}-"))
    spread, error = _spread(found)
    return found.audit(
        "Does the wording of the prompt affect the ranking?",
        lambda name: f"the wording {found.said(name)} instead of {own}",
        more=(spread, error),
        remark=f" The standard deviation over wordings is {number(spread.value)} ({number(spread.chance)} is expected "
        f"if all are equally good); the standard error of one wording over users is {number(error.value)}.",
    )


def _spread(found: Contrast) -> tuple[AuditRow, AuditRow]:
    """Return the standard deviation over wordings, with an interval over users, and the standard error over users.

    Both the wordings' values and their resampling add the variance that the users' differences cause. The interval is
    without it: it begins at 0 if the wordings may be equally good.
    """
    measured, users = found.measured()
    values, clusters = measured.T, stats.clusters_of(users)

    def variance(weights: Values) -> Values:
        return (weights @ values / weights.sum(axis=1, keepdims=True)).var(axis=1, ddof=1)

    cases, wordings = values.shape
    own = values - values.mean(axis=1, keepdims=True)
    noise = sum(_error(own[:, at], clusters) ** 2 for at in range(wordings)) / (wordings - 1)
    resampled = stats.bootstrap(variance, clusters) - 2 * noise
    ends = stats.percentile_interval(np.sqrt(np.maximum(resampled, 0)), len(np.unique(clusters)))
    error = math.sqrt(sum(_error(column, clusters) ** 2 for column in values.T) / wordings)
    value, chance = math.sqrt(variance(np.ones((1, cases)))[0]), stats.finite(math.sqrt(noise))
    return (
        AuditRow("standard deviation over wordings", value, stats.finite_pair(*ends), cases, chance),
        AuditRow("standard error of one wording over users", stats.finite(error), None, cases),
    )


def _error(values: Values, clusters: NDArray[np.intp]) -> float:
    """Return the standard error of the mean over users."""
    sums, counts = stats.by_cluster(values, clusters)
    return stats.spread(sums, counts) / math.sqrt(len(sums))
