"""What several verbs print: a Run's table, and an estimate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from llmrank.evaluation.evaluate import CostEstimate
    from llmrank.run import Run


def show_run(run: Run, *, as_json: bool) -> None:
    """Print the numbers of a finished Run."""
    if as_json:
        result = {**run.metrics.to_dict(), "run": str(run.path)}
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    from llmrank.prices import show_money
    from llmrank.report import console, show_metrics

    session = run.sessions[-1] if run.sessions else {}
    spent = session.get("spent", {})
    paid = show_money(spent["cost"], spent["currency"]) if "cost" in spent else ""
    made = f"{session.get('calls', 0)} made now, the rest were stored"
    to = console()
    to.print(show_metrics(run.metrics, title=run.title, run=str(run.path), calls=made, paid=paid, width=to.width))


def show_estimate(estimate: CostEstimate, *, as_json: bool) -> None:
    """Print what a run would ask, and what it may cost."""
    click.echo(json.dumps(estimate.to_dict()) if as_json else estimate)
