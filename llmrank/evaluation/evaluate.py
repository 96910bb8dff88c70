"""Evaluation: rank Cases with a method, score the rankings against what the users did next, and keep a Run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llmrank.backends.adapter import check_split, unread_events
from llmrank.backends.titles import TitleBackend
from llmrank.engine import (
    ESTIMATED,
    CaseResult,
    Estimate,
    Workload,
    estimated_tokens,
    planned_calls,
    refuse_large_plan,
)
from llmrank.engine import estimate as count_requests
from llmrank.errors import InputError, LlmrankError, count_of
from llmrank.evaluation.cases import CaseSet, CaseSource, cases_of
from llmrank.evaluation.fusing import Validation, to_choose, undecided
from llmrank.evaluation.method import Method, tasks_of
from llmrank.evaluation.session import Session, backend_settings, check_storable, prices_of, refuse_errors, versions
from llmrank.evaluation.settings import BaselineSettings, CaseSettings, Limits, ModelSettings, PromptSettings, flat
from llmrank.evaluation.setup import Setup
from llmrank.evaluation.trained import baseline_models, check_baselines, package_of, train_baselines
from llmrank.evaluation.training_data import asked_for
from llmrank.measures import Measure, parse_measures
from llmrank.measures.parse import refuse_unnamed
from llmrank.prices import Tariff
from llmrank.progress import Reporter, Say, reporter_of, sign_of_life
from llmrank.prompting import DOMAINS, PromptTemplate, find_domain
from llmrank.rankers.order import Order
from llmrank.recall import RecallModel
from llmrank.run import CaseRecord, Origin, Run, RunFolder, load_run
from llmrank.run.folder import run_path
from llmrank.run.metrics import MetricSettings, case_measures, measures_of, metrics, predicts_order
from llmrank.store import keyed
from llmrank.types import Backend, Case, Message, Ranker, Spending, Task


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation that is ready to run."""

    cases: CaseSet
    setup: Setup
    measures: tuple[Measure, ...]
    reporter: Reporter
    baselines: Sequence[RecallModel] = ()
    """Untrained recommenders, to be trained and compared on the same candidates."""
    validation: Validation | None = None
    """Cases for choosing weight and strength; None if nothing is to be chosen."""
    out: Path | None = None
    """Run folder; None: one under `results/` that is unique to these settings."""

    def session(self) -> Session:
        """Open a session for `run`; the caller closes it. Raises what `Session` raises."""
        return self.setup.session(self.reporter.message)

    def run(self, session: Session | None = None) -> Run:
        """Rank the Cases that the Run does not have yet, and return the Run (see `evaluate`).

        A given `session` may be shared, including its limits, and stays open.
        """
        cases, setup, chosen = self.cases, self.setup, dict[str, object]()
        with self.session() if session is None else nullcontext(session) as session:
            calls, spent = session.caller.calls, session.budget.spent
            self._check_split(session)
            ranker = self._alone(session).ranker
            if not setup.limits.is_bounded:
                refuse_large_plan(planned_calls(self._asked, ranker))
            session.check(ranker.needs(self._longest))
            trained = train_baselines(self.baselines, cases, self.reporter.message)
            cases = replace(cases, notes=(*cases.notes, *trained.notes))
            if self.validation is not None:
                choice = self.validation.choose(setup, session, self.reporter)
                setup = choice.applied_to(setup)
                chosen |= choice.settings(len(self.validation.drawn))
                cases = replace(cases, notes=(*cases.notes, *self.validation.describe(choice)))
            method = setup.method(session, cases.training, cases.seed, cases.domain)
            if (note := setup.differs_from_training(method)) is not None:
                cases = replace(cases, notes=(*cases.notes, note))
            if isinstance(session.backend, TitleBackend):
                unread = unread_events(session.backend.card, [len(case.history) for case in cases])
                cases = replace(cases, notes=(*cases.notes, *unread))
            settings: dict[str, object] = {**method.settings, **chosen, "backend": dict(session.backend.identity)}
            if self.baselines:
                settings["baselines"] = {one.name: {**one.settings, **package_of(one.name)} for one in self.baselines}
            options = {"prompt": flat(setup.prompt)} if setup.ranker is None else {}
            origin = Origin("eval", options, session.store.path)
            prompt = method.prompt
            shots = {} if prompt is None else {case.case_id: prompt.shots(case) for case in cases}
            return make_run(
                self.out,
                cases,
                self.measures,
                settings,
                origin,
                lambda folder, kept: self._rank_wanted(folder, kept, method, session, calls, spent),
                shots=shots,
                trained=trained.scores,
                tariff=session.budget.tariff,
            )

    def estimate(self, session: Session | None = None) -> CostEstimate:
        """Estimate the calls of `run`, how many the Store can answer, and the cost of the rest. Sends no requests.

        A given `session` stays open.
        """
        with self.session() if session is None else nullcontext(session) as session:
            self._check_split(session)
            method = self._alone(session)
            session.check(method.ranker.needs(self._longest), ask=False)
            return CostEstimate.of(self._asked, method, session, self.reporter.message)

    def _check_split(self, session: Session) -> None:
        """Raise InputError if the adapter was trained on another split of this data, or on events of these Cases."""
        settings, split = self.cases.settings, self.cases.split
        card = session.backend.card if isinstance(session.backend, TitleBackend) else self.setup.adapter_card
        if card is not None:
            whole = None if split is None else split.dataset.whole_sha256
            # An item taken before was learned from that event, which the history shows.
            asked = [
                (case.user_id, item_id)
                for case in self.cases
                for item_id in sorted(asked_for(case) - {event.item.item_id for event in case.history})
            ]
            check_split(card, settings.get("data_sha256"), settings.get("split"), whole, asked)

    def _alone(self, session: Session) -> Method:
        """Return the method before anything is chosen on validation Cases, which does not change its calls."""
        return undecided(self.setup).method(session, self.cases.training, self.cases.seed, self.cases.domain)

    @property
    def _asked(self) -> Sequence[Case]:
        """All Cases to rank, validation Cases first."""
        return [*(self.validation.asked if self.validation else ()), *self.cases]

    @property
    def _longest(self) -> int:
        return max((len(case.candidates) or 1 for case in self._asked), default=0)

    def _rank_wanted(
        self,
        folder: RunFolder,
        cases: Sequence[Case],
        method: Method,
        session: Session,
        calls: int,
        spent: Spending,
    ) -> dict[str, Any]:
        """Rank the missing Cases, add each to the Run when it is done, and return the manifest entry of this session.

        `cases` are those that the Run keeps. `calls` and `spent` are what the session had made and spent before this
        evaluation. A session that stops early (limit, Ctrl-C, failure) is also recorded in the manifest.
        """
        started, before = datetime.now(UTC), time.monotonic()
        wanted = [case for case in cases if folder.wants(case.case_id)]
        if cases != self.cases.cases:
            self.reporter.message(
                "the recall stage now proposes other candidates or scores: this Run keeps those that it began with"
            )
        earlier, answered = session.caller.calls, session.caller.answered
        validating = {
            "validation_calls": earlier - calls,
            "validation_usage": asdict((session.budget.spent - spent).usage),
        }

        def keep(result: CaseResult) -> None:
            folder.add(CaseRecord.of(result, case_measures(result.case, result.ranking, self.measures)))

        def account() -> dict[str, Any]:
            return {
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - before, 3),
                "cases": len(wanted),
                "calls": session.caller.calls - earlier,
                "answered": session.caller.answered - answered,
                **(validating if self.validation else {}),
                **session.budget.to_dict(spent),
                **session.caller.account(),
                "versions": versions(),
            }

        if wanted:
            done = len(cases) - len(wanted)
            try:
                session.rank(wanted, method, keep, self.reporter, total=len(cases), before=done)
            except (LlmrankError, KeyboardInterrupt) as error:
                with suppress(InputError):  # a full disk, say: the original error is more useful
                    folder.note(account() | {"stopped": type(error).__name__})
                raise
        return account()


