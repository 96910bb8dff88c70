"""Does the position in the prompt matter? Candidates are shown in a shuffled order, so it should not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from llmrank.audit.finding import (
    Audit,
    AuditRow,
    Compared,
    correlation,
    difference_rows,
    mean_row,
    mid_ranks,
    read_stories,
    share_first,
)
from llmrank.errors import InputError
from llmrank.rankers.order import Order
from llmrank.run import CaseStory, Run
from llmrank.run.tables import signed

THIRDS = ("first", "middle", "last")


def position(run: Run) -> Audit:
    """Return how much a Run's rankings depend on the order in which the candidates were shown.

    The main number is Spearman's correlation between the position shown and the rank given, averaged over Cases: 1 if
    the list is returned as shown, 0 if the position does not matter. It is undefined for Cases that tie all candidates.
    Other rows give how often the item shown first is ranked first, and the headline measure by the position of the
    relevant item. Methods that ask several times are judged by their first order.

    Raises InputError if the candidates were not shown in a shuffled order, or if no Case has a readable ranking.
    """
    stories = shuffled_stories(run)
    first = [[story.shown[0].item_id] for story in stories]
    rows, sentence = place_findings(stories, {"the item ranked first was shown first": first})
    thirds = [_third(story) for story in stories]
    if (headline := run.metrics.headline) and any(third is not None for third in thirds):
        cases = [story.case for story in stories]
        values, users = run.per_case(headline, cases), [case.user_id for case in cases]
        for number, name in enumerate(THIRDS):
            found = np.where([third == number for third in thirds], values, np.nan)
            rows.append(mean_row(f"{headline}, relevant item shown in the {name} third", found, users, (0, 1)))
    return Audit("Does the position in the prompt affect the ranking?", sentence, tuple(rows), run.title)


def shuffled_stories(run: Run) -> list[CaseStory]:
    """Return the readable Cases of a Run with shuffled candidates; raises InputError for any other Run."""
    run.require_rankings()
    order = run.settings.get("order")
    if order is None or not Order.parse(order).is_shuffled:
        problem = f"the candidates were not shown in a shuffled order (order: {order or 'unknown'})"
        hint = "audit a Run with --order shuffled: only then are the positions random"
        raise InputError(problem, path=run.path, hint=hint)
    return read_stories(run)


def place_findings(
    stories: Sequence[CaseStory], firsts: Mapping[str, Sequence[Sequence[str]]]
) -> tuple[list[AuditRow], str]:
    """Return the effect of the position as rows, and a sentence that claims only what is significant after correction.

    The first row is Spearman's correlation between the position shown and the rank given, averaged over Cases. `firsts`
    maps the name of each further row to some items of each Case: the row tells how often one of them is ranked first.
    A method may always rank the same position first and still order the others at random.
    """
    users = [story.case.user_id for story in stories]
    found = [_correlation(story) for story in stories]
    rows = [mean_row("position shown with rank given, correlation", found, users, (-1, 1), 0.0)]
    compared: list[Compared] = [("", found, [0.0] * len(found), users)]
    for name, items in firsts.items():
        shares = [share_first(story, some) for story, some in zip(stories, items, strict=True)]
        chances = [len(some) / len(story.shown) for story, some in zip(stories, items, strict=True)]
        rows.append(mean_row(name, shares, users, (0, 1), fmean(chances)))
        compared.append((name, shares, chances, users))
    return rows, _sentence(rows, difference_rows(compared))


def _correlation(story: CaseStory) -> float:
    ranks = mid_ranks(story.record.ranking)
    return correlation(range(len(story.shown)), [ranks[item.item_id] for item in story.shown])


def _third(story: CaseStory) -> int | None:
    """Return the third of the prompt that showed the relevant item; None unless there is exactly one.

    With several relevant items the first of them would be early by chance.
    """
    places = [place for place, item in enumerate(story.shown) if item.item_id in story.case.relevant]
    return 3 * places[0] // len(story.shown) if len(places) == 1 else None


def _sentence(rows: Sequence[AuditRow], against_chance: Sequence[AuditRow]) -> str:
    """Put the rows, a correlation and shares, into words, given how each differs from chance."""
    place, ci95 = rows[0], rows[0].ci95
    if ci95 is None:
        return "No conclusion: every Case ties all its candidates."
    shown = [
        differs.direction != 0 and _excludes_chance(row) for row, differs in zip(rows, against_chance, strict=True)
    ]
    if shown[0]:
        where = "higher" if ci95[0] > 0 else "lower"
        said = f"Yes: candidates shown early are ranked {where} (correlation {signed(place.value, 2)})."
    else:
        reach = f"correlation between {signed(ci95[0], 2)} and {signed(ci95[1], 2)}"
        said = f"No significant effect on the order as a whole ({reach})."
    for row in (row for row, there in zip(rows[1:], shown[1:], strict=True) if there):
        said += f" In {row.value:.0%} of Cases ({row.chance:.0%} by chance), {row.name}."
    return said


def _excludes_chance(row: AuditRow) -> bool:
    return row.ci95 is not None and row.chance is not None and not row.ci95[0] <= row.chance <= row.ci95[1]
