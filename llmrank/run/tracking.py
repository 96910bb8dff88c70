"""A Run in an experiment tracker: MLflow, or Weights & Biases.

A measure is logged as `NDCG_at_10`, because MLflow takes no `@`; beside it `NDCG_at_10_low` and `_high`, the ends of
its 95% interval over users, `_answered_only`, `_worst` and `_best`, the baselines (`_random`, `_popularity`,
`_recall_order`, `_ceiling` and the trained ones), and what the method gains over them: `_minus_recall_order`, its
`_low` and `_high`, and `_p`, corrected for several measures. Settings are parameters, those inside others by dotted
names; Weights & Biases gets them as they are. The files of the Run are artifacts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

import requests

from llmrank.errors import InputError, MissingError, flat_settings, one_line
from llmrank.files import cannot_write
from llmrank.run.tables import optional

if TYPE_CHECKING:
    from llmrank.run.run import Run

Tracker = Literal["mlflow", "wandb"]
LONGEST = 500
"""Characters of a parameter; longer settings, and those of several lines such as templates, are artifacts."""
PARAMS_AT_ONCE, METRICS_AT_ONCE = 100, 1000
"""What a server of MLflow takes in one call."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVER_ANSWERS_WITHIN = 10.0
"""Seconds. MLflow itself would try for minutes, and say nothing."""
IDENTITY = "llmrank.run"
"""The tag by which a Run is found again."""


def track(
    run: Run, tracker: Tracker, *, where: str | Path | None = None, project: str | None = None, files: bool = True
) -> str:
    """Log a finished Run as a run of a tracker, and return its id there.

    Args:
        run: A finished Run.
        tracker: `mlflow` or `wandb`.
        where: For MLflow the tracking URI, such as `sqlite:///mlflow.db`; for Weights & Biases the folder of its local
            files. None: what the tracker's own settings say (`MLFLOW_TRACKING_URI`, `WANDB_DIR`).
        project: MLflow's experiment, or the project; None: the tracker's own default. Weights & Biases sends nothing
            while `WANDB_MODE` is `offline`.
        files: Whether to add the files of the Run. They hold what users did, and what the model said of it.

    The same Run again, wherever its folder is now, updates the run that the tracker has of it in that project.

    Raises:
        InputError: the Run is not finished, there is no such tracker, or the tracker refuses.
        MissingError: a package that this needs is not installed, or no MLflow server answers.
    """
    if tracker not in get_args(Tracker):
        hint = f"use one of {', '.join(get_args(Tracker))}"
        raise InputError(f"unknown tracker {tracker!r}", field="tracker", hint=hint)
    log = _mlflow if tracker == "mlflow" else _wandb
    return log(run, None if where is None else str(where), project, files=files)


def tracked_metrics(run: Run) -> dict[str, float]:
    """Return the numbers of a Run by the names under which they are logged; those that are undefined are left out."""
    return {_name(name): float(value) for name, value in _numbers(run) if value is not None}


def tracked_settings(run: Run) -> dict[str, str]:
    """Return the settings of a Run as texts, by dotted names; those that are not set, and `tracked_texts`, are not
    among them."""
    return {name: text for name, text in _settings(run).items() if not _is_long(text)}


def tracked_texts(run: Run) -> dict[str, str]:
    """Return the settings that are too long for a parameter, or have several lines: the templates, above all."""
    return {name: text for name, text in _settings(run).items() if _is_long(text)}


def _settings(run: Run) -> dict[str, str]:
    return {_name(name): str(value) for name, value in flat_settings(run.settings).items() if value is not None}


def _is_long(text: str) -> bool:
    return len(text) > LONGEST or "\n" in text


def _name(name: str) -> str:
    """Return a name that every tracker takes. MLflow's file store makes folders of `/`; Windows has no `:`."""
    return re.sub(r"[^\w. -]", "_", name.replace("@", "_at_"))