def make_run(
    out: Path | None,
    cases: CaseSet,
    measures: tuple[Measure, ...],
    settings: Mapping[str, object],
    origin: Origin,
    work: Callable[[RunFolder, Sequence[Case]], Mapping[str, Any]],
    *,
    shots: Mapping[str, Sequence[Case]] = MappingProxyType({}),
    trained: Mapping[str, Mapping[str, Sequence[float]]] = MappingProxyType({}),
    tariff: Tariff | None = None,
) -> Run:
    """Make or continue the Run in the folder `out` (None: a folder under results/ named after the settings).

    `work` adds the records of the Run's Cases to the open folder, and returns the manifest entry of this session. A
    continued Run keeps the Cases and the trained baselines that it began with. `trained` holds the scores of trained
    baselines, as in `TrainedBaselines`. Without a `tariff`, the prices of an earlier session
    apply: they are dated, and belong to the same model.
    """
    everything: dict[str, object] = {
        **settings,
        **cases.settings,
        "evaluation": cases.evaluation,
        "measures": [str(measure) for measure in measures],
    }
    rating, training = cases.task == "rating", cases.training
    how = MetricSettings(
        evaluation=cases.evaluation,
        target_forced=cases.target_forced,
        measures=measures,
        popularity={} if rating else training.popularity,
        trained=trained,
        rating_means=training.rating_means if rating and training.has_ratings else None,
        scale=training.scale,
        notes=cases.notes,
    )
    if out is None:
        digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:8]
        method = everything.get("prompt", everything.get("answer"))
        edited = "-edited" if "prompt_edited" in everything else ""
        name = f"{everything['data']}-{method}{edited}-{digest}"
        out = Path("results") / name.replace("/", "_").replace(":", "_")
    with RunFolder(out, everything, origin) as folder:
        kept, how = folder.keep_inputs(cases.cases, how, shots)
        session = work(folder, kept)
        folder.finish(metrics(kept, folder.records, how, tariff or folder.latest_tariff()), session)
    return load_run(folder.path, folder.records)


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The calls a run would make, and what they may cost."""

    counted: Estimate
    exact: bool
    """Whether the model's tokenizer counted the tokens; otherwise they are estimated."""
    tariff: Tariff | None
    batch: bool

    @classmethod
    def of(cls, cases: Iterable[Case], method: Method, session: Session, say: Say) -> CostEstimate:
        """Return the estimate for these Cases. Reads the Store, and sends no requests. `say` hears that it goes on."""
        backend, exact = session.backend, True

        def count(messages: Sequence[Message]) -> int:
            nonlocal exact
            if (counted := backend.count_tokens(messages)) is not None:
                return counted
            exact = False
            return estimated_tokens(messages)

        with sign_of_life(say, "counting the calls", at_once=False):
            counted = count_requests(
                cases,
                method.ranker,
                arrange=method.order.arrange,
                count_tokens=count,
                stored=lambda request: session.store.answer(keyed(backend.identity, request)),
            )
        for request in session.probes(method.ranker.needs(2)):
            probe = Workload(1, count(request.messages), request.sampling.max_tokens)
            counted += Estimate(0, probe, probe, probe, probe)
        return cls(counted, exact, session.budget.tariff, session.budget.batch)

    def __add__(self, other: CostEstimate) -> CostEstimate:
        """Return the sum of two estimates for the same session."""
        return replace(self, counted=self.counted + other.counted, exact=self.exact and other.exact)

    def __str__(self) -> str:
        counted, tariff = self.counted, self.tariff
        estimated = "" if self.exact else f" ({ESTIMATED})"
        lines = [f"{count_of(counted.cases, 'Case')}, at most {counted.most}{estimated}. Dry run: no requests sent."]
        if not counted.exact:
            lines.append(f"Likely: {counted.likely}.")
        if counted.most_left != counted.most:
            stored = counted.most.requests - counted.most_left.requests
            lines.append(f"The store has {stored:,} of the answers; left to ask: at most {counted.most_left}.")
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
        """Return the estimate as JSON-compatible values."""
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


