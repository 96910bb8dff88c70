"""`llmrank reparse RUN`: stored answers read again with today's parser, at no call, and what that changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmrank.cli.options import CaseOptions, PromptOptions, json_option
from llmrank.errors import InputError

if TYPE_CHECKING:
    from llmrank.prompting import PromptTemplate
    from llmrank.run import CaseRecord
    from llmrank.run.metrics import MetricSettings
    from llmrank.run.rereading import Change, Reread
    from llmrank.store import Store
    from llmrank.types import Case, Response

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--write", is_flag=True, help="Put the new reading into the Run; the old one is kept beside it.")
@click.option("--data", default=None, help="Where the data (for `score`: the answers) has moved to.")
@click.option("--store", default=None, type=_FILE, help="Where the Store has moved to.")
@json_option
def reparse(run: Path, write: bool, data: str | None, store: Path | None, as_json: bool) -> None:
    """Read the answers of RUN (of `eval` or `score`) again with today's parser, and show what changes; nobody is asked.

    The Run's own template and settings are used, whatever has been edited since.
    """
    from llmrank.run import RunFolder, read_manifest, read_records
    from llmrank.run.metrics import metrics
    from llmrank.run.rereading import reread_all

    manifest = read_manifest(run)
    if not (records := read_records(run)):
        raise InputError("the Run holds no Case yet", path=run, hint="repeat the command that made it")
    with _reading(run, manifest, records, data=data, store=store) as reading:
        found = reread_all(records, reading.read)
    cases = [case for case in reading.cases if case.user_id in records]
    before, after = (metrics(cases, which, reading.protocol) for which in (found.before, found.after))
    if as_json:
        click.echo(json.dumps(_as_dict(run, found, before, after), indent=2, ensure_ascii=False))
    else:
        _show(run, found, before, after)
    if not write:
        return
    with RunFolder(run, manifest["settings"]) as folder:
        if folder.records != records:
            raise InputError("the Run has changed meanwhile", path=run, hint="repeat the command")
        kept = folder.replace(found.after) if found.changes else None
        if len(cases) == len(reading.cases):
            started = datetime.now(UTC).isoformat(timespec="seconds")
            folder.finish(after, {"started": started, "reread": len(records), "changed": len(found.changes)})
    if not as_json:
        written = "nothing to write" if kept is None else f"written; the old reading is in {kept}"
        click.echo(written + ("" if len(cases) == len(reading.cases) else "; metrics.json waits for the Cases to come"))


@dataclass(frozen=True, slots=True)
class _Reading:
    """All that is needed to read a Run again."""

    cases: Sequence[Case]
    protocol: MetricSettings
    read: Callable[[CaseRecord], CaseRecord]


@contextmanager
def _reading(
    run: Path, manifest: Mapping[str, Any], records: Mapping[str, CaseRecord], *, data: str | None, store: Path | None
) -> Generator[_Reading]:
    verb = manifest["origin"].get("verb")
    if verb == "score":
        yield _reading_of_score(run, manifest, data)
    elif verb == "eval":
        with ExitStack() as stack:
            stores = [stack.enter_context(one) for one in _stores(run, store)]
            yield _reading_of_eval(run, manifest, stores, records, data)
    else:
        raise InputError(
            "this Run does not say how it was made",
            path=run,
            hint="repeat the command that made it, at no call, with this llmrank; then reparse",
        )


def _stores(run: Path, store: Path | None) -> list[Store]:
    from llmrank.backends.replay import open_stores
    from llmrank.store import Store

    if store is not None:
        return [Store(store, read_only=True)]
    try:
        return open_stores(run)
    except InputError as error:
        # The record's own texts serve where no log-probabilities are needed.
        click.echo(f"{error.problem}: the texts in the Run are read", err=True)
        return []


def _reading_of_eval(
    run: Path,
    manifest: Mapping[str, Any],
    stores: Sequence[Store],
    records: Mapping[str, CaseRecord],
    data: str | None,
) -> _Reading:
    from llmrank.cli.asking import ContextWindow, make_prompt, make_ranker, options_of_first, with_options
    from llmrank.cli.cases import load_cases
    from llmrank.cli.eval import metric_settings
    from llmrank.rankers.order import Order
    from llmrank.run.metrics import case_measures, parse_measures
    from llmrank.run.rereading import Answers, NotAnsweredError, as_fitted, renewed, reread
    from llmrank.store import request_key

    settings, options = manifest["settings"], manifest["origin"]["options"]
    if "template" not in settings:
        raise InputError("this Run asked nobody", path=run, hint="name a Run of a ranker that asks a model")
    prompt_options = PromptOptions(**_known(PromptOptions, options["prompt"]))
    case_options = CaseOptions(**_known(CaseOptions, options["cases"]))
    case_options = replace(case_options, columns=tuple(case_options.columns), data=data or case_options.data)
    template = with_options(_template(settings["template"], run), prompt_options)
    profile = settings.get("profile_template")
    task = "rating" if template.front.task == "rating" else "ranking"
    found = load_cases(case_options, task, catalogue=template.front.candidates == "catalogue")
    _refuse_other_data(run, settings, found.settings)
    prompt = make_prompt(
        template,
        prompt_options,
        found,
        seed=case_options.seed,
        room=ContextWindow(labels=lambda: tuple(settings["view"].get("labels", ()))),
        profile_template=None if profile is None else _template(profile, run),
    )
    first = settings.get("first_template")
    ranker = make_ranker(
        prompt,
        prompt_options,
        found,
        seed=case_options.seed,
        first=None if first is None else with_options(_template(first, run), options_of_first(prompt_options)),
    )
    order = Order.parse(prompt_options.order, case_options.seed)
    measures = parse_measures(",".join(settings["measures"]), task)
    identity = settings["backend"]
    by_user = {case.user_id: case for case in found.cases}

    def stored(key: str) -> Response | None:
        return next((response for one in stores if (response := one.get(key)) is not None), None)

    def arrange(case: Case) -> Case:
        shown = prompt.view.history if prompt.view.history is not None else template.front.history
        return order.arrange(as_fitted(case, shown, records[case.user_id].ranking.history_dropped))

    def read(record: CaseRecord) -> CaseRecord:
        case = by_user.get(record.user_id)
        if case is None:
            raise NotAnsweredError("today's llmrank draws other users")
        if tuple(item.item_id for item in case.candidates) != record.candidates:
            raise NotAnsweredError("today's llmrank proposes other candidates")
        answers = Answers(record, lambda request: request_key(identity, request), stored)
        ranked = reread(case, ranker, answers, arrange)
        return renewed(record, ranked, case_measures(case, ranked.ranking, measures))

    return _Reading(found.cases, metric_settings(found, measures, task), read)


def _reading_of_score(run: Path, manifest: Mapping[str, Any], data: str | None) -> _Reading:
    from llmrank.answers import answer_format
    from llmrank.cli.score import read_answer, score_metric_settings
    from llmrank.data.candidates import read_cases
    from llmrank.engine import CaseResult, Exchange
    from llmrank.files import sha256_of
    from llmrank.run.metrics import case_measures, parse_measures
    from llmrank.run.rereading import NotAnsweredError, renewed
    from llmrank.types import Failure, Response

    settings, options = manifest["settings"], manifest["origin"]["options"]
    path = Path(data or options["answers"])
    if not path.is_file():
        raise InputError("there is no such file", path=path, hint="say with --data where the answers have moved to")
    _refuse_other_data(run, settings, {"data_sha256": sha256_of(path)})
    cases = sorted(read_cases(path, allow_empty_history=options["allow_empty_history"]), key=lambda case: case.user_id)
    by_user = {case.user_id: case for case in cases}
    form, scale = answer_format(settings["answer"]), (settings["scale"][0], settings["scale"][1])
    task = "rating" if cases[0].target is not None else "ranking"
    measures = parse_measures(",".join(settings["measures"]), task)

    def read(record: CaseRecord) -> CaseRecord:
        if (case := by_user.get(record.user_id)) is None:
            raise NotAnsweredError("the answers have no such user")
        text = record.responses[0]
        reply = Failure(record.ranking.reason) if text is None else Response(text)
        ranking = read_answer(case, reply, form, ids=settings["ids"], top=settings["top"], scale=scale)
        ranked = CaseResult(case, ranking, (Exchange("", reply, stored=True),))
        return renewed(record, ranked, case_measures(case, ranking, measures))

    return _Reading(cases, score_metric_settings(cases, measures, settings["data"], scale), read)


def _refuse_other_data(run: Path, then: Mapping[str, Any], now: Mapping[str, object]) -> None:
    if then["data_sha256"] != now["data_sha256"]:
        raise InputError(
            f"the data ({then['data']}) is not what it was when the Run was made: other content",
            path=run,
            field="data",
            hint="say with --data where the data of then is; or make a Run anew",
        )


def _known(kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that today's llmrank knows; one that is new since has its default."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in options.items() if name in names}


def _template(text: str, run: Path) -> PromptTemplate:
    from llmrank.prompting import read_template

    # Today's linter may know more mistakes than that of then; the answers are there all the same.
    return read_template(text, run / "manifest.json", strict=False)


def _as_dict(run: Path, found: Reread, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": str(run),
        "cases": len(found.before),
        "changed": len(found.changes),
        "outcomes": {"before": before["outcomes"], "after": after["outcomes"]},
        "repairs": {"before": before["repairs"], "after": after["repairs"]},
        "measures": {
            name: {"before": summary["value"], "after": after["measures"][name]["value"]}
            for name, summary in before["measures"].items()
        },
        "changes": [change.to_dict() for change in found.changes],
        "unreadable": dict(found.unreadable),
    }


def _show(run: Path, found: Reread, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Print the summary, then every Case that changed or could not be read."""
    alike = len(found.before) - len(found.changes) - len(found.unreadable)
    click.echo(f"{run}: {len(found.before)} Cases read again, nobody asked")
    lines = [
        ("Cases", f"{len(found.changes)} changed · {alike} as before · {len(found.unreadable)} cannot be read again"),
        ("outcomes", _arrows(before["outcomes"], after["outcomes"])),
        ("repairs", _arrows(before["repairs"], after["repairs"])),
    ]
    for name, summary in before["measures"].items():
        old, new = summary["value"], after["measures"][name]["value"]
        difference = "" if old is None or new is None else f"  ({new - old:+.4f})"
        lines.append((name, f"{_number(old)} → {_number(new)}{difference}"))
    for label, text in lines:
        click.echo(f"  {label:11} {text}")
    for change in found.changes:
        click.echo(f"user {change.before.user_id}: {_changed(change)}")
    for user, why in found.unreadable.items():
        click.echo(f"user {user}: cannot be read again: {why}")


