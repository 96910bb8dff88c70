"""A single HTML file that shows Runs: the verdict, all metrics, every user, what was sent and what the model answered.

The file needs no network and no server. It contains the Cases as compressed JSON. Its script inserts text only as text,
and a content security policy lets only that script run.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import zlib
from collections.abc import Iterable, Sequence
from importlib import resources
from itertools import zip_longest
from os.path import commonprefix
from pathlib import Path
from typing import Any

import numpy as np

from llmrank.audit import Audit
from llmrank.errors import as_path, safe_for_console
from llmrank.evaluation.calls import Call, calls_of
from llmrank.files import check_free, json_bytes, writing
from llmrank.measures.judgements import tie_group
from llmrank.report.sections import sections, summary
from llmrank.run.compare import Comparison, compare, setting_text
from llmrank.run.folder import files_of
from llmrank.run.metrics import task_of, the_measure
from llmrank.run.pareto import pareto
from llmrank.run.run import CaseStory, Run, run_of
from llmrank.types import Ranking

DEPTHS = 50
"""The maximum cut-off of the curves."""
CALLS = 20
"""The maximum number of calls per Case whose messages are included."""
ROOM = 2500
"""Compressed bytes of messages per Case after which further calls are left out, to keep the page small."""


def page(run: Run, *more: Run, audits: Sequence[Audit] = (), by: Sequence[str] = ()) -> str:
    """Return a page about Runs as one HTML document; further Runs are compared with the first.

    `audits` are shown in addition to those that need only a Run (position, popularity); `by` names extra columns of the
    Cases to group by (see `Run.groups`).

    Raises InputError if a Run is not finished, or if the Runs are not comparable.
    """
    run, more = run_of(run), tuple(map(run_of, more))
    comparison = compare(run, *more) if more else None
    title = " → ".join(comparison.verdict()[:1] or comparison.runs) if comparison else run.title
    runs = list(zip(comparison.runs if comparison else [run.name], (run, *more), strict=True))
    data = {
        "runs": [_run(one, name, comparison.headline if comparison else None) for name, one in runs],
        "comparison": comparison and _comparison(comparison),
    }
    # mtime=0: the same Runs make the same file.
    packed = gzip.compress(json_bytes(json.dumps(data, ensure_ascii=False, separators=(",", ":"))), mtime=0)
    folder = resources.files("llmrank.report")
    script, style, body = (folder.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("js", "css", "html"))
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "policy": f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'",
        "title": html.escape(safe_for_console(title)),
        "style": style,
        "summary": summary(runs, comparison),
        "sections": sections(runs, pareto(run, *more) if more else None, audits, by),
        "data": base64.b64encode(packed).decode(),
        "script": script,
    }
    # One pass, so that inserted text is never searched for placeholders.
    pieces = body.split("%%")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def write_page(
    path: str | Path,
    run: Run,
    *more: Run,
    audits: Sequence[Audit] = (),
    by: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write `page` to a file and return its path; raises InputError if it cannot be written."""
    file, run, more = as_path(path), run_of(run), tuple(map(run_of, more))
    check_free(file, overwrite=overwrite, sources=[part for one in (run, *more) for part in files_of(one.path)])
    content = page(run, *more, audits=audits, by=by)
    with writing(file) as part:
        part.write_text(content, encoding="utf-8")
    return file


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "settings": {
            name: [setting_text(value, name) for value in values] for name, values in comparison.settings.items()
        },
        "template": comparison.template_diff,
    }


def _run(run: Run, name: str, measure: str | None) -> dict[str, Any]:
    """Return a Run as the page's script reads it. Cases refer to items by number.

    `measure` is the headline measure of the comparison; None if there is none.
    """
    titles: _Titles = {}
    metrics = run.metrics
    headline = measure or metrics.headline
    rating = task_of(run.cases) == "rating"
    stories = list(run)
    values = run.per_case(headline, run.done).tolist() if headline else [None] * len(stories)
    chosen = the_measure(headline, task_of(run.cases), order_only=run.order_only) if headline else None
    by_user = chosen.compared(run.judged(run.done)).tolist() if chosen else values
    calls = calls_of(run)
    compared = headline if metrics.has_recall_order and not rating else None
    recall_order = run.recall_order(compared).tolist() if compared else [None] * len(stories)
    return {
        "name": name,
        "headline": headline,
        "compared": chosen and (chosen.of_case or headline),
        "lowerIsBetter": bool(headline and metrics[headline].lower_is_better),
        "rating": rating,
        "outcomes": dict(metrics.outcomes),
        "reasons": dict(metrics.reasons),
        "curves": {} if rating else _curves(run),
        "settings": {key: setting_text(value) for key, value in run.settings.items() if not key.endswith("template")},
        "templates": {key: value for key, value in run.settings.items() if key.endswith("template") and value},
        "cases": [
            _case(story, titles, _finite(value), _finite(recall_value))
            | {"sent": _packed(found := calls(story.record)), "read": [call.read for call in found]}
            | ({"compared": _finite(number)} if rating else {})
            for story, value, recall_value, number in zip(stories, values, recall_order, by_user, strict=True)
        ],
        "titles": [title for _, title in titles],
    }


