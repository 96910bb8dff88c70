"""`llmrank show`: a finished Run, or a single user in detail."""

from __future__ import annotations

from itertools import compress
from pathlib import Path

import click

from llmrank.cli.options import PATH, json_option, option
from llmrank.cli.output import show_json


@click.command()
@click.argument("run", type=PATH)
@option("--user", default=None, help="Show everything about this user (or case id).")
@option("--worst", default=None, type=click.IntRange(1), help="Show the N Cases that lost most against recall order.")
@option("--groups", is_flag=True, help="Show gains by history, popularity and recall position.")
@option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="For --groups: a column of the Cases, history, relevant item, recall place, or `relevant NAME`; repeatable.",
)
@option("--depth", is_flag=True, help="Show what reranking only the first candidates would gain.")
@option("--beyond-accuracy", is_flag=True, help="Show popularity, novelty, diversity and item coverage of the top 10.")
@option("--calibration", is_flag=True, help="Show whether the scores are calibrated as probabilities.")
@option("--personal", is_flag=True, help="Show what predicted ratings add to the user and item means.")
@option("--usage", is_flag=True, help="Show calls, tokens and seconds per Case: mean, p50 and p95.")
@option("--measures", default=None, help="Compute these instead, such as NDCG@1..50,MRR. Makes no calls.")
@json_option
def show(
    run: Path,
    user: str | None,
    worst: int | None,
    groups: bool,
    by: tuple[str, ...],
    depth: bool,
    beyond_accuracy: bool,
    calibration: bool,
    personal: bool,
    usage: bool,
    measures: str | None,
    as_json: bool,
) -> None:
    """Show RUN. This needs only the Run folder: no dataset, Store or model."""
    from llmrank.report import console, show_metrics, show_story, show_worst
    from llmrank.run import load_run

    views = any((groups, by, depth, beyond_accuracy, calibration, personal, usage))
    if sum((user is not None, worst is not None, views)) > 1:
        raise click.UsageError("--user and --worst cannot be combined with each other or with other views")
    if measures is not None and (user is not None or (views and not any((groups, by, depth)))):
        raise click.UsageError("--measures has no effect here: omit it, or ask for --worst, --groups or --depth")
    found, to = load_run(run), console()
    if user is not None:
        story = found[user].record.to_json() if as_json else show_story(found, user)
        to.print(story, soft_wrap=True, emoji=False)
        return
    numbers = found.metrics if measures is None else found.measure(measures)
    shown = [found.groups(numbers.headline, by)] if groups or by else []
    shown += [found.depth(numbers.headline)] if depth else []
    tables = found.beyond_accuracy, found.calibration, found.personal, found.usage
    shown += [table() for table in compress(tables, (beyond_accuracy, calibration, personal, usage))]
    if shown:
        if as_json:
            show_json({name: value for one in shown for name, value in one.to_dict().items()})
        else:
            click.echo("\n\n".join(one.text(to.width) for one in shown))
    elif worst is not None:
        lost = found.worst(worst, numbers.headline)
        if as_json:
            cases = [{"case_id": it.case.case_id, "user_id": it.case.user_id, "difference": less} for it, less in lost]
            show_json({"measure": numbers.headline, "worst": cases})
        else:
            to.print(show_worst(lost, numbers.headline or ""))
    elif as_json:
        show_json({"run": str(run), **numbers.to_dict()})
    else:
        to.print(show_metrics(numbers, title=found.title, run=str(run), width=to.width))
