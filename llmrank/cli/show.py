"""`llmrank show`: a finished Run again, or one user's story."""

from __future__ import annotations

from pathlib import Path

import click

from llmrank.cli.options import json_option, option
from llmrank.cli.output import show_json


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@option("--user", default=None, help="Show the whole story of this user (or case id).")
@option("--worst", default=None, type=click.IntRange(1), help="Show so many Cases that lost most against recall order.")
@option("--groups", is_flag=True, help="Show for whom the method gains: by history, popularity and recall place.")
@option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="With --groups: by this further column of the Cases, or history, relevant item or recall place; can be given "
    "again.",
)
@option("--depth", is_flag=True, help="Show what reranking only the first candidates would be worth.")
@option("--beyond-accuracy", is_flag=True, help="Show how popular, novel, diverse and spread over items the top 10 is.")
@option("--calibration", is_flag=True, help="Show whether scores can be believed as probabilities.")
@option("--personal", is_flag=True, help="Show what predicted ratings know beyond the means of user and item.")
@option("--usage", is_flag=True, help="Show the calls, tokens and seconds per Case: mean, p50 and p95.")
@option("--measures", default=None, help="Compute these instead, such as NDCG@1..50,MRR; nothing is asked.")
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
    """Show RUN again. The folder alone is needed: no data set, no Store, no model."""
    from llmrank.report import console, show_metrics, show_worst
    from llmrank.run import load_run

    views = any((groups, by, depth, beyond_accuracy, calibration, personal, usage))
    if sum((user is not None, worst is not None, views)) > 1:
        raise click.UsageError("--user and --worst are shown alone")
    found, to = load_run(run), console()
    if user is not None:
        click.echo(found[user].record.to_json() if as_json else str(found[user]))
        return
    numbers = found.metrics if measures is None else found.measure(measures)
    shown = [found.groups(numbers.headline, by)] if groups or by else []
    shown += [found.depth(numbers.headline)] if depth else []
    shown += [found.beyond_accuracy()] if beyond_accuracy else []
    shown += [found.calibration()] if calibration else []
    shown += [found.personal()] if personal else []
    shown += [found.usage()] if usage else []
    if shown:
        if as_json:
            show_json({name: value for one in shown for name, value in one.to_dict().items()})
        else:
            click.echo("\n\n".join(one.text(to.width) for one in shown))
    elif worst is not None:
        lost = found.worst(worst, numbers.headline)
        if as_json:
            cases = [
                {"case_id": story.case.case_id, "user_id": story.case.user_id, "difference": less}
                for story, less in lost
            ]
            show_json({"measure": numbers.headline, "worst": cases})
        else:
            to.print(show_worst(lost, numbers.headline or ""))
    elif as_json:
        show_json({"run": str(run), **numbers.to_dict()})
    else:
        to.print(show_metrics(numbers, title=found.title, run=str(run), width=to.width))