def compose(
    cases: CaseSource,
    *,
    measures: str | Sequence[str | Measure] | None = None,
    out: str | Path | None = None,
    progress: bool | Reporter = True,
    beside: Sequence[str] = (),
    scored: bool = True,
    **arguments: Any,
) -> Evaluation:
    """Build an evaluation from the arguments of `evaluate`: load its Cases, and check its prompt.

    `beside` lists further valid names, for the error about an unknown one. `scored` says whether the Cases need a known
    truth: some audits do not.

    Raises InputError for conflicting arguments, and whatever `load_cases` raises.
    """
    reporter = reporter_of(progress)
    setup, (case_settings, compared) = Setup.of(
        CaseSettings, BaselineSettings, beside=("measures", "out", "progress", *beside), **arguments
    )
    # Before the data are read, which may take minutes.
    folder = run_path(out)
    if measures is not None:
        refuse_unnamed(measures := parse_measures(measures))
    check_baselines(compared.baselines)
    if setup.asks_model:
        prices_of(setup.model, setup.limits)
        check_storable(setup.model)
        if setup.backend is None:
            backend_settings(setup.model)
    template, tasks = setup.template, tasks_of(setup.prompt, setup.template)
    catalogue = template is not None and template.front.candidates == "catalogue"
    found = cases_of(cases, case_settings, tasks, catalogue=catalogue, say=reporter.message)
    if found.task not in tasks:
        problem = f"the prompt is for a {tasks[0]}, but the Cases are for a {found.task}"
        hint = f"load the Cases with task={tasks[0]!r}, or choose a prompt for a {found.task}"
        raise InputError(problem, field="prompt", hint=hint)
    if scored:
        _refuse_unknown_truth(found)
    _refuse_unfit_settings(setup, found, catalogue=catalogue)
    note_domain(setup, found.domain, reporter.message)
    note_idle_first(setup, found, reporter)
    answer = "" if template is None else template.answer_for(setup.prompt.view.ids)
    return Evaluation(
        found,
        setup,
        measures_for(measures, found.task, answer, found.training.scale),
        reporter,
        baseline_models(compared.baselines, found),
        Validation.of(found, setup.prompt.options, reporter.message),
        folder,
    )


