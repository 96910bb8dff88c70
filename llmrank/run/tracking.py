"""A Run in an experiment tracker: MLflow, or Weights & Biases.

A measure is logged as `NDCG_at_10`, because MLflow takes no `@`; beside it `NDCG_at_10_low` and `_high`, the ends of
its 95% interval over users, and `_random`, `_popularity`, `_recall_order`, `_ceiling` and the trained baselines.
Settings are parameters, those inside others by dotted names. The files of the Run are artifacts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from llmrank.errors import InputError, flat_settings
from llmrank.run.tables import optional

if TYPE_CHECKING:
    from llmrank.run.run import Run

Tracker = Literal["mlflow", "wandb"]
LONGEST = 500
"""Characters of a parameter; longer ones, such as templates, are in the manifest, which is an artifact."""


def track(
    run: Run, tracker: Tracker, *, where: str | Path | None = None, project: str | None = None, files: bool = True
) -> str:
    """Log a finished Run as a new run of a tracker, and return its id there.

    Args:
        run: A finished Run.
        tracker: `mlflow` or `wandb`.
        where: For MLflow the tracking URI, such as `sqlite:///mlflow.db`; for Weights & Biases the folder of its local
            files. None: what the tracker's own settings say (`MLFLOW_TRACKING_URI`, `WANDB_DIR`).
        project: MLflow's experiment, or the project; None: the tracker's own default. Weights & Biases sends nothing
            while `WANDB_MODE` is `offline`.
        files: Whether to add the files of the Run. They hold what users did, and what the model said of it.

    The same call again logs another run.

    Raises:
        InputError: the Run is not finished, or there is no such tracker.
        MissingError: the tracker's package is not installed.
    """
    if tracker not in get_args(Tracker):
        hint = f"use one of {', '.join(get_args(Tracker))}"
        raise InputError(f"unknown tracker {tracker!r}", field="tracker", hint=hint)
    log = _mlflow if tracker == "mlflow" else _wandb
    return log(run, None if where is None else str(where), project, files=files)


def tracked_metrics(run: Run) -> dict[str, float]:
    """Return the numbers of a Run by the names under which they are logged; those that are undefined are left out."""
    return {name: float(value) for name, value in _numbers(run) if value is not None}


def tracked_settings(run: Run) -> dict[str, str]:
    """Return the settings of a Run as texts, by dotted names; those that are not set or too long are left out."""
    found = {name: str(value) for name, value in flat_settings(run.settings).items() if value is not None}
    return {name: text for name, text in found.items() if len(text) <= LONGEST}


def _numbers(run: Run) -> Iterator[tuple[str, float | None]]:
    metrics = run.metrics
    for measure, summary in metrics.measures.items():
        name = measure.replace("@", "_at_")
        yield name, summary.value
        yield from zip((f"{name}_low", f"{name}_high"), summary.ci95 or (None, None), strict=True)
        for baseline, value in summary.baselines.items():
            yield f"{name}_{baseline}", value
    yield from (("cases", metrics.cases), ("users", metrics.users), ("answered_cases", metrics.answered_cases))
    for outcome, count in metrics.outcomes.items():
        yield f"outcome_{outcome}", count
    usage = metrics.usage
    yield from (("requests", usage.requests), ("cost", usage.cost), ("seconds", usage.seconds))
    yield from (("prompt_tokens", usage.prompt_tokens), ("completion_tokens", usage.completion_tokens))


def _mlflow(run: Run, where: str | None, experiment: str | None, *, files: bool) -> str:
    numbers, settings = tracked_metrics(run), tracked_settings(run)
    mlflow = optional("mlflow", "mlflow", "a run in MLflow")
    client = mlflow.MlflowClient(tracking_uri=where)
    name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
    found = client.get_experiment_by_name(name)
    into = client.create_experiment(name) if found is None else found.experiment_id
    made = client.create_run(into, run_name=run.name, tags={"llmrank.title": run.title}).info.run_id
    for key, value in settings.items():
        client.log_param(made, key, value)
    for key, value in numbers.items():
        client.log_metric(made, key, value)
    if files:
        client.log_artifacts(made, str(run.path))
    client.set_terminated(made)
    return made


def _wandb(run: Run, where: str | None, project: str | None, *, files: bool) -> str:
    numbers, settings = tracked_metrics(run), tracked_settings(run)
    wandb = optional("wandb", "wandb", "a run in Weights & Biases")
    if where is not None:
        Path(where).mkdir(parents=True, exist_ok=True)
    # A run that the caller has open stays open, and is not written into.
    about = {"name": run.name, "notes": run.title, "config": settings, "reinit": "create_new"}
    with wandb.init(project=project, dir=where, **about) as made:
        made.summary.update(numbers)
        if files:
            folder = wandb.Artifact(f"llmrank-{made.id}", type="llmrank-run")
            folder.add_dir(str(run.path))
            made.log_artifact(folder)
        return made.id
