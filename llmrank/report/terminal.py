"""The terminal summary of an evaluation: the verdict, the metrics, and the lines below them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmrank.errors import count_of, safe_for_console
from llmrank.evaluation.calls import Call, calls_of
from llmrank.measures.judgements import places_of
from llmrank.prices import show_money
from llmrank.run.tables import TextTable, estimate, in_cases, number, p_value, signed
from llmrank.stats import FEW_DIFFERENT

if TYPE_CHECKING:
    from llmrank.run.metrics import Metrics, UsageSummary
    from llmrank.run.run import CaseStory, Run

PIPE_WIDTH = 120
"""The width for pipes and files, which have none of their own."""
NARROWEST = 40
"""The minimum layout width; a narrower terminal wraps the lines itself."""
REASONS = 4
NAME_WIDTH, TITLE_WIDTH = 12, 40
OUTCOMES = {"ok": "green", "repaired": "yellow", "unparsed": "red", "error": "magenta"}
"""The colours of outcomes, as on the page."""
NOT_READ = ("not_a_candidate", "ambiguous", "duplicate", "truncated")
"""How parts of an answer are read that place no candidate."""
MISSPELT = ("fuzzy", "loose")
"""How parts of an answer are read that place a candidate by a title that is not its own."""
BESIDE = 4
"""The number of columns about the method; the baselines follow."""


def console(width: int | None = None) -> Console:
    """Return a console on stdout, as wide as the terminal, or 120 columns for a pipe or a file."""
    own = Console()
    width = width or (max(own.width, NARROWEST) if own.is_terminal else PIPE_WIDTH)
    return Console(width=width, highlight=False, markup=False)


def show_finished(run: Run, width: int = PIPE_WIDTH) -> RenderableType:
    """Return the summary of a Run, with the calls and the cost of its last session (see `show_metrics`)."""
    session = run.sessions[-1] if run.sessions else {}
    spent = session.get("spent", {})
    paid = show_money(spent["cost"], spent["currency"]) if "cost" in spent else ""
    if paid and (doubtful := spent.get("doubtful")):
        paid += f" (plus up to {show_money(doubtful['cost'], spent['currency'])} for calls without a usage report)"
    made = _made_now(session, run.metrics.usage.requests)
    return show_metrics(run.metrics, title=run.title, run=str(run.path), calls=made, paid=paid, width=width)


def _made_now(session: Mapping[str, Any], of: int) -> str:
    """Return how many of the calls a session made, and how many more on validation users."""
    if "spent" not in session:  # `score`, which sends no requests
        return ""
    calls, choosing, sent = session["calls"], session.get("validation_calls", 0), session["spent"]["requests"]
    made = f"{calls:,} made now" + (", the rest were stored" if calls < of else "")
    if choosing:
        used, kinds = session.get("validation_usage", {}), ("prompt", "completion")
        tokens = [count_of(count, f"{kind} token") for kind in kinds if (count := used.get(f"{kind}_tokens"))]
        made += f"; {choosing:,} more on validation users" + (f": {', '.join(tokens)}" if tokens else "")
    return made + (f"; {count_of(sent, 'request')} in all" if sent > calls + choosing else "")


def show_metrics(
    metrics: Metrics, *, title: str, run: str | None = None, calls: str = "", paid: str = "", width: int = PIPE_WIDTH
) -> RenderableType:
    """Return the summary of a Run: the verdict, the table of metrics, and the lines below it.

    Args:
        metrics: The metrics of the Run.
        title: What was evaluated.
        run: The Run's folder; None if it is not kept.
        calls: How many of the calls were made now, such as `80 made now, the rest were stored`.
        paid: The cost of this session, if prices are known.
        width: Width of the terminal in columns. A table that does not fit gets more lines, never fewer digits.
    """
    sentences = [Text(sentence, style="" if place else "bold") for place, sentence in enumerate(metrics.verdict())]
    numbers = metrics.table()
    table = _fitting(width, *(_table(numbers, stacked) for stacked in (1, 2, len(numbers.header))), _list(numbers))
    baselines = _trained(metrics)
    trained = _fitting(width, _trained_table(baselines, " "), _trained_table(baselines, "\n"), _list(baselines, 2))
    lines = [_line(name, text, width) for name, text in _lines(metrics, run, calls, paid)]
    return Group(Text(safe_for_console(title)), *sentences, table, *([trained] if trained.rows else []), *lines)


def _fitting(width: int, *tables: Table) -> Table:
    """Return the first table that fits, else the last one. Cells do not wrap, so a table's maximum is what it needs."""
    return next((one for one in tables if Console(width=1000).measure(one).maximum <= width), tables[-1])


