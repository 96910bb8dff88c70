"""Audits with model calls: the same Cases are evaluated several times, each time with one change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Literal, cast

from llmrank.audit import READS_RUNS, Audit
from llmrank.audit.consistency import consistency, plan_consistency
from llmrank.audit.history import plan_history
from llmrank.audit.identifiers import plan_identifiers
from llmrank.audit.injection import plan_injection
from llmrank.audit.memorisation import plan_memorisation
from llmrank.audit.options import OPTIONS, AuditName
from llmrank.audit.paraphrase import plan_paraphrase
from llmrank.audit.plan import AuditPlan
from llmrank.audit.popularity import popularity
from llmrank.audit.position import plan_position, position
from llmrank.audit.prior import plan_prior
from llmrank.audit.thinking import plan_thinking
from llmrank.audit.variance import plan_variance, variance_of_runs
from llmrank.errors import InputError, nearest
from llmrank.evaluation.cases import CaseSource
from llmrank.evaluation.evaluate import CostEstimate, Evaluation, compose
from llmrank.evaluation.settings import gather, settings_of
from llmrank.run import Run

PLANS: Mapping[AuditName, Callable[[Evaluation, Any], AuditPlan]] = {
    "position": plan_position,
    "consistency": plan_consistency,
    "history": plan_history,
    "injection": plan_injection,
    "prior": plan_prior,
    "identifiers": plan_identifiers,
    "memorisation": plan_memorisation,
    "paraphrase": plan_paraphrase,
    "thinking": plan_thinking,
    "variance": plan_variance,
}
"""The planner of each audit. It takes an evaluation and the audit's options, and raises InputError if they do not
suit the audit."""


@dataclass(frozen=True, slots=True)
class AuditEvaluation:
    """An audit that is ready to run: an evaluation and its variants."""

    name: AuditName
    evaluation: Evaluation
    """The unchanged evaluation."""
    plan: AuditPlan

    def changed(self, variant: str) -> Evaluation:
        """Return the evaluation of this variant."""
        return self.plan.changes[variant](self.evaluation)

    def run(self) -> dict[str, Run]:
        """Evaluate each variant in its own folder under the evaluation's `out`, and return the Runs by variant name.

        All variants share one session: the model is loaded once, and the limits apply to their total. Raises what
        `evaluate` raises.
        """
        runs, out = dict[str, Run](), self.evaluation.out
        with self.evaluation.session() as session:
            for name in self.plan.changes:
                self.plan.refuse(session.backend)
                self.evaluation.reporter.message(f"{self.name}: {name} ({len(runs) + 1} of {len(self.plan.changes)})")
                runs[name] = replace(self.changed(name), out=out and out / name).run(session)
        return runs

    def estimate(self) -> CostEstimate:
        """Estimate the calls and cost of all variants together. Sends no requests."""
        with self.evaluation.session() as session:
            self.plan.refuse(session.backend)
            return reduce(add, (self.changed(name).estimate(session) for name in self.plan.changes))

    def audit(self, runs: Mapping[str, Run]) -> Audit:
        """Return the findings from the Runs of the variants."""
        return self.plan.read(runs)


def compose_audit(name: AuditName, cases: CaseSource, **arguments: Any) -> AuditEvaluation:
    """Build an audit from the arguments of `run_audit`. Raises InputError if they do not suit the audit."""
    if name not in PLANS:
        hint, near = f"use one of {', '.join(PLANS)}", nearest(name, PLANS)
        if name in READS_RUNS:
            hint, near = f"it needs only a finished Run: run_audit({name!r}, run)", ""
        raise InputError(f"no audit {name!r} with model calls{near}", field="name", hint=hint)
    names = {one: [setting.name for setting in settings_of(options)] for one, options in OPTIONS.items()}
    own = {setting: arguments.pop(setting) for setting in names[name] if setting in arguments}
    options = gather(OPTIONS[name], own)
    for setting in arguments:
        if whose := [one for one in PLANS if setting in names[one]]:
            hint = f"omit it; it belongs to {' and '.join(whose)}"
            raise InputError(f"{name} has no such option", field=setting, hint=hint)
    evaluation = compose(cases, beside=names[name], scored=False, **arguments)
    if evaluation.cases.task != "ranking":
        raise InputError(f"{name} audits only rankings", field="prompt", hint="choose a prompt that ranks candidates")
    return AuditEvaluation(name, evaluation, PLANS[name](evaluation, options))


def audit_runs(name: str, runs: Sequence[Run]) -> Audit:
    """Return what an audit finds in finished Runs: `consistency` and `variance` in several, the others in one.

    Raises InputError for any other audit, for another number of Runs, and for Runs that it cannot read.
    """
    if name not in READS_RUNS:
        hint = "give it the Cases, and the settings of the method"
        raise InputError(f"{name} calls the model, which finished Runs do not", field="cases", hint=hint)
    several = {"consistency": consistency, "variance": variance_of_runs}.get(name)
    if (len(runs) > 1) != (several is not None):
        number = "at least two Runs" if several else "one Run"
        raise InputError(f"{name} needs {number}, got {len(runs)}", field="cases", hint=f"name {number}")
    if several:
        return several(*runs)
    return position(runs[0]) if name == "position" else popularity(runs[0])


def run_audit(
    name: AuditName | Literal["popularity"],
    cases: CaseSource | Run | Sequence[Run],
    *,
    out: str | Path | None = None,
    **arguments: Any,
) -> Audit:
    """Evaluate variants of the same Cases, and return the findings about the method.

    Repeating the call continues a stopped audit, or returns a finished one without new model calls. Finished Runs are
    only read, without model calls: by `position` and `popularity` (does the method favour popular items?) one Run, by
    `consistency` and `variance` several.

    Args:
        name: `position`: does the position in the prompt affect the ranking? `consistency`: does the method give the
            same ranking in another order? `history`: how much is the user's history worth, and does its order matter?
            `injection`: how many ranks does a candidate gain if its title asks to be first? `prior`: do identifier and
            position alone affect the ranking? `identifiers`: does the identifier scheme affect it? `memorisation`: has
            the model memorised the dataset? `paraphrase`: does the wording of the prompt affect the ranking?
            `thinking`: does reasoning improve it? `variance`: how much would the result vary if it were measured again?
        cases: The Cases, as for `evaluate`; or finished Runs.
        out: Folder that holds one Run per variant; None: one folder per Run under `results/`.
        arguments: The audit's own options (see `llmrank.audit.options`), such as `last=5` for `history`
            or `wording=["mine.jinja"]` for `paraphrase`, and the other arguments of `evaluate`. The limits apply to
            all variants together.

    Raises:
        InputError: the audit does not suit this method or these Cases; and as `evaluate`.
        MissingError, BoundReachedError, KeyboardInterrupt: as `evaluate`.
    """
    runs = [one for one in (cases if isinstance(cases, list | tuple) else [cases]) if isinstance(one, Run)]
    if runs:
        for setting in [*arguments, *(["out"] if out is not None else [])]:
            raise InputError("it has no effect on a finished Run", field=setting, hint="omit it, or give Cases")
        return audit_runs(name, runs)
    audit = compose_audit(cast("AuditName", name), cast("CaseSource", cases), out=out, **arguments)
    return audit.audit(audit.run())
