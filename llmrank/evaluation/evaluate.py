"""Evaluation: Cases ranked by a method, scored against what the users did next, and kept as a Run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmrank.engine import CaseResult, Estimate, Workload, planned_calls, rank_all, refuse_large_plan
from llmrank.engine import estimate as count_requests
from llmrank.errors import InputError, LlmrankError, TooManyErrorsError
from llmrank.evaluation.cases import CaseSet, Source, cases_of
from llmrank.evaluation.method import (
    Composer,
    ContextWindow,
    Method,
    check_prompt,
    needs_model,
    tasks_of,
    template_of,
    with_settings,
)
from llmrank.evaluation.session import Session, versions
from llmrank.evaluation.settings import (
    BaselineSettings,
    CaseSettings,
    Limits,
    ModelSettings,
    PromptSettings,
    flat,
    split_settings,
)
from llmrank.evaluation.trained import baseline_models, baseline_scores
from llmrank.measures import Measure
from llmrank.prices import Tariff
from llmrank.progress import Reporter, reporter_of
from llmrank.prompting import PromptTemplate
from llmrank.rankers.order import Order
from llmrank.recall import RecallModel
from llmrank.run import CaseRecord, Origin, Run, RunFolder, load_run
from llmrank.run.metrics import MetricSettings, case_measures, metrics, parse_measures
from llmrank.store import request_key
from llmrank.types import Backend, Case, Message, Ranker


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is evaluated, and with what."""

    cases: CaseSet
    prompt: PromptSettings
    model: ModelSettings
    limits: Limits
    measures: tuple[Measure, ...]
    template: PromptTemplate | None
    """None where the method asks with no template of ours."""
    ranker: Ranker | None
    """Used in the place of the one that the settings name."""
    backend: Backend | None
    """Asked in the place of the one that the settings name."""
    reporter: Reporter
    baselines: Sequence[RecallModel] = ()
    """Untrained recommenders that score the same candidates."""

    def run(self, out: Path | None = None) -> Run:
        """Rank every Case that the Run does not hold yet, and return the Run (see `evaluate`)."""
        trained = baseline_scores(self.baselines, self.cases, self.reporter.message)
        with self._session() as session:
            method = self.method(session.window)
            check_plan(self.cases, method, self.limits)
            session.check(method.ranker.needs(self._longest))
            settings: dict[str, object] = {
                **method.settings,
                **self.cases.settings,
                "evaluation": self.cases.evaluation,
                "measures": [str(measure) for measure in self.measures],
                "backend": dict(session.backend.identity),
                **({"baselines": {one.name: dict(one.settings) for one in self.baselines}} if self.baselines else {}),
            }
            origin = Origin("eval", {"prompt": flat(self.prompt)}, session.store.path)
            how = replace(metric_settings(self.cases, self.measures), trained=trained)
            prompt = method.prompt
            shots = {} if prompt is None else {case.case_id: prompt.shots(case) for case in self.cases}
            with RunFolder(out or default_folder(settings), settings, origin) as folder:
                folder.keep_inputs(self.cases.cases, how, shots)
                work = _rank_wanted(folder, self.cases.cases, method, self.measures, session, self.reporter)
                folder.finish(metrics(self.cases.cases, folder.records, how, session.budget.tariff), work)
        return load_run(folder.path)

    def estimate(self) -> CostEstimate:
        """Return what `run` would ask, what of it the Store has, and what the rest may cost. No request is sent."""
        with self._session() as session:
            method = self.method(session.window)
            session.check(method.ranker.needs(self._longest), ask=False)
            return CostEstimate.of(self.cases, method, session)

    def method(self, window: ContextWindow) -> Method:
        """Return how the Cases are ranked."""
        made = Composer(self.prompt, self.cases.training, self.cases.seed, window, domain=self.cases.domain)
        return made.method(self.template) if self.ranker is None else made.method_of(self.ranker)

    @property
    def _longest(self) -> int:
        return max((len(case.candidates) or 1 for case in self.cases), default=0)

    def _session(self) -> Session:
        if self.backend is None and self.ranker is None and self.template is None:
            return Session.without_model(say=self.reporter.message)
        return Session(self.model, self.limits, backend=self.backend, say=self.reporter.message)


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a run would ask, and what it may cost."""

    counted: Estimate
    exact: bool
    """Whether tokens were counted by the model's tokenizer; else they are estimated at 4 characters per token."""
    tariff: Tariff | None
    batch: bool

    @classmethod
    def of(cls, cases: Iterable[Case], method: Method, session: Session) -> CostEstimate:
        """Return the estimate for these Cases; the Store is read, and no request is sent."""
        backend, exact = session.backend, True

        def count(messages: Sequence[Message]) -> int:
            nonlocal exact
            if (counted := backend.count_tokens(messages)) is not None:
                return counted
            exact = False
            return sum(len(message.content) for message in messages) // 4

        counted = count_requests(
            cases,
            method.ranker,
            arrange=method.order.arrange,
            count_tokens=count,
            stored=lambda request: session.store.get(request_key(backend.identity, request)),
        )
        return cls(counted, exact, session.budget.tariff, session.budget.batch)

    def __str__(self) -> str:
        counted, tariff = self.counted, self.tariff
        estimated = "" if self.exact else " (estimated at 4 characters per token)"
        lines = [f"{counted.cases} cases, at most {_requests(counted.most)}{estimated}. Dry run: no requests sent."]
        if not counted.exact:
            lines.append(f"Likely: {_requests(counted.likely)}.")
        if counted.most_left != counted.most:
            stored = counted.most.requests - counted.most_left.requests
            left = _requests(counted.most_left)
            lines.append(f"The store has {stored:,} of the answers; left to ask: at most {left}.")
        if tariff is not None:
            price = tariff.price(batch=self.batch)
            how = " through the Batch API" if self.batch else ""
            line = f"At most {tariff.show(price.cost(counted.most_left.usage()))}{how}"
            if not counted.exact:
                line += f", likely {tariff.show(price.cost(counted.likely_left.usage()))}"
            if share := counted.cached_share:
                cached = tariff.show(price.cost(counted.most_left.usage(share)))
                line += f"; {cached} if, as in the stored answers, {share:.0%} of the prompt is cached"
            lines.append(f"{line} (prices of {tariff.dated}).")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        counted, share = self.counted, self.counted.cached_share
        price = self.tariff and self.tariff.price(batch=self.batch)
        return {
            "cases": counted.cases,
            **asdict(counted.most),
            "exact_prompt_tokens": self.exact,
            "left": asdict(counted.most_left),
            "likely": asdict(counted.likely),
            "likely_left": asdict(counted.likely_left),
            "cached_share": share,
            "most_cost": price and price.cost(counted.most_left.usage()),
            "likely_cost": price and price.cost(counted.likely_left.usage()),
            "most_cost_with_prefix_cache": price and share and price.cost(counted.most_left.usage(share)),
            "prices": self.tariff and self.tariff.to_dict(),
        }