def show_worst(worst: Sequence[tuple[CaseStory, float]], measure: str) -> RenderableType:
    """Return a table of the Cases that lost most against recall order, given by `Run.worst`."""
    if not worst:
        return Text(f"No Case has a lower {measure} than recall order gives it.")
    table = Table(title=f"Cases that lost most {measure} against recall order", title_justify="left", pad_edge=False)
    table.add_column("case", no_wrap=True)
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("relevant", overflow="fold")
    table.add_column("rank: recall order → method")
    for story, lost in worst:
        case, record = story.case, story.record
        titles = story.titles
        recalled = story.recalled
        recall = {item_id: places_of(recalled, at) for at, item_id in enumerate(recalled.order)}
        placed = {item_id: places_of(record.ranking, at) for at, item_id in enumerate(record.placed)}
        found = [item_id for item_id in case.relevant if item_id in titles]
        table.add_row(
            Text(safe_for_console(case.case_id)),
            signed(lost),
            str(record.ranking.outcome),
            Text("\n".join(safe_for_console(titles[item_id])[:TITLE_WIDTH] for item_id in found)),
            "\n".join(f"{recall[item_id]} → {placed.get(item_id, 'not placed')}" for item_id in found),
        )
    return table


def show_story(run: Run, name: str) -> Text:
    """Return everything about a Case, as on the page: the answers with what was read, and each candidate's places.

    Print it with `soft_wrap`, so that no line is cut. Raises InputError like `run[name]`.
    """
    story = run[name]
    outcome = str(story.record.ranking.outcome)
    answers = zip(story.record.responses, calls_of(run)(story.record), strict=False)
    shown = Text.assemble((f"{story.title}\n", "bold"))
    for part, text in story.parts():
        if part.startswith("candidates"):
            continue  # their order is in the table below
        content = Text(text, style=OUTCOMES[outcome] if part == "outcome" else "")
        if part.startswith("answer "):
            answer, call = next(answers)
            content = content if answer is None else _marked(answer, call)
        shown.append_text(_part(part, content))
    if story.case.target is None:
        shown.append_text(_part("recall order → order shown → ranking", _places(story)))
    else:
        scores = story.record.ranking.scores if story.record.placed else None
        shown.append_text(_part("predicted rating", Text(f"{scores[0]:.4g}" if scores else "none")))
    shown.rstrip()
    return shown


def _part(name: str, content: Text) -> Text:
    """Return a part of a story: its name, and its indented lines."""
    lines = content.split("\n") or [Text()]
    return Text.assemble((f"  {name}\n", "bold cyan"), *(piece for line in lines for piece in ("    ", line, "\n")))


def _marked(answer: str, call: Call) -> Text:
    """Return an answer with the parts that were read in colour: green if they place a candidate, yellow if misspelt."""
    marked, end = Text(), 0
    for span in call.read:
        marked.append(safe_for_console(answer[end : span.start]))
        style = "red" if span.read_as in NOT_READ else "yellow" if span.read_as in MISSPELT else "green"
        marked.append(safe_for_console(answer[span.start : span.end]), f"{style} underline")
        end = span.end
    return marked.append(safe_for_console(answer[end:]))