def _refuse_unfit_settings(setup: Setup, cases: CaseSet, *, catalogue: bool) -> None:
    """Raise InputError for an order, a fusion or a validation that these Cases or the other settings rule out."""
    order, options = Order.parse(setup.prompt.order), setup.prompt.options
    if cases.target_forced and setup.template is not None and order.mode in ("recall", "reversed"):
        problem, hint = "forced targets would be at the same position in every list", "use --order shuffled"
        raise InputError(problem, field="order", hint=hint)
    for case in cases if order.mode == "target-at" else ():
        order.arrange(case)  # raises if the list is too short for the position
    if (names := to_choose(options)) and setup.prompt.first is not None:
        hint = "find the value without --first, then pass it"
        raise InputError("validation cannot be combined with --first", field=names[0], hint=hint)
    if options.fuse is not None and (cases.task == "rating" or catalogue):
        whose = "rating tasks" if cases.task == "rating" else "whole catalogues"
        hint = "omit --fuse, or rank candidates from a recall stage"
        raise InputError(f"{whose} have no recall scores to fuse", field="fuse", hint=hint)


def _refuse_unknown_truth(cases: CaseSet) -> None:
    """Raise InputError if no Case has a relevant item or a true rating: every measure would be undefined."""
    if cases and not any(case.relevant or case.rating is not None for case in cases):
        name, add = "relevant", "add the relevant items with `llmrank convert --qrels`"
        if cases.task == "rating":
            name, add = "rating", "add the true ratings to the rows"
        problem = f"no Case of {cases.settings['data']} has `{name}`: there is nothing to score the answers against"
        raise InputError(problem, field="data", hint=f"use `llmrank rerank`, which needs none; or {add}")


