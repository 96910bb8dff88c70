"""`thinking`: does the model rank better when it reasons first, and at what cost? Each Case is asked both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import comb, nan

from llmrank.audit.contrast import Contrast
from llmrank.audit.finding import Audit, AuditRow, mean_row
from llmrank.audit.options import ThinkingOptions
from llmrank.audit.plan import AuditPlan, Change, as_it_is, asking, template_of
from llmrank.errors import InputError, count_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import check_prompt
from llmrank.measures.judgements import tie_spans
from llmrank.prompting import PromptTemplate, parse_thinking
from llmrank.run import CaseRecord, Run
from llmrank.types import Backend, Ranking

OFF = "off"
NO_SWITCH = (
    "use a model whose reasoning can be switched on and off, such as one whose chat template knows `enable_thinking`"
)


def plan_thinking(evaluation: Evaluation, options: ThinkingOptions) -> AuditPlan:
    """Return the plan, with `off` first.

    Raises InputError for a prompt whose first token is read or whose answer is constrained, and for `--thinking`.
    """
    template = template_of(evaluation, "thinking")
    if evaluation.setup.prompt.thinking is not None:
        hint = "leave it out; --budget adds a budget"
        raise InputError("the audit asks with thinking off and on", field="thinking", hint=hint)
    texts = (OFF, "on", *map(str, options.budget))
    return AuditPlan({text: _thinking(template, text) for text in texts}, thinking, refuse_unswitched)


def refuse_unswitched(backend: Backend) -> None:
    """Raise InputError if the model's reasoning is known not to be switchable."""
    if backend.switches_thinking() is False:
        name = backend.identity.get("model", "the model")
        raise InputError(f"the reasoning of {name} cannot be switched on and off", field="model", hint=NO_SWITCH)


def _thinking(template: PromptTemplate, text: str) -> Change:
    changed = template.override(thinking=parse_thinking(text))
    if changed.front.thinking == template.front.thinking:
        return as_it_is
    try:
        check_prompt(changed)
    except InputError as error:
        hint = "choose a prompt whose answer is read as text, such as rankgpt"
        raise InputError(f"{template.name}: {error.problem}", field="prompt", hint=hint) from error
    return partial(asking, template=changed, thinking=text)


def thinking(runs: Mapping[str, Run]) -> Audit:
    """Return the headline measure without reasoning, with it, and with budgets, and the cost of the reasoning.

    The differences from no reasoning are paired on users. Further rows give the share of candidate pairs that are tied;
    completion tokens, reasoning tokens and seconds per call, averaged over Cases; Kendall's tau of the ranks, the
    overlap of the tops, and the share of unreadable answers, which count as worst. Seconds are the time the Run waited:
    concurrent calls slow each other down, stored answers take no time, and the first calls wait for a model in this
    process to start. The `off` Run comes first; the others are named by their `--thinking` value, `on` or a budget.

    Raises InputError if an endpoint rejected the switch, if no relevant item is known, or if the Runs have no Case in
    common.
    """
    conceded = _conceded(runs)
    found = Contrast.of(runs, _said)
    reasoned = any(record.usage.reasoning_tokens for name in found.others for record in runs[name].records.values())
    remark = "" if reasoned else " No reasoning tokens were counted: the model may have no switch for its reasoning."
    remark += "".join(f" {sentence}" for sentence in conceded)
    return found.audit("Does reasoning improve the ranking?", _subject, _costs(found), remark)


def _conceded(runs: Mapping[str, Run]) -> list[str]:
    """Return sentences on settings that an endpoint did not apply as requested.

    Raises InputError for a Run of an endpoint that rejected the switch.
    """
    said: dict[str, None] = {}
    for run in runs.values():
        for endpoint in (session.get("endpoint", {}) for session in run.sessions):
            left_out, replaced = endpoint.get("left_out", ()), endpoint.get("replaced", {})
            if "reasoning_effort" in left_out:
                raise InputError(
                    "the endpoint does not accept reasoning_effort", path=run.path, field="model", hint=NO_SWITCH
                )
            if "thinking_token_budget" in left_out:
                said["The endpoint does not accept a token budget."] = None
            if effort := replaced.get("reasoning_effort"):
                said[f"The endpoint does not accept the effort `none`: `off` means {effort}."] = None
    return [*said]


def _costs(found: Contrast) -> list[AuditRow]:
    """Return ties, tokens and seconds under each variant."""

    def rows(name: str, bounds: tuple[float, float] | None, value: Callable[[CaseRecord], float]) -> list[AuditRow]:
        values = {_said(one): [value(run.records[c.case_id]) for c in found.cases] for one, run in found.runs.items()}
        return [mean_row(f"{name}, {said}", some, found.users, bounds) for said, some in values.items()]

    def per_call(record: CaseRecord, total: float) -> float:
        return total / len(record.requests) if record.requests else nan

    return [
        *rows("pairs of candidates tied", (0, 1), lambda record: _tied(record.ranking)),
        *rows("completion tokens per call", None, lambda record: per_call(record, record.usage.completion_tokens)),
        *rows("reasoning tokens per call", None, lambda record: per_call(record, record.usage.reasoning_tokens)),
        *rows("seconds per call", None, lambda record: per_call(record, record.seconds)),
    ]


def _tied(ranking: Ranking) -> float:
    """Return the share of candidate pairs that are tied; an unreadable answer ties all of them."""
    pairs = comb(len(ranking.order), 2)
    return sum(comb(size, 2) for _, size in tie_spans(ranking)) / pairs if pairs else nan


def _said(name: str) -> str:
    return f"budget {name}" if name.isdecimal() else name


def _subject(name: str) -> str:
    most = f" for at most {count_of(int(name), 'token')}" if name.isdecimal() else ""
    return f"thinking{most}"