def _places(story: CaseStory) -> Text:
    """Return a row per candidate, in the order of the ranking; those that are relevant in colour."""
    ranking, titles, recalled, marks = story.record.ranking, story.titles, story.recalled, story.marks
    recall = {item_id: places_of(recalled, at) for at, item_id in enumerate(recalled.order)}
    shown = {item.item_id: f"{place}" for place, item in enumerate(story.shown, 1)}
    placed = len(story.record.placed)
    rows: list[tuple[str, ...]] = []
    for at, item_id in enumerate(ranking.order):
        rank = places_of(ranking, at) if at < placed else "not placed"
        score = number(ranking.scores[at]) if ranking.scores and at < placed else ""
        rows.append((titles[item_id], recall[item_id], shown[item_id], rank, score, marks.get(item_id, "")))
    missed = [item_id for item_id in story.case.relevant if item_id not in titles]
    rows += [(f"{one} (item id)", "–", "–", "not a candidate", "", marks[one]) for one in missed]
    header = ("title", "recall order", "order shown", "ranking", "score", "")
    cells = tuple(tuple(map(safe_for_console, row)) for row in rows)
    head, rule, *lines = str(TextTable(header, cells)).split("\n")
    styled = [Text(line, style="bold green" if row[-1] else "") for line, row in zip(lines, rows, strict=True)]
    return Text("\n").join([Text(head), Text(rule), *styled])


def _trained(metrics: Metrics) -> TextTable:
    """Return a row per trained baseline and measure: its value and the method's difference from it, with intervals."""
    rows = [
        (name, measure, *estimate(summary.baselines[name], ends), *estimate(one.difference, one.ci95, sign=True), p)
        for measure, summary in metrics.measures.items()
        for name, ends in summary.baseline_ci95.items()
        for one in [summary.versus[name]]
        for p in [p_value(one.p_holm)]
    ]
    return TextTable(("trained", "measure", "value", "95% CI", "method minus it", "95% CI", "p (Holm)"), tuple(rows))


def _trained_table(trained: TextTable, between_cells: str) -> Table:
    """Return the table of trained baselines with each number and its interval in one cell."""
    table = Table(pad_edge=False, show_lines=between_cells == "\n")
    for place, names in enumerate(_paired(trained.header, between_cells)):
        table.add_column(names, justify="left" if place < 2 else "right", no_wrap=True)
    for row in trained.rows:
        table.add_row(*_paired(row, between_cells))
    return table


def _paired(row: Sequence[str], between_cells: str) -> list[str]:
    name, measure, value, interval, difference, its_interval, p = row
    return [name, measure, *map(between_cells.join, ((value, interval), (difference, its_interval))), p]


def _list(table: TextTable, keys: int = 1) -> Table:
    """Return the table with a line per number, for a narrow terminal. The first `keys` cells name a row."""
    shown = Table(pad_edge=False)
    shown.add_column(" ".join(table.header[:keys]), overflow="fold")
    shown.add_column(table.header[keys], justify="right", no_wrap=True)
    for row in table.rows:
        shown.add_row(" ".join(row[:keys]), row[keys])
        for name, cell in zip(table.header[keys + 1 :], row[keys + 1 :], strict=True):
            shown.add_row(f"  {name}", cell)
        shown.add_section()
    return shown


def _table(table: TextTable, stacked: int) -> Table:
    """Return the table with `stacked` numbers per cell; if a cell holds all of them, each is next to its name."""
    names, rows = list(table.header[1:]), [list(row) for row in table.rows]
    named = stacked >= len(names)
    shown = Table(pad_edge=False, show_lines=stacked > 1)
    shown.add_column(table.header[0], no_wrap=True)
    if named:
        shown.add_column("")
    starts = range(0, len(names), stacked)
    for start in starts:
        header = "value" if named else "\n".join(names[start : start + stacked])
        style = "dim" if start >= BESIDE else ""
        shown.add_column(header, justify="right", style=style, no_wrap=True)
    for measure, *numbers in rows:
        cells = ["\n".join(numbers[start : start + stacked]) for start in starts]
        shown.add_row(measure, *(["\n".join(names)] if named else []), *cells)
    return shown


def _line(name: str, text: str, width: int) -> Text:
    """Return a line that starts with its name; continuation lines are indented to align with the text."""
    wrapped = wrap(safe_for_console(text), width - NAME_WIDTH, break_long_words=False, break_on_hyphens=False)
    return Text(f"{name:{NAME_WIDTH}}" + f"\n{'':{NAME_WIDTH}}".join(wrapped), no_wrap=True)


