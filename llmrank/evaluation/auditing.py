"""Audits that ask the model: the same Cases evaluated again and again, each time changed in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from llmrank.audit import READS_RUNS, Audit
from llmrank.errors import InputError, nearest
from llmrank.evaluation.audits.history import plan_history
from llmrank.evaluation.audits.identifiers import plan_identifiers
from llmrank.evaluation.audits.injection import plan_injection
from llmrank.evaluation.audits.memorisation import plan_memorisation
from llmrank.evaluation.audits.options import OPTIONS, AuditName
from llmrank.evaluation.audits.paraphrase import plan_paraphrase
from llmrank.evaluation.audits.plan import AuditPlan
from llmrank.evaluation.audits.prior import plan_prior
from llmrank.evaluation.audits.thinking import plan_thinking
from llmrank.evaluation.audits.variance import plan_variance
from llmrank.evaluation.cases import CaseSource
from llmrank.evaluation.evaluate import CostEstimate, Evaluation, compose
from llmrank.evaluation.settings import gather, settings_of
from llmrank.run import Run

PLANS: Mapping[AuditName, Callable[[Evaluation, Any], AuditPlan]] = {
    "history": plan_history,
    "injection": plan_injection,
    "prior": plan_prior,
    "identifiers": plan_identifiers,
    "memorisation": plan_memorisation,
    "paraphrase": plan_paraphrase,
    "thinking": plan_thinking,
    "variance": plan_variance,
}
"""What each audit asks, of an evaluation and its own record of `OPTIONS`; raises InputError where that says nothing."""


@dataclass(frozen=True, slots=True)
class AuditEvaluation:
    """What an audit evaluates: one evaluation, changed in each of several ways."""

    name: AuditName
    evaluation: Evaluation
    """As it is."""
    plan: AuditPlan

    def changed(self, variant: str) -> Evaluation:
        """Return the evaluation that the variant of this name is."""
        return self.plan.changes[variant](self.evaluation)

    def run(self, out: str | Path | None = None) -> dict[str, Run]:
        """Evaluate each variant in the folder of its name under `out`, and return the Runs by that name.

        All of them share one session: the model is loaded once, and the limits hold for all together. Raises what
        `evaluate` raises.
        """
        runs: dict[str, Run] = {}
        with self.evaluation.session() as session:
            for name in self.plan.changes:
                self.plan.refuse(session.backend)
                self.evaluation.reporter.message(f"{self.name}: {name} ({len(runs) + 1} of {len(self.plan.changes)})")
                runs[name] = self.changed(name).run(None if out is None else Path(out) / name, session)
        return runs

    def estimate(self) -> CostEstimate:
        """Return what `run` would ask for all variants together. No request is sent."""
        with self.evaluation.session() as session:
            self.plan.refuse(session.backend)
            return reduce(add, (self.changed(name).estimate(session) for name in self.plan.changes))

    def audit(self, runs: Mapping[str, Run]) -> Audit:
        """Return what the Runs of the variants say."""
        return self.plan.read(runs)


def compose_audit(
    name: AuditName,
    cases: CaseSource,
    **arguments: Any,  # noqa: ANN401 - checked by `compose`
) -> AuditEvaluation:
    """Return what `run_audit` evaluates with these arguments; raises InputError where that would say nothing."""
    if name not in PLANS:
        hint, near = f"use one of {', '.join(PLANS)}", nearest(name, PLANS)
        if name in READS_RUNS:
            hint, near = f"it reads a finished Run: `from llmrank.audit import {name}`, then {name}(run)", ""
        raise InputError(f"no audit {name!r} asks the model{near}", field="name", hint=hint)
    names = {one: [setting.name for setting in settings_of(options)] for one, options in OPTIONS.items()}
    own = {setting: arguments.pop(setting) for setting in names[name] if setting in arguments}
    options = gather(OPTIONS[name], own)
    for setting in arguments:
        if whose := [one for one in PLANS if setting in names[one]]:
            hint = f"leave it out: it belongs to {' and '.join(whose)}"
            raise InputError(f"{name} has no such option", field=setting, hint=hint)
    evaluation = compose(cases, beside=names[name], **arguments)
    if evaluation.cases.task != "ranking":
        raise InputError(f"{name} audits rankings", field="prompt", hint="choose a prompt that ranks candidates")
    return AuditEvaluation(name, evaluation, PLANS[name](evaluation, options))


def run_audit(
    name: AuditName,
    cases: CaseSource,
    *,
    out: str | Path | None = None,
    **arguments: Any,  # noqa: ANN401 - checked by `compose`
) -> Audit:
    """Ask the model about the same Cases, changed in several ways, and return what that says of the method.

    The same call again continues an audit that was stopped, and returns one that is done at no cost.

    Args:
        name: `history`: what is the user's history worth, and does its order matter? `injection`: how many ranks does a
            candidate gain whose title asks to be first? `prior`: do identifier and place alone decide? `identifiers`:
            does what an item is called decide? `memorisation`: does the model know the data set by heart?
            `paraphrase`: does the wording decide? `thinking`: does it rank better when it reasons first? `variance`:
            how far would the number move if it were measured again?
        cases: What `evaluate` takes.
        out: Folder that gets a Run per variant; None: each has one of its own under `results/`.
        arguments: The audit's own options (see `llmrank.evaluation.audits.options`), such as `last=5` for `history`
            or `wording=["mine.jinja"]` for `paraphrase`, and the other arguments of `evaluate`. The limits hold for all
            variants together.

    Raises:
        InputError: the audit would say nothing about this method or these Cases; and as `evaluate`.
        MissingError, BoundReachedError, KeyboardInterrupt: as `evaluate`.
    """
    audit = compose_audit(name, cases, **arguments)
    return audit.audit(audit.run(out))
