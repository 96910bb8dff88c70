"""`paraphrase`: each Case asked in several wordings of one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from llmrank.audit import paraphrase
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import SHIPPED, ParaphraseOptions
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, asking, template_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import asked_template
from llmrank.prompting import PromptTemplate, shipped_wordings

TEXT = frozenset({"name", "description", "provenance"})
"""The keys of the front matter that say nothing about what is asked."""


def plan_paraphrase(evaluation: Evaluation, options: ParaphraseOptions) -> AuditPlan:
    """Return what is asked: the prompt itself first; raises InputError as `changing_wording`."""
    return AuditPlan(changing_wording(evaluation, "paraphrase", options.wording), paraphrase)


def changing_wording(
    evaluation: Evaluation, audit: str, wordings: Sequence[str | Path | PromptTemplate]
) -> Mapping[str, Change]:
    """Return the changes to each wording, by the name of its template; the prompt's own, which comes first, is none.

    Raises InputError where there is no other wording, for one that asks for something else than the prompt does, and
    for two of one name.
    """
    own = template_of(evaluation, audit)
    changes: dict[str, Change] = {own.name: as_it_is}
    for wording in _others(own, wordings):
        template = _template(evaluation, wording)
        _refuse_other(own, template)
        if template.name in changes:
            problem = f"two wordings are called {template.name!r}"
            raise InputError(problem, path=template.path, field="wording", hint="give each another name")
        named = None if isinstance(wording, PromptTemplate) else wording
        changes[template.name] = partial(asking, template=template, prompt=named)
    return changes


def _others(own: PromptTemplate, wordings: Sequence[str | Path | PromptTemplate]) -> list[str | Path | PromptTemplate]:
    """Return the wordings, with those that come with llmrank in the place of `shipped`; raises InputError for none."""
    known = shipped_wordings()
    shipped = known.get(own.name, ())
    if not wordings or (SHIPPED in wordings and not shipped):
        problem = f"there is no other wording of {own.name} to compare with"
        hint = f"write one: --wording mine.jinja; llmrank has wordings of {', '.join(known)}"
        raise InputError(problem, field="wording", hint=hint)
    return [other for one in wordings for other in (shipped if one == SHIPPED else (one,))]


def _template(evaluation: Evaluation, wording: str | Path | PromptTemplate) -> PromptTemplate:
    """Return the template of a wording, with what the settings say in the place of its keys, checked."""
    given = isinstance(wording, PromptTemplate)
    settings = asking(evaluation, prompt=None if given else wording).setup.prompt
    template = asked_template(settings, wording if given else None)
    assert template is not None, "the prompt itself is asked with the same settings"
    return template


def _refuse_other(own: PromptTemplate, other: PromptTemplate) -> None:
    """Raise InputError where the two differ in more than their words."""
    mine, theirs = own.front.model_dump(), other.front.model_dump()
    for key in mine:
        if key not in TEXT and mine[key] != theirs[key]:
            raise InputError(
                f"{other.name} is no wording of {own.name}: its {key!r} is {_shown(theirs[key])}, not "
                f"{_shown(mine[key])}",
                path=other.path,
                field=key,
                hint="let the two differ in their texts alone, name other wordings, or compare Runs: `llmrank compare`",
            )


def _shown(value: object) -> str:
    return "not given" if value is None else f"{value!r}"