def _lines(metrics: Metrics, run: str | None, calls: str, paid: str) -> Iterator[tuple[str, str]]:
    forced = ", the target put into the lists that missed it" if metrics.target_forced else ""
    users = f" of {count_of(metrics.users, 'user')}" if metrics.users != metrics.cases else ""
    yield "cases", f"{metrics.cases}{users}, {metrics.evaluation}{forced}"
    for remark in metrics.remarks:
        yield "", remark
    yield from bounds(metrics)
    yield "outcomes", _counts(metrics.outcomes)
    if metrics.reasons:
        yield "reasons", in_cases(dict(list(metrics.reasons.items())[:REASONS]))
    if metrics.repairs:
        yield "repairs", _counts(metrics.repairs)
    if metrics.history_dropped:
        yield "dropped", f"{count_of(metrics.history_dropped, 'oldest event')}, to fit the context window"
    if (mass := metrics.label_mass) is not None:
        low = f"; too low in {count_of(mass.cases_with_low, 'Case')}" if mass.cases_with_low else ""
        yield "label mass", f"mean {mass.mean:.3f}, lowest {mass.lowest:.3f}{low}"
    usage = metrics.usage
    if usage.requests:
        made = f" ({calls})" if calls else ""
        tokens = (
            f"{count_of(usage.prompt_tokens, 'prompt token')} ({_cached(usage)}), "
            f"{count_of(usage.completion_tokens, 'completion token')}"
        )
        silent = f"; not known for {count_of(usage.unreported, 'Case')}" if usage.unreported else ""
        if silent and not usage.prompt_tokens + usage.completion_tokens:
            tokens, silent = "tokens not known", ""
        yield "calls", f"{usage.requests:,}{made}, {tokens}{silent}"
    if usage.currency is not None:
        now = f", {paid} now" if paid else ""
        cost = "not known" if usage.cost is None else show_money(usage.cost, usage.currency)
        least = "at least " if usage.unreported and usage.cost is not None else ""
        yield "cost", f"{least}{cost} for these answers{now}, prices of {usage.prices_dated}"
    if run is not None:
        yield "run", run


def bounds(metrics: Metrics) -> Iterator[tuple[str, str]]:
    """Yield named lines on the limit set by the recall stage and on the statistical power."""
    if metrics.recall is not None:
        share = metrics.measures[metrics.headline].share_of_ceiling if metrics.headline else None
        reached = "" if share is None else f"; {metrics.headline} reaches {share:.0%} of its ceiling"
        yield "recall", f"{metrics.recall:.1%} of a Case's relevant items are among its candidates, on average{reached}"
    if metrics.headline and metrics.proposed_cases and metrics.proposed_cases < metrics.judged_cases:
        summary = metrics[metrics.headline]
        value, interval = estimate(summary.proposed_only, summary.proposed_only_ci95)
        found = count_of(metrics.proposed_cases, "Case")
        yield "proposed", f"{metrics.headline} is {value} (95% CI {interval}) in the {found} with a relevant candidate"
    if (power := _power(metrics)) is not None:
        yield "power", power


def _power(metrics: Metrics) -> str | None:
    """Return a sentence on the detectable difference from recall order; None if the two are the same."""
    versus = metrics[metrics.headline].versus.get("recall_order") if metrics.headline else None
    if versus is None or not versus.different:
        return None
    if not versus.detectable:
        differ = count_of(versus.different, "user differs", "users differ")
        why = ": too few to say" if versus.different < FEW_DIFFERENT else " by the same amount, which does not say"
        return f"{differ} from recall order in {metrics.headline}{why} what difference would be found"
    if versus.detectable > 1:
        return f"too few users to detect any difference in {metrics.headline} from recall order"
    return (
        f"a difference of {number(versus.detectable)} {metrics.headline} from recall order would be found in four of "
        "five samples of as many users (80% power, p < .05 for this measure alone)"
    )


def _cached(usage: UsageSummary) -> str:
    """Return the tokens from the prefix cache, and the computed tokens relative to the minimum.

    The minimum computes each prefix shared within a Case once. An endpoint that does not report caching counts as 0.
    """
    text = f"{usage.cached_tokens:,} from the prefix cache"
    computed, least = usage.prompt_tokens - usage.cached_tokens, usage.least_prompt_tokens
    # A ratio below 1.0 means that prefixes were shared across Cases, which this minimum does not model.
    meaningful = usage.cached_tokens and 0 < least < computed
    return f"{text}: the rest is {computed / least:.2f} times what a perfect cache would leave" if meaningful else text


def _counts(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {count:,}" for name, count in counts.items())
