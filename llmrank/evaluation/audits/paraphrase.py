"""`paraphrase`: each Case asked in several wordings of one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from llmrank.audit import paraphrase
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import ParaphraseOptions
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, asking, template_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import asked_template
from llmrank.prompting import PromptTemplate

TEXT = frozenset({"name", "description", "provenance"})
"""The keys of the front matter that say nothing about what is asked."""


def plan_paraphrase(evaluation: Evaluation, options: ParaphraseOptions) -> AuditPlan:
    """Return what is asked: the prompt itself first; raises InputError for no wording, or one that is none of it."""
    if not options.wording:
        hint = "name at least one more template: --wording mine.jinja"
        raise InputError("there is no other wording to compare with", field="wording", hint=hint)
    return AuditPlan(changing_wording(evaluation, "paraphrase", options.wording), paraphrase)


def changing_wording(
    evaluation: Evaluation, audit: str, wordings: Sequence[str | Path | PromptTemplate]
) -> Mapping[str, Change]:
    """Return the changes to each wording, by the name of its template; the prompt's own, which comes first, is none.

    Raises InputError for a wording that asks for something else than the prompt does, and for two of one name.
    """
    own = template_of(evaluation, audit)
    changes: dict[str, Change] = {own.name: as_it_is}
    for wording in wordings:
        template = _template(evaluation, wording)
        _refuse_other(own, template)
        if template.name in changes:
            problem = f"two wordings are called {template.name!r}"
            raise InputError(problem, path=template.path, field="wording", hint="give each another name")
        named = None if isinstance(wording, PromptTemplate) else wording
        changes[template.name] = partial(asking, template=template, prompt=named)
    return changes


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
                hint="let the two differ in their texts alone, or compare two Runs: `llmrank compare`",
            )


def _shown(value: object) -> str:
    return "not given" if value is None else f"{value!r}"