_Titles = dict[tuple[str, str], int]
"""The number of each item of a Run. The title is part of the key, because rows of a candidate file may use the same id
for different items."""


def _case(story: CaseStory, titles: _Titles, value: float | None, recall_value: float | None) -> dict[str, Any]:
    case, record, ranking = story.case, story.record, story.record.ranking
    items, marks, gains = story.titles, story.marks, case.gain_of
    graded = any(gain != 1 for gain in gains.values())

    def number(item_id: str, title: str) -> int:
        return titles.setdefault((item_id, title), len(titles))

    def numbers(item_ids: Iterable[str]) -> list[int]:
        return [number(item_id, items[item_id]) for item_id in item_ids if item_id in items]

    return {
        "id": case.case_id,
        "user": case.user_id,
        "history": [[number(event.item.item_id, event.item.title), event.rating] for event in case.history],
        "recall": numbers(story.recalled.order or record.candidates),
        "shown": numbers(item.item_id for item in story.shown),
        "placed": numbers(record.placed),
        "scores": [_finite(score, 6) for score in (ranking.scores or ())[: len(record.placed)]],
        "relevant": numbers(case.relevant),
        "marks": [marks[item_id] for item_id in case.relevant if item_id in items] if graded else [],
        "rank": _rank(record.ranking, case.relevant, len(record.placed)),
        "recallRank": _rank(story.recalled, case.relevant, len(story.recalled.order)),
        "missed": [
            item_id + (f" (gain {gains[item_id]:g})" if graded else "")
            for item_id in case.relevant
            if item_id not in items
        ],
        "truth": case.rating,
        "outcome": str(ranking.outcome),
        "reason": ranking.reason or "",
        "repairs": dict(ranking.repairs),
        "matches": dict(ranking.matches),
        "answers": list(record.responses),
        "finish": list(record.finish_reasons),
        "value": value,
        "recallValue": recall_value,
        "tokens": [record.usage.prompt_tokens, record.usage.completion_tokens],
        "seconds": record.seconds,
    }


def _rank(ranking: Ranking, relevant: Sequence[str], placed: int) -> tuple[int, int] | None:
    """Return the first and last place (from 1) that the best relevant item is tied for; None if it is not placed."""
    found = (tie_group(ranking, at) for at, item_id in enumerate(ranking.order[:placed]) if item_id in relevant)
    above, size = next(found, (0, 0))
    return (above + 1, above + size) if size else None


def _packed(calls: Sequence[Call]) -> list[list[tuple[str, int, str]] | str]:
    """Return the messages of the first calls, delta-encoded against the previous call.

    Each message is its role, the number of leading characters shared with the message at the same place in the previous
    call, and the rest. A call with unknown messages is the reason instead.
    """
    packed: list[list[tuple[str, int, str]] | str] = []
    squeezed, size = zlib.compressobj(), 0
    before: Sequence[str] = ()
    for call in calls[:CALLS]:
        if size > ROOM:
            break
        messages = call.messages or ()
        texts = [message.content for message in messages]
        shared = [len(commonprefix(pair)) for pair in zip_longest(before, texts, fillvalue="")]  # noqa: RUF071
        parts = [(one.role, same, one.content[same:]) for one, same in zip(messages, shared, strict=False)]
        packed.append(parts or call.unknown)
        size += len(squeezed.compress(json_bytes("".join(rest for *_, rest in parts))))
        size += len(squeezed.flush(zlib.Z_SYNC_FLUSH))
        before = texts
    return packed


def _curves(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return NDCG and HR at each cut-off, with intervals and baselines; empty if no truth is known."""
    longest = min(run.metrics.candidates, DEPTHS)
    if longest < 2 or not run.metrics.judged_cases:
        return {}
    found = run.measure(f"NDCG@1..{longest},HR@1..{longest}")
    return {
        kind: [
            {
                "k": k,
                "value": (summary := found[f"{kind}@{k}"]).value,
                "ci95": summary.ci95,
                "baselines": dict(summary.baselines),
            }
            for k in range(1, longest + 1)
        ]
        for kind in ("NDCG", "HR")
    }


def _finite(value: float | None, decimals: int = 9) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), decimals)