def _changed(change: Change) -> str:
    """Return what changed in a Case, in a line."""
    changed = change.to_dict()
    parts: list[str] = []
    for name in ("outcome", "reason", "named", "predicted"):
        if name in changed:
            old, new = changed[name]
            parts.append(f"{name if name != 'named' else 'items placed'} {_word(old)} → {_word(new)}")
    for name in ("repairs", "matches"):
        if name in changed:
            parts.append(f"{name} {_arrows(*changed[name], only_changes=True)}")
    if change.first_place is not None:
        parts.append(f"another order from place {change.first_place}")
    if "measures" in changed:
        old, new = changed["measures"]
        parts += [f"{name} {_number(old.get(name))} → {_number(new.get(name))}" for name in {**old, **new}]
    return "; ".join(parts) or "other scores"


def _arrows(before: Mapping[str, int], after: Mapping[str, int], *, only_changes: bool = False) -> str:
    counts = {name: (before.get(name, 0), after.get(name, 0)) for name in {**before, **after}}
    shown = [
        f"{name} {old} → {new}" if old != new else f"{name} {old}"
        for name, (old, new) in counts.items()
        if not (only_changes and old == new)
    ]
    return " · ".join(shown) or "none"


def _word(value: object) -> str:
    return "none" if value in (None, "") else f"{value}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