def _requests(work: Workload) -> str:
    tokens = f"{work.prompt_tokens:,} prompt tokens, {work.completion_tokens:,} completion tokens"
    return f"{work.requests:,} requests, {tokens}"


def _rank_wanted(
    folder: RunFolder,
    cases: Sequence[Case],
    method: Method,
    measures: Sequence[Measure],
    session: Session,
    reporter: Reporter,
) -> dict[str, Any]:
    """Rank the Cases that the Run still wants, each in its file as it ends, and return what this session was.

    A session that is stopped (at a bound, by Ctrl-C, by a failure) is noted in the manifest all the same.
    """
    started, before = datetime.now(UTC), time.monotonic()
    wanted = [case for case in cases if folder.wants(case.case_id)]
    caller = session.caller()

    def keep(result: CaseResult) -> None:
        record = CaseRecord.of(result, case_measures(result.case, result.ranking, measures))
        folder.add(record)
        reporter.advance(str(record.ranking.outcome))

    def account() -> dict[str, Any]:
        return {
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - before, 3),
            "cases": len(wanted),
            "calls": caller.calls,
            **session.budget.to_dict(),
            **caller.account(),
            "versions": versions(),
        }

    if not wanted:
        return account()
    reporter.begin(len(cases), len(cases) - len(wanted), session.budget.describe)
    try:
        session.run_to_end(
            lambda stop: rank_all(wanted, method.ranker, caller, arrange=method.order.arrange, done=keep, stop=stop)
        )
    except (LlmrankError, KeyboardInterrupt) as error:
        folder.note(account() | {"stopped": type(error).__name__})
        raise
    finally:
        reporter.end()
    return account()


def compose(
    cases: Source,
    *,
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    ranker: str | Ranker | None = None,
    model: str | ModelSettings | None = None,
    limits: Limits | None = None,
    measures: str | Sequence[str | Measure] | None = None,
    backend: str | Backend | None = None,
    progress: bool | Reporter = True,
    **settings: Any,  # noqa: ANN401 - checked by name and type
) -> Evaluation:
    """Return the evaluation that these arguments of `evaluate` mean, its Cases loaded and its prompt checked.

    Raises InputError for arguments that contradict each other, and whatever `load_cases` raises.
    """
    reporter = reporter_of(progress)
    if isinstance(backend, str):
        settings = settings | {"backend": backend}
    records = (CaseSettings, PromptSettings, ModelSettings, Limits, BaselineSettings)
    by_kind: list[Any] = split_settings(settings, *records)
    case_settings, prompt_settings, model_settings, own_limits, beside = by_kind
    if isinstance(prompt, PromptSettings):
        prompt_settings = prompt
    elif isinstance(prompt, str | Path):
        prompt_settings = replace(prompt_settings, prompt=prompt)
    if isinstance(ranker, str):
        prompt_settings = replace(prompt_settings, ranker=ranker)
    if isinstance(model, ModelSettings):
        model_settings = model
    elif model is not None:
        model_settings = replace(model_settings, model=model)
    template = None
    if isinstance(prompt, PromptTemplate):
        template = check_prompt(with_settings(prompt, prompt_settings), prompt_settings.view)
    elif needs_model(prompt_settings) and (ranker is None or isinstance(ranker, str)):
        template = template_of(prompt_settings)
    Order.parse(prompt_settings.order)  # refuses a wrong one before anything is loaded
    tasks = tasks_of(prompt_settings, template)
    catalogue = template is not None and template.front.candidates == "catalogue"
    found = cases_of(cases, case_settings, tasks, catalogue=catalogue, say=reporter.message)
    if found.task not in tasks:
        raise InputError(
            f"these are Cases for a {found.task}, and the prompt asks for a {tasks[0]}",
            field="prompt",
            hint=f"load the Cases with task={tasks[0]!r}, or choose a prompt of the other task",
        )
    return Evaluation(
        cases=found,
        prompt=prompt_settings,
        model=model_settings,
        limits=limits or own_limits,
        measures=parse_measures(measure_list(measures), found.task),
        template=template,
        ranker=None if isinstance(ranker, str) else ranker,
        backend=None if isinstance(backend, str) else backend,
        reporter=reporter,
        baselines=baseline_models(beside.baselines, found),
    )


