"""The table that ends an evaluation: the numbers, what stands beside them, and what they say in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

NAMES = {
    "random": "random",
    "popularity": "popularity",
    "recall_order": "recall order",
    "oracle": "ceiling",
    "global_mean": "global mean",
    "item_mean": "item mean",
    "user_mean": "user mean",
}


def show_metrics(
    metrics: Mapping[str, Any], *, title: str, notes: tuple[str, ...], run: str | None, calls: str, paid: str = ""
) -> None:
    """Print the table of a Run to stdout; `paid` is the money of this session, where prices are known."""
    from rich.console import Console
    from rich.table import Table

    # A pipe has no width of its own, and a table cut to 80 columns says less.
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("measure")
    for column in ("value", "95% interval", "answered only", "worst to best"):
        table.add_column(column, justify="right")
    beside: list[str] = list(metrics["baselines"])
    for name in beside:
        table.add_column(NAMES[name], justify="right", style="dim")
    for measure, numbers in metrics["measures"].items():
        table.add_row(
            measure,
            _number(numbers["value"]),
            _pair(numbers["ci95"]),
            _number(numbers["answered_only"]),
            _pair((numbers["worst"], numbers["best"])),
            *(_number(metrics["baselines"][name][measure]) for name in beside),
        )
    console.print(table)
    for label, text in _lines(metrics, notes, run, calls, paid):
        click.echo(f"{label:11} {text}")


def _lines(
    metrics: Mapping[str, Any], notes: tuple[str, ...], run: str | None, calls: str, paid: str
) -> list[tuple[str, str]]:
    cases, evaluation = metrics["cases"], metrics["evaluation"]
    forced = ", the target put into every list" if metrics["target_forced"] else ""
    lines = [("cases", f"{cases}, {evaluation}{forced}")]
    lines += [("", note) for note in notes]
    lines.append(("outcomes", _counts(metrics["outcomes"])))
    if metrics["reasons"]:
        lines.append(("because", _counts(dict(list(metrics["reasons"].items())[:4]))))
    if metrics["repairs"]:
        lines.append(("repairs", _counts(metrics["repairs"])))
    if metrics["history_dropped"]:
        lines.append(("dropped", f"{metrics['history_dropped']} oldest events, for want of room in the model"))
    if mass := metrics["label_mass"]:
        low = f"; too low in {mass['cases_with_low']} Cases" if mass["cases_with_low"] else ""
        lines.append(("label mass", f"mean {mass['mean']:.3f}, lowest {mass['lowest']:.3f}{low}"))
    usage = metrics["usage"]
    if usage["requests"]:
        lines.append(
            (
                "calls",
                f"{usage['requests']} ({calls}), {usage['prompt_tokens']:,} prompt tokens "
                f"({_cached(usage)}), {usage['completion_tokens']:,} completion tokens",
            )
        )
    if usage["cost"] is not None:
        from llmrank.prices import show_money

        all_of_it = show_money(usage["cost"], usage["currency"])
        lines.append(("cost", f"{all_of_it} for these answers, {paid} now, at the prices of {usage['prices_dated']}"))
    lines += [("verdict", sentence) for sentence in verdict(metrics)]
    if run is not None:
        lines.append(("run", run))
    return lines


def _cached(usage: Mapping[str, Any]) -> str:
    """Return what the prefix cache saved, beside the least that has to be computed when nothing shared within a Case is
    computed twice; an endpoint that says nothing of a cache says 0."""
    text = f"{usage['cached_tokens']:,} from the prefix cache"
    computed, least = usage["prompt_tokens"] - usage["cached_tokens"], usage["least_prompt_tokens"]
    # Less than that is what different Cases share, which is no part of the least.
    said = usage["cached_tokens"] and 0 < least < computed
    return f"{text}: {computed / least:.2f} times the least was computed" if said else text


def verdict(metrics: Mapping[str, Any]) -> list[str]:
    """Return what the numbers say of the model against what costs nothing, in sentences."""
    sentences: list[str] = []
    lower_is_better = "RMSE" in metrics["measures"]
    headline = next((m for m in ("NDCG@10", "RMSE") if m in metrics["measures"]), next(iter(metrics["measures"]), None))
    for key, than in (
        ("versus_recall_order", "recall order"),
        ("versus_random", "random"),
        ("versus_user_mean", "the user's mean"),
        ("versus_item_mean", "the item's mean"),
    ):
        if headline is None or headline not in metrics.get(key, {}):
            continue
        found = metrics[key][headline]
        difference, low, high = found["difference"], *found["ci95"]
        if difference is None or low is None:
            continue
        told, better = found["p_holm"] < 0.05, (difference < 0) == lower_is_better
        relation = f"is {'better' if better else 'worse'} than" if told else "cannot be told from"
        sentences.append(
            f"{headline} {relation} {than}: {difference:+.4f} [{low:+.4f}, {high:+.4f}], p = {found['p_holm']:.4f}."
        )
    unread = metrics["outcomes"]["unparsed"] + metrics["outcomes"]["error"]
    if unread:
        sentences.append(f"{unread} of {metrics['cases']} Cases have no readable answer, and count as worst.")
    return sentences


def _counts(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {count}" for name, count in counts.items())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _pair(pair: tuple[float | None, float | None] | list[float] | None) -> str:
    return "–" if pair is None else f"{_number(pair[0])} to {_number(pair[1])}"
