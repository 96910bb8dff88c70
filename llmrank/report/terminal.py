"""The table that ends an evaluation: what the numbers say, the numbers, and what stands beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmrank.prices import show_money
from llmrank.run.tables import between, equals, number, printable, signed

if TYPE_CHECKING:
    from llmrank.run.metrics import Metrics, UsageSummary
    from llmrank.run.run import CaseStory

PIPE_WIDTH = 120
"""A pipe has no width of its own."""
SIGNIFICANT = 0.05
REASONS = 4
NAME_WIDTH, TITLE_WIDTH = 12, 40


def console(width: int | None = None) -> Console:
    """Return the console for results: stdout, as wide as the terminal, or 120 columns for a pipe or a file."""
    return Console(width=width or (None if Console().is_terminal else PIPE_WIDTH), highlight=False, markup=False)


def show_metrics(
    metrics: Metrics,
    *,
    title: str,
    run: str | None = None,
    calls: str = "",
    paid: str = "",
    width: int = PIPE_WIDTH,
) -> RenderableType:
    """Return the table of a Run: the verdict, the numbers, and the lines that must stand beside them.

    Args:
        metrics: The numbers.
        title: What was evaluated.
        run: The Run's folder; None: it is not kept.
        calls: How many of the calls were made now, such as `80 made now, the rest were stored`.
        paid: The money of this session, where prices are known.
        width: Columns of the terminal. A table that does not fit has more lines, never fewer digits.
    """
    sentences = [Text(sentence, style="" if place else "bold") for place, sentence in enumerate(verdict(metrics))]
    table = _fitting(width, _wide_table(metrics), _narrow_table(metrics), _list(metrics))
    trained = _fitting(width, _trained_table(metrics, " "), _trained_table(metrics, "\n"))
    lines = [_line(name, text, width) for name, text in _lines(metrics, run, calls, paid)]
    return Group(Text(printable(title)), *sentences, table, *([trained] if trained.rows else []), *lines)


def _fitting(width: int, *tables: Table) -> Table:
    """Return the first table that fits; every cell keeps its line, so that what a table needs is what it asks for."""
    return next((one for one in tables if Console(width=1000).measure(one).maximum <= width), tables[-1])


def show_worst(worst: Sequence[tuple[CaseStory, float]], measure: str) -> RenderableType:
    """Return the Cases that lost most against recall order, as `Run.worst` gives them."""
    if not worst:
        return Text(f"No Case has a lower {measure} than recall order gives it.")
    table = Table(title=f"Cases that lost most {measure} against recall order", title_justify="left", pad_edge=False)
    table.add_column("case", no_wrap=True)
    table.add_column("lost", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("relevant", overflow="fold")
    table.add_column("rank: recall order → method")
    for story, lost in worst:
        case, record = story.case, story.record
        titles = {item.item_id: item.title for item in case.candidates}
        recall = {item_id: place for place, item_id in enumerate(record.candidates, 1)}
        placed = {item_id: f"{place}" for place, item_id in enumerate(record.placed, 1)}
        found = [item_id for item_id in case.relevant if item_id in titles]
        table.add_row(
            Text(printable(case.case_id)),
            signed(lost),
            str(record.ranking.outcome),
            Text("\n".join(printable(titles[item_id])[:TITLE_WIDTH] for item_id in found)),
            "\n".join(f"{recall[item_id]} → {placed.get(item_id, 'not placed')}" for item_id in found),
        )
    return table


def verdict(metrics: Metrics) -> list[str]:
    """Return what the numbers say of the method against what makes no model calls, in sentences."""
    sentences: list[str] = []
    if metrics.headline is not None and metrics.headline in metrics:
        summary = metrics[metrics.headline]
        for name, found in summary.versus.items():
            if found.difference is None or found.ci95 is None:
                continue
            significant, better = found.p_holm < SIGNIFICANT, (found.difference < 0) == summary.lower_is_better
            relation = f"{'better' if better else 'worse'} than" if significant else "no significant difference from"
            numbers = f"{signed(found.difference)}, 95% CI {between(found.ci95, sign=True)}, {equals(found.p_holm)}"
            sentences.append(f"{metrics.headline}: {relation} {_name(name)} ({numbers})")
    if unread := metrics.cases - metrics.answered_cases:
        sentences.append(f"{unread} of {metrics.cases} Cases have no readable answer; they count as worst.")
    return sentences


def _baselines(metrics: Metrics) -> list[str]:
    """Return the baselines that are columns; the trained ones have a table of their own."""
    names = (
        name for summary in metrics.measures.values() for name in summary.baselines if name not in summary.baseline_ci95
    )
    return list(dict.fromkeys(names))


def _trained_table(metrics: Metrics, between_cells: str) -> Table:
    """Return a row for each trained baseline and measure: its value, and the method minus it, with their intervals."""
    table = Table(pad_edge=False, show_lines=between_cells == "\n")
    for column in ("trained", "measure"):
        table.add_column(column, no_wrap=True)
    for column in (f"value{between_cells}95% CI", f"method minus it{between_cells}95% CI", "p (Holm)"):
        table.add_column(column, justify="right", no_wrap=True)
    for measure, summary in metrics.measures.items():
        for name, ends in summary.baseline_ci95.items():
            versus = summary.versus[name]
            table.add_row(
                _name(name),
                measure,
                f"{number(summary.baselines[name])}{between_cells}{between(ends)}",
                f"{signed(versus.difference)}{between_cells}{between(versus.ci95, sign=True)}",
                equals(versus.p_holm),
            )
    return table


def _wide_table(metrics: Metrics) -> Table:
    table = Table(pad_edge=False)
    table.add_column("measure", no_wrap=True)
    for column in ("value", "95% CI", "answered only", "worst to best"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in (beside := _baselines(metrics)):
        table.add_column(_name(name), justify="right", style="dim", no_wrap=True)
    for measure, summary in metrics.measures.items():
        table.add_row(
            measure,
            number(summary.value),
            between(summary.ci95),
            number(summary.answered_only),
            between((summary.worst, summary.best)),
            *(number(summary.baselines.get(name)) for name in beside),
        )
    return table


def _narrow_table(metrics: Metrics) -> Table:
    """Return the table with the interval under the value, the bounds under "answered only", two baselines a column."""
    beside = _baselines(metrics)
    pairs = [beside[place : place + 2] for place in range(0, len(beside), 2)]
    table = Table(pad_edge=False, show_lines=True)
    table.add_column("measure", no_wrap=True)
    for column in ("value\n95% CI", "answered only\nworst to best"):
        table.add_column(column, justify="right", no_wrap=True)
    for names in pairs:
        table.add_column("\n".join(map(_name, names)), justify="right", style="dim", no_wrap=True)
    for measure, summary in metrics.measures.items():
        table.add_row(
            measure,
            f"{number(summary.value)}\n{between(summary.ci95)}",
            f"{number(summary.answered_only)}\n{between((summary.worst, summary.best))}",
            *("\n".join(number(summary.baselines.get(name)) for name in names) for names in pairs),
        )
    return table


def _list(metrics: Metrics) -> Table:
    """Return the table with a line for each number."""
    table = Table(pad_edge=False, show_lines=True)
    table.add_column("measure", no_wrap=True)
    table.add_column("")
    table.add_column("value", justify="right", no_wrap=True)
    for measure, summary in metrics.measures.items():
        numbers = {
            "value": number(summary.value),
            "95% CI": between(summary.ci95),
            "answered only": number(summary.answered_only),
            "worst to best": between((summary.worst, summary.best)),
            **{_name(name): number(summary.baselines.get(name)) for name in _baselines(metrics)},
        }
        table.add_row(measure, "\n".join(numbers), "\n".join(numbers.values()))
    return table


def _line(name: str, text: str, width: int) -> Text:
    """Return a line with its name in front; a long one continues below its beginning."""
    wrapped = wrap(printable(text), width - NAME_WIDTH, break_long_words=False, break_on_hyphens=False)
    return Text(f"{name:{NAME_WIDTH}}" + f"\n{'':{NAME_WIDTH}}".join(wrapped), no_wrap=True)


def _lines(metrics: Metrics, run: str | None, calls: str, paid: str) -> Iterator[tuple[str, str]]:
    forced = ", the target put into every list" if metrics.target_forced else ""
    users = f" of {metrics.users} users" if metrics.users != metrics.cases else ""
    yield "cases", f"{metrics.cases}{users}, {metrics.evaluation}{forced}"
    if unjudged := metrics.cases - metrics.judged_cases:
        yield "", f"{unjudged} have no known truth; no measure counts them."
    for note in metrics.notes:
        yield "", note
    if metrics.recall is not None:
        share = metrics.measures[metrics.headline].share_of_ceiling if metrics.headline else None
        reached = "" if share is None else f"; {metrics.headline} reaches {share:.0%} of its ceiling"
        yield "recall", f"{metrics.recall:.1%} of relevant items are among the candidates{reached}"
    yield "outcomes", _counts(metrics.outcomes)
    if metrics.reasons:
        yield "reasons", _counts(dict(list(metrics.reasons.items())[:REASONS]))
    if metrics.repairs:
        yield "repairs", _counts(metrics.repairs)
    if metrics.history_dropped:
        yield "dropped", f"{metrics.history_dropped} oldest events, to fit the context window"
    if (mass := metrics.label_mass) is not None:
        low = f"; too low in {mass.cases_with_low} Cases" if mass.cases_with_low else ""
        yield "label mass", f"mean {mass.mean:.3f}, lowest {mass.lowest:.3f}{low}"
    usage = metrics.usage
    if usage.requests:
        made = f" ({calls})" if calls else ""
        tokens = (
            f"{usage.prompt_tokens:,} prompt tokens ({_cached(usage)}), {usage.completion_tokens:,} completion tokens"
        )
        yield "calls", f"{usage.requests:,}{made}, {tokens}"
    if usage.cost is not None and usage.currency is not None:
        now = f", {paid} now" if paid else ""
        yield "cost", f"{show_money(usage.cost, usage.currency)} for these answers{now}, prices of {usage.prices_dated}"
    if run is not None:
        yield "run", run


def _cached(usage: UsageSummary) -> str:
    """Return what the prefix cache saved, relative to the minimum: each prefix shared within a Case is computed once.

    An endpoint that does not report caching counts as 0.
    """
    text = f"{usage.cached_tokens:,} from the prefix cache"
    computed, least = usage.prompt_tokens - usage.cached_tokens, usage.least_prompt_tokens
    # Below 1.0 prefixes were shared across Cases, which this minimum does not model.
    said = usage.cached_tokens and 0 < least < computed
    return f"{text}: {computed / least:.2f} times the least was computed" if said else text


def _name(baseline: str) -> str:
    return baseline.replace("_", " ")


def _counts(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {count:,}" for name, count in counts.items())
