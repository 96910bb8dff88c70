"""`llmrank eval`: dataset or candidate file, ranked by a model, scored against what the users did next."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmrank.cli.options import (
    BackendOptions,
    CaseOptions,
    PromptOptions,
    backend_options,
    case_options,
    config_option,
    dry_run_option,
    json_option,
    option,
    prompt_options,
)
from llmrank.errors import LlmrankError

if TYPE_CHECKING:
    from llmrank.cli.backend import Connection
    from llmrank.cli.cases import CaseSet, Task
    from llmrank.measures import Measure
    from llmrank.rankers.order import Order
    from llmrank.run import RunFolder
    from llmrank.run.metrics import MetricSettings
    from llmrank.types import Ranker


@click.command(name="eval")
@prompt_options
@case_options
@backend_options
@option("--measures", default=None, help="Such as NDCG@10,HR@5,MRR; or RMSE,MAE,AUC.")
@option("--out", default=None, type=click.Path(path_type=Path), help="Run folder.  [default: one under results/]")
@dry_run_option
@json_option
@config_option
def evaluate(
    prompt_options: PromptOptions,
    case_options: CaseOptions,
    backend_options: BackendOptions,
    measures: str | None,
    out: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Rank real candidates with a model, and score the rankings against what the users did next.

    The same command again continues a Run that was stopped, and shows one that is done.
    """
    from llmrank.cli.asking import asks_nobody, load_prompt, make_method, origin_options, task_of
    from llmrank.cli.backend import connect, refuse_errors, show_estimate
    from llmrank.cli.cases import load_cases
    from llmrank.rankers.needs import needs_of
    from llmrank.rankers.order import Order
    from llmrank.run import Origin, RunFolder
    from llmrank.run.metrics import metrics, parse_measures

    template = None if asks_nobody(prompt_options) else load_prompt(prompt_options)
    task = task_of(prompt_options, template)
    chosen = parse_measures(measures, task)
    order = Order.parse(prompt_options.order, case_options.seed)
    cases = load_cases(case_options, task, catalogue=template is not None and template.front.candidates == "catalogue")
    with connect(backend_options, nobody=template is None) as connection:
        method = make_method(template, prompt_options, cases, seed=case_options.seed, room=connection.room())
        ranker = method.ranker
        longest = max((len(case.candidates) or 1 for case in cases.cases), default=0)
        connection.check(needs_of(ranker, longest), ask=not dry_run)
        if dry_run:
            show_estimate(cases.cases, ranker, order, connection, as_json=as_json)
            return
        settings: dict[str, object] = {
            **method.settings,
            **cases.settings,
            "evaluation": cases.evaluation,
            "measures": [str(measure) for measure in chosen],
            "backend": dict(connection.backend.identity),
        }
        how = metric_settings(cases, chosen, task)
        made = Origin("eval", origin_options(prompt_options, case_options), connection.store.path)
        with RunFolder(out or _default_folder(settings), settings, made) as folder:
            folder.keep_inputs(cases.cases, how)
            session = _run_session(folder, cases, ranker, connection, order, how)
            numbers = metrics(cases.cases, folder.records, how, connection.budget.tariff)
            folder.finish(numbers, session)
            failed = sum(folder.wants(case.case_id) for case in cases.cases)
    if as_json:
        click.echo(json.dumps({"run": str(folder.path), **numbers.to_dict()}, indent=2, ensure_ascii=False))
    else:
        from llmrank.report import console, show_metrics

        made = f"{session['calls']} made now, the rest were stored"
        title = ", ".join(
            filter(None, (f"{method.title} on {settings['data']}", connection.backend.identity.get("model")))
        )
        paid = connection.budget.money()
        to = console()
        where, width = str(folder.path), to.width
        to.print(show_metrics(numbers, title=title, run=where, calls=made, paid=paid, width=width))
    hint = "the same command asks for them again"
    refuse_errors(failed, numbers.cases, backend_options.max_error_rate, hint)


def metric_settings(cases: CaseSet, measures: tuple[Measure, ...], task: Task) -> MetricSettings:
    """Return how the numbers of an evaluation are taken."""
    from llmrank.run.metrics import MetricSettings

    rated = any(event.rating is not None for history in cases.histories.values() for event in history)
    return MetricSettings(
        evaluation=cases.evaluation,
        target_forced=cases.target_forced,
        measures=measures,
        popularity=cases.popularity,
        rating_means=cases.rating_means if task == "rating" and rated else None,
        scale=cases.scale,
        notes=cases.notes,
    )


def _run_session(
    folder: RunFolder, cases: CaseSet, ranker: Ranker, connection: Connection, order: Order, how: MetricSettings
) -> dict[str, Any]:
    """Do the Cases that are still wanted, showing progress, and return what this session was.

    What a session spent that was stopped (at a bound, by Ctrl-C, by a failure) is noted in the manifest all the same.
    """
    from llmrank.cli.progress import Progress
    from llmrank.run.session import work

    started, before = datetime.now(UTC), time.monotonic()
    wanted = [case for case in cases.cases if folder.wants(case.case_id)]
    caller = connection.caller()

    def session() -> dict[str, Any]:
        return {
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - before, 3),
            "cases": len(wanted),
            "calls": caller.calls,
            **connection.budget.to_dict(),
            **caller.account(),
            "versions": connection.versions(),
        }

    try:
        if wanted:
            done = len(cases.cases) - len(wanted)
            with Progress(len(cases.cases), done, spent=connection.budget.describe) as progress:
                connection.run(
                    work(
                        folder,
                        wanted,
                        ranker,
                        caller,
                        arrange=order.arrange,
                        measures=how.measures,
                        done=lambda record: progress.add(str(record.ranking.outcome)),
                    )
                )
    except (LlmrankError, KeyboardInterrupt) as stop:
        folder.note(session() | {"stopped": type(stop).__name__})
        raise
    return session()


def _default_folder(settings: Mapping[str, object]) -> Path:
    """Return the folder that these settings, and no others, have under results/."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return Path("results") / f"{settings['data']}-{settings['prompt']}-{digest}".replace("/", "_").replace(":", "_")
