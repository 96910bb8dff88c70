"""Audits that ask the model: the same Cases evaluated again and again, each time changed in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from llmrank.audit import (
    Audit,
    Variants,
    history,
    history_variants,
    injection,
    injection_variants,
    prior,
    prior_variants,
)
from llmrank.audit.prior import PRIOR
from llmrank.errors import InputError, nearest
from llmrank.evaluation.cases import CaseSet, Source, cases_hash
from llmrank.evaluation.evaluate import CostEstimate, Evaluation, compose
from llmrank.rankers.order import Order
from llmrank.run import Run
from llmrank.types import Case, Item

AuditName = Literal["history", "injection", "prior"]
NAMES: tuple[AuditName, ...] = get_args(AuditName)


@dataclass(frozen=True, slots=True)
class AuditEvaluation:
    """What an audit evaluates: the same Cases, changed in each of several ways."""

    name: AuditName
    evaluation: Evaluation
    """Of the Cases as they are."""
    variants: Variants

    def run(self, out: str | Path | None = None) -> dict[str, Run]:
        """Evaluate each variant in the folder of its name under `out`, and return the Runs by that name.

        All of them share one session: the model is loaded once, and the limits hold for all together. Raises what
        `evaluate` raises.
        """
        runs: dict[str, Run] = {}
        with self.evaluation.session() as session:
            for name in self.variants:
                self.evaluation.reporter.message(f"{self.name}: {name} ({len(runs) + 1} of {len(self.variants)})")
                changed = replace(self.evaluation, cases=self._changed(name))
                runs[name] = changed.run(None if out is None else Path(out) / name, session)
        return runs

    def estimate(self) -> CostEstimate:
        """Return what `run` would ask for all variants together. No request is sent."""
        cases = self.evaluation.cases
        everything = tuple(case for name in self.variants for case in self._changed(name))
        return replace(self.evaluation, cases=replace(cases, cases=everything)).estimate()

    def audit(self, runs: Mapping[str, Run]) -> Audit:
        """Return what the Runs of the variants say."""
        match self.name:
            case "history":
                return history(runs)
            case "injection":
                return injection(runs)
            case "prior":
                return prior(runs[PRIOR])

    def _changed(self, name: str) -> CaseSet:
        cases = self.evaluation.cases
        changed = tuple(map(self.variants[name], cases))
        if changed == cases.cases:
            return cases  # the Run that `eval` makes
        note = f"The Cases are changed for the audit {self.name}: {name}."
        # The hash: another version of llmrank may change them otherwise, and must not continue this Run.
        settings = {**cases.settings, "variant": f"{self.name}: {name}", "variant_sha256": cases_hash(changed)}
        return replace(cases, cases=changed, notes=(*cases.notes, note), settings=settings)


def compose_audit(
    name: AuditName,
    cases: Source,
    *,
    last: int | None = None,
    **arguments: Any,  # noqa: ANN401 - checked by `compose`
) -> AuditEvaluation:
    """Return what `run_audit` evaluates with these arguments; raises InputError where that would say nothing."""
    if name not in NAMES:
        hint = f"use one of {', '.join(NAMES)}; `llmrank.audit` has those that read finished Runs"
        raise InputError(f"no audit {name!r} asks the model{nearest(name, NAMES)}", field="name", hint=hint)
    if last is not None and name != "history":
        raise InputError(f"{name} changes no history", field="last", hint="leave it out")
    evaluation = compose(cases, **arguments)
    if evaluation.cases.task != "ranking":
        raise InputError(f"{name} audits rankings", field="prompt", hint="choose a prompt that ranks candidates")
    seed = evaluation.cases.seed
    match name:
        case "history":
            variants = history_variants(evaluation.cases, seed, _shown(evaluation), last)
        case "injection":
            _refuse_unnamed(evaluation, "an answer could name the item without the attack, and would not be read")
            variants = injection_variants(seed, _answer_line(evaluation))
        case "prior":
            _refuse_unnamed(evaluation, "candidates that all look alike cannot be named")
            _refuse_content(evaluation)
            variants = prior_variants()
    return AuditEvaluation(name, evaluation, variants)


def run_audit(
    name: AuditName,
    cases: Source,
    *,
    last: int | None = None,
    out: str | Path | None = None,
    **arguments: Any,  # noqa: ANN401 - checked by `compose`
) -> Audit:
    """Ask the model about the same Cases, changed in several ways, and return what that says of the method.

    The same call again continues an audit that was stopped, and returns one that is done at no cost.

    Args:
        name: `history`: what is the user's history worth, and does its order matter? `injection`: how many ranks does a
            candidate gain whose title asks to be first? `prior`: do identifier and place alone decide?
        cases: What `evaluate` takes.
        last: `history` only: also ask with the newest events alone, so many of them.
        out: Folder that gets a Run per variant; None: each has one of its own under `results/`.
        arguments: The other arguments of `evaluate`. The limits hold for all variants together.

    Raises:
        InputError: the audit would say nothing about this method or these Cases; and as `evaluate`.
        MissingError, BoundReachedError, KeyboardInterrupt: as `evaluate`.
    """
    audit = compose_audit(name, cases, last=last, **arguments)
    return audit.audit(audit.run(out))


def _shown(evaluation: Evaluation) -> Callable[[Case], int]:
    """Return what says how many events of a Case the prompt shows; all, for a method without a template.

    Raises InputError where none are shown.
    """
    template, view = evaluation.setup.template, evaluation.setup.prompt.view
    if template is None:
        return lambda case: len(case.history)
    if not any(template.shown_events(case, view) for case in evaluation.cases):
        raise InputError("the prompt shows no history", field="history", hint="leave --no-history and --history 0 out")
    return lambda case: template.shown_events(case, view)


def _refuse_unnamed(evaluation: Evaluation, why: str) -> None:
    """Raise InputError for a prompt that shows no candidates, or whose answer names them by title."""
    template, view = evaluation.setup.template, evaluation.setup.prompt.view
    if template is None or template.front.about_one_item:
        return
    if template.front.candidates == "catalogue":
        hint = "choose a prompt that shows the candidates, such as palr"
        raise InputError(f"{template.name} shows no candidates", field="prompt", hint=hint)
    if (view.ids or template.front.ids) == "titles":
        hint = "show identifiers: --ids numbers, or letters"
        raise InputError(f"{template.name} asks for titles: {why}", field="ids", hint=hint)


def _refuse_content(evaluation: Evaluation) -> None:
    """Raise InputError for settings that show more of a candidate than identifier and place, or fix the place."""
    prompt = evaluation.setup.prompt
    if prompt.view.show_scores:
        raise InputError("recall scores are content", field="show_scores", hint="leave --show-scores out")
    if prompt.order != "shuffled":
        hint = "use --order shuffled: only there is the place a matter of chance"
        raise InputError(f"the order is {prompt.order}", field="order", hint=hint)


def _answer_line(evaluation: Evaluation) -> Callable[[Case, Item], str]:
    """Return what says how an answer would rank an item first, by the identifier that it has in the whole list."""
    template, view = evaluation.setup.template, evaluation.setup.prompt.view
    if template is None:
        return lambda _, item: item.title
    answer, order = template.answer_for(view.ids), Order.parse(evaluation.setup.prompt.order, evaluation.cases.seed)
    high = (template.front.scale or evaluation.cases.training.scale)[1]

    def line(case: Case, item: Item) -> str:
        if template.front.about_one_item:
            return "Yes" if answer == "yes_no" else f"{high:g}"
        question = template.question(order.arrange(case), view)
        identifier = question.identifiers[question.items.index(item)]
        forms = {"permutation": f"[{identifier}] >", "json": f'{{"ranking": ["{identifier}"]}}'}
        return forms.get(answer, identifier)

    return line