def evaluate(
    cases: Source,
    *,
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    ranker: str | Ranker | None = None,
    model: str | ModelSettings | None = None,
    backend: str | Backend | None = None,
    limits: Limits | None = None,
    measures: str | Sequence[str | Measure] | None = None,
    out: str | Path | None = None,
    progress: bool | Reporter = True,
    **settings: Any,  # noqa: ANN401 - checked by name and type
) -> Run:
    """Rank Cases with a model, score the rankings against what the users did next, and return the Run.

    The same call again continues a Run that was stopped, and returns one that is done at no cost: every answer is
    stored as it arrives.

    Args:
        cases: What `load_cases` returned, or what it takes: a dataset's name, a candidate file, a list of Case.
        prompt: Name or path of a template, the template itself, or all settings of the prompt.
        ranker: Name of the method, or a ranker of your own; None: the template's.
        model: Name of the model, or all settings of the backend.
        backend: `vllm`, `openai`, `replay:RUN`, or a Backend of your own, which is closed at the end.
        limits: What the run may cost.
        measures: Such as `"NDCG@10,HR@5,MRR"`; None: the usual ones of the task.
        out: Run folder; None: one under `results/` that these settings, and no others, have.
        progress: Whether to show a bar and what is being done; or who is told instead.
        settings: Any field of `CaseSettings`, `PromptSettings` (those of its `view` and `options` too),
            `ModelSettings`, `Limits` and `BaselineSettings`, by name: `ids="letters"`, `window=10`, `base_url=URL`,
            `max_cost=5`, `baselines="sasrec,hstu"`.

    Raises:
        InputError: something in the input is wrong; says what, where, and what to do.
        MissingError: a package, a model or an endpoint is missing.
        BoundReachedError: a bound was reached; what is done is saved, and the same call continues.
        KeyboardInterrupt: interrupted; what is done is saved, and the same call continues.
    """
    evaluation = compose(
        cases,
        prompt=prompt,
        ranker=ranker,
        model=model,
        limits=limits,
        measures=measures,
        backend=backend,
        progress=progress,
        **settings,
    )
    return evaluation.run(None if out is None else Path(out))


def check_plan(cases: Iterable[Case], method: Method, limits: Limits) -> None:
    """Raise InputError for a plan of very many calls that nothing bounds and nobody has confirmed."""
    bounds = (limits.max_requests, limits.max_total_tokens, limits.max_cost)
    if not limits.yes and all(bound is None for bound in bounds):
        refuse_large_plan(planned_calls(cases, method.ranker))


def check_error_rate(run: Run, limits: Limits) -> None:
    """Raise TooManyErrorsError when a larger share of the Cases failed than the limits allow."""
    refuse_errors(sum(record.failed for record in run.records.values()), len(run), limits.max_error_rate)


def refuse_errors(failed: int, cases: int, most: float) -> None:
    """Raise TooManyErrorsError when more than this share of the Cases have a failed call."""
    if cases and failed / cases > most:
        raise TooManyErrorsError(
            f"{failed} of {cases} cases have a failed call, and --max-error-rate is {most:g}; the rest is saved\n"
            "  hint: the same command asks for them again"
        )


def metric_settings(cases: CaseSet, measures: tuple[Measure, ...]) -> MetricSettings:
    """Return how the numbers of an evaluation are taken."""
    rating, training = cases.task == "rating", cases.training
    return MetricSettings(
        evaluation=cases.evaluation,
        target_forced=cases.target_forced,
        measures=measures,
        popularity={} if rating else training.popularity,
        rating_means=training.rating_means if rating and training.has_ratings else None,
        scale=training.scale,
        notes=cases.notes,
    )


def default_folder(settings: Mapping[str, object]) -> Path:
    """Return the folder that these settings, and no others, have under results/."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return Path("results") / f"{settings['data']}-{settings['prompt']}-{digest}".replace("/", "_").replace(":", "_")


def measure_list(measures: str | Sequence[str | Measure] | None) -> str | None:
    """Return measures, however they are named, as one comma-separated list."""
    return measures if measures is None or isinstance(measures, str) else ",".join(str(one) for one in measures)