def evaluate(
    cases: CaseSource,
    *,
    prompt: str | Path | PromptTemplate | PromptSettings | None = None,
    ranker: str | Ranker | None = None,
    model: str | ModelSettings | None = None,
    backend: str | Backend | None = None,
    limits: Limits | None = None,
    measures: str | Sequence[str | Measure] | None = None,
    out: str | Path | None = None,
    progress: bool | Reporter = True,
    **settings: Any,
) -> Run:
    """Rank Cases with a model, score the rankings against what the users did next, and return the Run.

    Every answer is stored as it arrives. Repeating the call continues a stopped Run, or returns a finished one without
    new model calls.

    Args:
        cases: The result of `load_cases`, or anything it accepts: a dataset name, a candidate file, a table, or Cases.
        prompt: Name or path of a template, a template, or a `PromptSettings`. This and the other settings records are
            in `llmrank.evaluation.settings`.
        ranker: Name of the method, or your own ranker; None: the template's.
        model: Name of the model, or a `ModelSettings`.
        backend: `vllm`, `openai`, `titles`, `replay:RUN`, or your own Backend, which is closed at the end.
        limits: What the run may cost.
        measures: For example `"NDCG@10,HR@5,MRR"`, or a list of names and Measure objects; None: the defaults of the
            task. Your own measure must be an entry point (docs/extending.md), because the Run keeps its name.
        out: Run folder; None: a folder under `results/` that is unique to these settings.
        progress: Whether to show progress; or a Reporter that receives it.
        settings: Any field of `CaseSettings`, `PromptSettings` (including its `view` and `options`), `ModelSettings`,
            `Limits` and `BaselineSettings`, by name: `ids="letters"`, `window=10`, `base_url=URL`, `max_cost=5`,
            `baselines="sasrec,hstu"`.

    Raises:
        InputError: invalid input; the message says what is wrong, where, and what to do.
        MissingError: a package, a model or an endpoint is missing.
        BoundReachedError: a limit was reached. Finished work is saved; the same call continues.
        KeyboardInterrupt: interrupted. Finished work is saved; the same call continues.
    """
    named = {"prompt": prompt, "ranker": ranker, "model": model, "backend": backend, "limits": limits}
    return compose(cases, measures=measures, out=out, progress=progress, **named, **settings).run()


def note_domain(setup: Setup, domain: str | None, say: Say) -> None:
    """Say what the prompt calls the items, if neither the data nor the settings name their domain."""
    template = setup.template
    named = setup.prompt.view.domain or find_domain(domain)
    if template is not None and "domain" in template.names and named in (None, "items"):
        word = DOMAINS[named or template.front.domain].items
        other = "movies" if word == "products" else "products"
        say(f"items are called {word!r} in the prompt; --domain {other} changes that")


def note_idle_first(setup: Setup, cases: Iterable[Case], reporter: Reporter) -> None:
    """Report that the first stage has nothing to do, because no list is longer than what it passes on."""
    name, passed_on = setup.prompt.first, setup.prompt.options.first_top
    if name is not None and all(len(case.candidates) <= passed_on for case in cases):
        reporter.message(f"--first {name} has no effect: no list has more than {passed_on} candidates (--first-top)")


def check_error_rate(run: Run, limits: Limits) -> None:
    """Raise TooManyErrorsError if the share of failed Cases exceeds the limit."""
    refuse_errors(sum(record.failed for record in run.records.values()), run.metrics.cases, limits.max_error_rate)


def measures_for(
    measures: str | Sequence[str | Measure] | None, task: Task, answer: str, scale: tuple[float, float]
) -> tuple[Measure, ...]:
    """Return the measures for a task and answer format; None: the defaults.

    Yes/no answers to Cases with ratings such as 1 to 5 allow only AUC, which compares orders rather than values. Raises
    InputError as `measures_of` does, and unless each can be found by its name, as a reader of the Run must.
    """
    found = measures_of(measures, task, order_only=predicts_order(answer, task, scale))
    refuse_unnamed(found)
    return found