def _identity(run: Run) -> str:
    """Return what a Run keeps wherever its folder goes, also when it is continued or read again."""
    begun = run.sessions[0].get("started") if run.sessions else None
    content = json.dumps({"settings": run.settings, "started": begun}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _numbers(run: Run) -> Iterator[tuple[str, float | None]]:
    metrics, usage = run.metrics, run.metrics.usage
    for measure, summary in metrics.measures.items():
        yield from _with_ends(measure, summary.value, summary.ci95)
        yield from ((f"{measure}_answered_only", summary.answered_only), (f"{measure}_imputed", summary.imputed))
        yield from ((f"{measure}_worst", summary.worst), (f"{measure}_best", summary.best))
        for baseline, value in summary.baselines.items():
            yield from _with_ends(f"{measure}_{baseline}", value, summary.baseline_ci95.get(baseline))
        for baseline, found in summary.versus.items():
            yield from _with_ends(f"{measure}_minus_{baseline}", found.difference, found.ci95)
            yield f"{measure}_minus_{baseline}_p", None if found.difference is None else found.p_holm
    yield from (("cases", metrics.cases), ("users", metrics.users), ("judged_cases", metrics.judged_cases))
    yield from (("answered_cases", metrics.answered_cases), ("recall", metrics.recall))
    for outcome, count in metrics.outcomes.items():
        yield f"outcome_{outcome}", count
    yield from (("requests", usage.requests), (f"cost_{usage.currency}", usage.cost), ("seconds", usage.seconds))
    yield from (("prompt_tokens", usage.prompt_tokens), ("cached_tokens", usage.cached_tokens))
    yield "cases_without_reported_tokens", usage.unreported or None
    yield from (("completion_tokens", usage.completion_tokens), ("reasoning_tokens", usage.reasoning_tokens))


def _with_ends(
    name: str, value: float | None, ends: tuple[float, float] | None
) -> tuple[tuple[str, float | None], ...]:
    low, high = ends or (None, None)
    return (name, value), (f"{name}_low", low), (f"{name}_high", high)


def _summary(run: Run) -> str:
    """Return what a person reads first, as Markdown: the verdict, the table, and what must stand beside it."""
    said = "".join(f"{sentence}\n\n" for sentence in run.metrics.verdict())
    remarks = "".join(f"\n{remark}\n" for remark in run.metrics.remarks)
    return f"# {run.title}\n\n{said}{run.to_markdown()}{remarks}"


def _times(run: Run) -> tuple[int, int] | tuple[None, None]:
    """Return when the first session of work on the Run began, and when the last one ended, in milliseconds."""
    if not run.sessions or "started" not in run.sessions[0]:
        return None, None
    begun, last = (datetime.fromisoformat(run.sessions[at]["started"]).timestamp() for at in (0, -1))
    return int(1000 * begun), int(1000 * (last + run.sessions[-1].get("seconds", 0)))


@contextmanager
def _explained(tracker: str, refusals: tuple[type[Exception], ...], hint: str) -> Generator[None]:
    """Raise what a tracker raises as errors with a hint; a password within an address is not shown."""
    try:
        yield
    except refusals as error:
        said = one_line(re.sub(r"(?<=://)[^/@\s]+@", "…@", str(error)), 700)
        raise InputError(f"{tracker}: {said}", hint=hint) from error
    except ModuleNotFoundError as error:
        raise MissingError(f"{tracker} needs {error.name} here", hint=f"pip install {error.name}") from error
    except ImportError as error:
        # As MLflow 3.0 beside SQLAlchemy 2.1.
        hint = "its version does not fit another package: upgrade it (pip install --upgrade)"
        raise MissingError(f"{tracker}: {one_line(str(error))}", hint=hint) from error


def _mlflow(run: Run, where: str | None, project: str | None, *, files: bool) -> str:
    numbers, settings, (begun, ended) = tracked_metrics(run), tracked_settings(run), _times(run)
    mlflow: Any = optional("mlflow", "mlflow", "a run in MLflow", extra="mlflow")
    uri = where or mlflow.get_tracking_uri()
    hint = "check the tracking URI, such as sqlite:///mlflow.db or http://localhost:5000, and the experiment"
    with _explained("MLflow", _refusals(mlflow, uri), hint):
        client = mlflow.MlflowClient(tracking_uri=where)
        into = _experiment(client, project, active=uri == mlflow.get_tracking_uri())
        tags = {IDENTITY: _identity(run), "llmrank.title": run.title, "mlflow.note.content": run.title}
        earlier = client.search_runs([into], f"tags.`{IDENTITY}` = '{tags[IDENTITY]}'", max_results=1)
        entry = earlier[0] if earlier else client.create_run(into, begun, tags, run.name)
        made, status = entry.info.run_id, "FAILED"
        try:
            now, entities = int(1000 * time.time()), mlflow.entities
            # A parameter, once there, cannot change; nor do the settings of a Run.
            missing = {name: text for name, text in settings.items() if name not in entry.data.params}
            params = [entities.Param(name, text) for name, text in missing.items()]
            metrics = [entities.Metric(name, value, now, 0) for name, value in numbers.items()]
            for at in range(0, len(params), PARAMS_AT_ONCE):
                client.log_batch(made, params=params[at : at + PARAMS_AT_ONCE])
            for at in range(0, len(metrics), METRICS_AT_ONCE):
                client.log_batch(made, metrics=metrics[at : at + METRICS_AT_ONCE])
            if files:
                client.log_artifacts(made, str(run.path))
                client.log_text(made, _summary(run), "summary.md")
                for name, text in tracked_texts(run).items():
                    client.log_text(made, text, f"settings/{name}.txt")
            status = "FINISHED"
        finally:
            client.set_terminated(made, status, ended)
        return made


def _refusals(mlflow: ModuleType, uri: str) -> tuple[type[Exception], ...]:
    """Return what MLflow raises for a store; raises MissingError where the store cannot be reached at all."""
    refusals: tuple[type[Exception], ...] = (mlflow.exceptions.MlflowException,)
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme in DATABASES:
        optional("sqlalchemy", "sqlalchemy", "a database of MLflow", extra="mlflow")
        return (*refusals, optional("sqlalchemy.exc", "sqlalchemy", "a database of MLflow").SQLAlchemyError)
    if scheme in ("http", "https"):
        try:
            requests.head(uri, timeout=SERVER_ANSWERS_WITHIN)
        except requests.exceptions.SSLError:
            pass  # it is there; whose certificates count is a setting of MLflow
        except requests.RequestException as error:
            server = urlsplit(uri)._replace(netloc=urlsplit(uri).netloc.rpartition("@")[2]).geturl()
            hint = "start it (mlflow server), or correct the tracking URI"
            raise MissingError(f"no MLflow server answers at {server}", hint=hint) from error
    return refusals


def _experiment(client: Any, name: str | None, *, active: bool) -> str:  # noqa: ANN401 - mlflow is optional
    """Return the id of an experiment, which is made where there is none; None: the one that is set.

    `active` says whether the store is the one that MLflow's own settings speak of. `mlflow.set_experiment` sets the id.
    """
    if name is None and active and (known := os.environ.get("MLFLOW_EXPERIMENT_ID")):
        return known
    name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
    found = client.get_experiment_by_name(name)
    return client.create_experiment(name) if found is None else found.experiment_id


def _wandb(run: Run, where: str | None, project: str | None, *, files: bool) -> str:
    numbers = tracked_metrics(run)
    wandb: Any = optional("wandb", "wandb", "a run in Weights & Biases", extra="wandb")
    if where is not None:
        try:
            Path(where).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(Path(where), error) from error
    hint = "check the project; log in (wandb login), or set WANDB_MODE=offline and send it later (wandb sync)"
    with _explained("Weights & Biases", (wandb.Error,), hint):
        # A run that the caller has open stays open, and is not written into. What is printed, and the state of the code
        # here and now, are not the Run's.
        about = {"reinit": "create_new", "settings": wandb.Settings(console="off", disable_git=True)}
        again = {"id": _identity(run), "resume": "allow", "allow_val_change": True}
        with wandb.init(project=project, dir=where, config=dict(run.settings), **again, **about) as made:
            if not made.resumed:  # a person may have changed them since
                made.name, made.notes = run.name, run.title
            made.summary.update(numbers)
            if files:
                folder = wandb.Artifact(f"llmrank-{made.id}", type="llmrank-run")
                folder.add_dir(str(run.path))
                made.log_artifact(folder)
            return made.id
