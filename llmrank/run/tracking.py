"""Log a Run to an experiment tracker: MLflow, or Weights & Biases.

A measure is logged as `NDCG_at_10`, because MLflow does not allow `@`. It comes with `NDCG_at_10_low` and `_high`, the
ends of its 95% interval over users; with `_answered_only`, `_proposed_only`, `_worst` and `_best`; with the baselines
(`_random`, `_popularity`, `_recall_order`, `_ceiling` and the trained ones); and with the differences from them:
`_minus_recall_order`, its `_low` and `_high`, and `_p`, corrected for several measures. Settings become parameters;
nested ones get dotted names in MLflow and stay nested in Weights & Biases. The files of the Run become artifacts.
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
"""Maximum length of a parameter; longer and multi-line settings, such as templates, become artifacts."""
PARAMS_AT_ONCE, METRICS_AT_ONCE = 100, 1000
"""The limits of an MLflow server per call."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVER_ANSWERS_WITHIN = 10.0
"""Seconds. MLflow itself would retry silently for minutes."""
IDENTITY = "llmrank.run"
"""The tag that identifies a Run already logged."""


def track(
    run: Run, tracker: Tracker, *, where: str | Path | None = None, project: str | None = None, files: bool = True
) -> str:
    """Log a finished Run to a tracker and return its id there.

    Logging the same Run again updates its earlier entry in that project, even if the folder has moved.

    Args:
        run: A finished Run.
        tracker: `mlflow` or `wandb`.
        where: For MLflow the tracking URI, such as `sqlite:///mlflow.db`; for Weights & Biases the folder of its local
            files. None: the tracker's own setting (`MLFLOW_TRACKING_URI`, `WANDB_DIR`).
        project: The MLflow experiment or the Weights & Biases project; None: the tracker's default. Weights & Biases
            sends nothing while `WANDB_MODE` is `offline`.
        files: Whether to upload the files of the Run. They contain user histories and model answers.

    Raises:
        InputError: the Run is not finished, the tracker is unknown, or the tracker reports an error.
        MissingError: a required package is not installed, or no MLflow server answers.
    """
    if tracker not in get_args(Tracker):
        hint = f"use one of {', '.join(get_args(Tracker))}"
        raise InputError(f"unknown tracker {tracker!r}", field="tracker", hint=hint)
    log = _mlflow if tracker == "mlflow" else _wandb
    return log(run, None if where is None else str(where), project, files=files)


def tracked_metrics(run: Run) -> dict[str, float]:
    """Return the metrics of a Run under the names they are logged by; undefined values are left out."""
    return {_name(name): float(value) for name, value in _numbers(run) if value is not None}


