"""Does a method favour popular items, beyond what users choose?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmrank.audit.finding import Audit, AuditRow, leaders, mean_of, mean_row, read_stories
from llmrank.errors import InputError
from llmrank.run import CaseStory, Run
from llmrank.run.beyond import percentiles
from llmrank.run.tables import signed


def popularity(run: Run) -> Audit:
    """Return how popular the items ranked first are, compared with what the users chose.

    Popularity is the percentile of an item's training events among the candidates: between 0 and 1, 0.5 on average. The
    main number is the popularity of the item ranked first minus that of the relevant items, averaged over the Cases
    with a relevant candidate: 0 for a method that knows the user, above 0 for one that favours popular items.

    Raises:
        InputError: the Run has no popularity data, or no Case has a readable ranking.
    """
    run.require_rankings()
    counts = run.metric_settings.popularity
    if not counts:
        hint = "make the Run on a dataset, or on a candidate file in whose histories candidates also occur"
        raise InputError("the Run has no popularity data", path=run.path, hint=hint)
    stories = read_stories(run)
    users = [story.case.user_id for story in stories]
    places = [_places(story, counts) for story in stories]
    first, recalled, chosen = (np.array(values) for values in zip(*map(_compared, stories, places), strict=True))
    lift = mean_row(
        "popularity: item ranked first minus users' choices", first - chosen, users, (-1, 1), 0.0, graded=True
    )
    rows = (
        lift,
        mean_row("popularity: item ranked first", first, users, (0, 1), 0.5, graded=True),
        mean_row("popularity: first in recall order", recalled, users, (0, 1), 0.5, graded=True),
        mean_row("popularity: users' choices", chosen, users, (0, 1), graded=True),
    )
    return Audit("Does it favour popular items more than users do?", _sentence(lift), rows, run.title)


def _places(story: CaseStory, counts: Mapping[str, int]) -> dict[str, float]:
    ids = [item.item_id for item in story.case.candidates]
    values = np.array([counts.get(item_id, 0) for item_id in ids], dtype=np.float64)
    return dict(zip(ids, percentiles(values).tolist(), strict=True))


def _compared(story: CaseStory, places: Mapping[str, float]) -> tuple[float, float, float]:
    """Return the popularity of the item ranked first, of the first in recall order, and of the relevant items."""
    relevant = [places[item_id] for item_id in story.case.relevant if item_id in places]
    tops = [[places[item_id] for item_id in leaders(one)] for one in (story.record.ranking, story.recalled)]
    return mean_of(tops[0]), mean_of(tops[1]), mean_of(relevant)


def _sentence(lift: AuditRow) -> str:
    if lift.value is None or lift.ci95 is None:
        return "No conclusion: no list has a relevant item."
    low, high = lift.ci95
    if low <= 0 <= high:
        reach = f"{signed(low, 2)} to {signed(high, 2)}"
        return f"No significant difference in popularity (percentiles from 0 to 1: {reach})."
    more = "Yes: items ranked first are more" if lift.value > 0 else "The opposite: items ranked first are less"
    return f"{more} popular than those that users chose (percentiles from 0 to 1: {signed(lift.value, 2)})."
