"""`llmrank eval`: dataset or candidate file, ranked by a model, scored against what the users did next."""

from __future__ import annotations

import json
import time
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

if TYPE_CHECKING:
    from llmrank.cli.cases import CaseSet
    from llmrank.run import RunFolder
    from llmrank.run.metrics import Protocol
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
    from llmrank.cli.asking import load_prompt, make_prompt, make_ranker, prompt_settings
    from llmrank.cli.backend import connect
    from llmrank.cli.cases import load_cases
    from llmrank.rankers.order import Order
    from llmrank.run import RunFolder
    from llmrank.run.metrics import Protocol, metrics, parse_measures
    from llmrank.types import Case

    template = load_prompt(prompt_options)
    task = "rating" if template.front.task == "rating" else "ranking"
    chosen = parse_measures(measures, task)
    order = Order.parse(prompt_options.order, case_options.seed)
    cases = load_cases(case_options, task, catalogue=template.front.candidates == "catalogue")
    with connect(backend_options) as connection:
        prompt = make_prompt(template, prompt_options, cases, seed=case_options.seed, room=connection.room())
        ranker = make_ranker(prompt)
        if dry_run:
            show_estimate(cases, ranker, order, connection, as_json=as_json)
            return
        settings = {
            **prompt_settings(prompt, prompt_options),
            **cases.settings,
            "evaluation": cases.evaluation,
            "measures": [str(measure) for measure in chosen],
            "backend": dict(connection.backend.identity),
        }
        protocol = Protocol(
            evaluation=cases.evaluation,
            target_forced=cases.target_forced,
            measures=chosen,
            popularity=cases.popularity,
            histories=[Case(user, history) for user, history in cases.histories.items()] if task == "rating" else (),
            scale=cases.scale,
        )
        with RunFolder(out or default_folder(settings), settings) as folder:
            session = run_session(folder, cases, ranker, connection, order, protocol)
            numbers = metrics(cases.cases, folder.records, protocol)
            folder.finish(numbers, session)
    if as_json:
        click.echo(json.dumps(numbers, indent=2, ensure_ascii=False))
    else:
        from llmrank.cli.table import show_metrics

        asked = f"{session['calls']} asked now, the rest were stored"
        title = f"{template.name} on {settings['data']}, {settings['backend'].get('model')}"
        show_metrics(numbers, title=title, notes=cases.notes, run=str(folder.path), calls=asked)
    refuse_errors(numbers, backend_options.max_error_rate)


def run_session(
    folder: RunFolder,
    cases: CaseSet,
    ranker: Ranker,
    connection: Connection,
    order: Order,
    protocol: Protocol,
) -> dict[str, Any]:
    """Do the Cases that are still wanted, showing progress, and return what this session was."""
    from llmrank.cli.progress import Progress
    from llmrank.run.session import work

    started, before = datetime.now(UTC), time.monotonic()
    wanted = [case for case in cases.cases if folder.wants(case.user_id)]
    calls = 0
    if wanted:
        caller = connection.caller()
        with Progress(len(cases.cases), len(cases.cases) - len(wanted)) as progress:
            connection.run(
                work(
                    folder,
                    wanted,
                    ranker,
                    caller,
                    arrange=order.arrange,
                    measures=protocol.measures,
                    done=lambda record: progress.add(str(record.ranking.outcome)),
                )
            )
        calls = caller.calls
    return {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - before, 3),
        "cases": len(wanted),
        "calls": calls,
    }