def tracked_settings(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings of a Run as strings, by dotted name, without unset ones: those that fit a parameter, and the
    texts that are too long for one or have several lines, mainly the templates."""
    settings = {_name(name): str(value) for name, value in flat_settings(run.settings).items() if value is not None}
    texts = {name: text for name, text in settings.items() if len(text) > LONGEST or "\n" in text}
    return {name: text for name, text in settings.items() if name not in texts}, texts


def _name(name: str) -> str:
    """Return a name valid in every tracker: MLflow's file store treats `/` as a folder, and Windows forbids `:`."""
    return re.sub(r"[^\w. -]", "_", name.replace("@", "_at_"))


def _identity(run: Run) -> str:
    """Return a hash that stays the same when the Run is moved, continued or read again."""
    begun = run.sessions[0].get("started") if run.sessions else None
    content = json.dumps({"settings": run.settings, "started": begun}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _numbers(run: Run) -> Iterator[tuple[str, float | None]]:
    metrics, usage = run.metrics, run.metrics.usage
    for measure, summary in metrics.measures.items():
        yield from _with_ends(measure, summary.value, summary.ci95)
        yield from _with_ends(f"{measure}_proposed_only", summary.proposed_only, summary.proposed_only_ci95)
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
    """Return a Markdown summary: the verdict, the table and the remarks."""
    verdict = "".join(f"{sentence}\n\n" for sentence in run.metrics.verdict())
    remarks = "".join(f"\n{remark}\n" for remark in run.metrics.remarks)
    return f"# {run.title}\n\n{verdict}{run.to_markdown()}{remarks}"


def _times(run: Run) -> tuple[int, int] | tuple[None, None]:
    """Return the start of the first session and the end of the last one, in milliseconds since the epoch."""
    if not run.sessions or "started" not in run.sessions[0]:
        return None, None
    begun, last = (datetime.fromisoformat(run.sessions[at]["started"]).timestamp() for at in (0, -1))
    return int(1000 * begun), int(1000 * (last + run.sessions[-1].get("seconds", 0)))


@contextmanager
def _explained(tracker: str, refusals: tuple[type[Exception], ...], hint: str) -> Generator[None]:
    """Turn a tracker's exceptions into errors with a hint; passwords in URLs are masked."""
    try:
        yield
    except refusals as error:
        reason = one_line(re.sub(r"(?<=://)[^/@\s]+@", "…@", str(error)), 700)
        raise InputError(f"{tracker}: {reason}", hint=hint) from error
    except ModuleNotFoundError as error:
        raise MissingError(f"{tracker} needs {error.name} here", hint=f"pip install {error.name}") from error
    except ImportError as error:
        # For example, MLflow 3.0 with SQLAlchemy 2.1.
        hint = "its version is incompatible with another package: upgrade it (pip install --upgrade)"
        raise MissingError(f"{tracker}: {one_line(str(error))}", hint=hint) from error


def _mlflow(run: Run, where: str | None, project: str | None, *, files: bool) -> str:
    numbers, (settings, texts), (begun, ended) = tracked_metrics(run), tracked_settings(run), _times(run)
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
            # MLflow parameters are immutable; so are the settings of a Run.
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
                for name, text in texts.items():
                    client.log_text(made, text, f"settings/{name}.txt")
            status = "FINISHED"
        finally:
            client.set_terminated(made, status, ended)
        return made


def _refusals(mlflow: ModuleType, uri: str) -> tuple[type[Exception], ...]:
    """Return the exceptions that MLflow raises for a store; raises MissingError if the store cannot be reached."""
    refusals: tuple[type[Exception], ...] = (mlflow.exceptions.MlflowException,)
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme in DATABASES:
        optional("sqlalchemy", "sqlalchemy", "a database of MLflow", extra="mlflow")
        return (*refusals, optional("sqlalchemy.exc", "sqlalchemy", "a database of MLflow").SQLAlchemyError)
    if scheme in ("http", "https"):
        try:
            requests.head(uri, timeout=SERVER_ANSWERS_WITHIN)
        except requests.exceptions.SSLError:
            pass  # the server is up; certificate checks are up to MLflow's own settings
        except requests.RequestException as error:
            server = urlsplit(uri)._replace(netloc=urlsplit(uri).netloc.rpartition("@")[2]).geturl()
            hint = "start it (mlflow server), or correct the tracking URI"
            raise MissingError(f"no MLflow server answers at {server}", hint=hint) from error
    return refusals


def _experiment(client: Any, name: str | None, *, active: bool) -> str:  # noqa: ANN401 - mlflow is optional
    """Return the id of an experiment, created if it does not exist; None selects MLflow's configured one.

    `active` tells whether the store is the one in MLflow's own settings: `mlflow.set_experiment` sets an id there.
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
        # Leave alone a run that the caller has open. Console output and the git state of now do not belong to the Run.
        about = {"reinit": "create_new", "settings": wandb.Settings(console="off", disable_git=True)}
        again = {"id": _identity(run), "resume": "allow", "allow_val_change": True}
        with wandb.init(project=project, dir=where, config=dict(run.settings), **again, **about) as made:
            if not made.resumed:  # a user may have edited them since
                made.name, made.notes = run.name, run.title
            made.summary.update(numbers)
            if files:
                folder = wandb.Artifact(f"llmrank-{made.id}", type="llmrank-run")
                folder.add_dir(str(run.path))
                made.log_artifact(folder)
            return made.id
