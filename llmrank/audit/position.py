"""`position`: does the position in the prompt affect the ranking? Candidates are shuffled, so it should not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from llmrank import stats
from llmrank.audit.contrast import length_of_top
from llmrank.audit.finding import Audit, AuditRow, leaders, mean_of, read_stories, unread
from llmrank.audit.options import PositionOptions
from llmrank.audit.places import (
    DRAWS,
    TARGET,
    THIRDS,
    ByPart,
    audit_of_places,
    chunks,
    first_places,
    in_regions,
    numbered,
    p_of,
    part_names,
    part_of,
    part_rows,
    place_correlation,
    ties_all,
    unevenness,
    values_by_place,
)
from llmrank.audit.plan import AuditPlan, Change, as_it_is, asking, refuse_fixed_order
from llmrank.errors import InputError, count_of
from llmrank.evaluation.evaluate import Evaluation
from llmrank.rankers.order import Order
from llmrank.run import CaseStory, Run
from llmrank.run.compare import done_in_all
from llmrank.stats import Values
from llmrank.types import Case

QUESTION = "Does the position in the prompt affect the ranking?"


def position(run: Run) -> Audit:
    """Return how much a Run's rankings depend on the order in which the candidates were shown.

    Three things are tested against random positions, and their p-values are Holm-corrected. Spearman's correlation
    between the position shown and the rank given, averaged over Cases: 1 if the list is returned as shown; it detects
    only a bias that grows along the list. Where the item ranked first was shown: this detects any bias, such as one for
    the middle. And the hit rate by the position of the relevant item, in the Cases that show exactly one: with several
    the first of them would be early by chance. Cases that tie all candidates are left out of the first two. Methods
    that ask several times are judged by their first order.

    Raises InputError if the candidates were not shown in a shuffled order, or if no Case has a readable ranking.
    """
    stories = shuffled_stories(run)
    return place_audit(QUESTION, stories, run.title, _hits_by_place(run, stories))


def shuffled_stories(run: Run) -> list[CaseStory]:
    """Return the readable Cases of a Run with shuffled candidates; raises InputError for any other Run."""
    run.require_rankings()
    order = run.settings.get("order")
    if order is None or not Order.parse(order).is_shuffled:
        problem = f"the candidates were not shown in a shuffled order (order: {order or 'unknown'})"
        hint = "audit a Run with --order shuffled: only then are the positions random"
        raise InputError(problem, path=run.path, hint=hint)
    return read_stories(run)


def place_audit(question: str, stories: Sequence[CaseStory], about: str, hits: ByPart | None = None) -> Audit:
    """Return the audit of shuffled Cases: the correlation of all ranks, and where the item ranked first was shown.

    `hits`: the hit rate by position of the relevant item.
    """
    ordered = [story for story in stories if not ties_all(story)]
    users = [story.case.user_id for story in ordered]
    firsts = [] if hits is None else [hits]
    if ordered:
        placed = [
            [place for place, item in enumerate(story.shown) if item.item_id in leaders(story.record.ranking)]
            for story in ordered
        ]
        firsts = [first_places(placed, [len(story.shown) for story in ordered], users), *firsts]
    tied = [float(ties_all(story)) for story in stories]
    everyone = [story.case.user_id for story in stories]
    return audit_of_places(question, about, [place_correlation(one) for one in ordered], users, firsts, tied, everyone)


def _hits_by_place(run: Run, stories: Sequence[CaseStory]) -> ByPart | None:
    """Return the hit rate by position of the relevant item, from the Cases that show exactly one; None without any."""
    places = [
        [place for place, item in enumerate(story.shown) if item.item_id in story.case.relevant] for story in stories
    ]
    known = [(story, shown[0]) for story, shown in zip(stories, places, strict=True) if len(shown) == 1]
    if not known:
        return None
    cases = [story.case for story, _ in known]
    measure = f"HR@{length_of_top(cases)}"
    lengths, users = [len(case.candidates) for case in cases], [case.user_id for case in cases]
    return values_by_place(measure, run.per_case(measure, cases), [place for _, place in known], lengths, users)


def plan_position(evaluation: Evaluation, options: PositionOptions) -> AuditPlan:
    """Return the plan: the Run of `eval`, and Runs whose candidates are moved down step by step.

    Raises InputError if the order is fixed, or if all lists are shorter than the number of slots.
    """
    order = refuse_fixed_order(evaluation)
    if (longest := max(len(case.candidates) for case in evaluation.cases)) < options.slots:
        problem = f"the longest list has only {count_of(longest, 'candidate')}"
        raise InputError(problem, field="slots", hint=f"use --slots {max(longest, 2)} or fewer, or a larger -k")
    changes: dict[str, Change] = {"as-shuffled": as_it_is}
    for step in range(1, options.slots):
        moved = replace(order, moved=(step, options.slots))
        changes[f"moved-{step}-of-{options.slots}"] = partial(asking, order=str(moved))
    return AuditPlan(changes, position_asked)


def position_asked(runs: Mapping[str, Run]) -> Audit:
    """Return how much the rankings change with the positions of the candidates.

    The Runs show the same Cases in orders that move each candidate through the list, so that it is shown once in each
    part (a Latin square by parts; Cochran & Cox 1957, Experimental Designs). All values are paired: each Case has one
    for each part. Tested are the correlation of position and rank, where the item ranked first was shown, and the hit
    rate and the headline measure by the position of the relevant item, if a list has exactly one. The p-values come
    from permutations of the parts within each user (a randomisation test of blocks, Pitman 1938, Biometrika 29), and
    are Holm-corrected. Cases with fewer candidates than Runs are left out. Unreadable answers count as worst; the
    correlation and the item ranked first need readable answers in all orders, that do not tie all candidates.

    Raises InputError if no Case can be read in all orders.
    """
    first, parts = next(iter(runs.values())), len(runs)
    done = done_in_all(runs.values())
    cases = [case for case in done if len(case.candidates) >= parts]
    by_id = [{story.case.case_id: story for story in run} for run in runs.values()]
    told = {case.case_id: [stories[case.case_id] for stories in by_id] for case in cases}
    readable = [case for case in cases if all(one.record.ranking.answered for one in told[case.case_id])]
    if not readable:
        hint = "audit a method with readable answers, on lists that have a candidate for each slot"
        raise InputError("no Case has a readable answer in all orders", path=first.path, hint=hint)
    ordered = [case for case in readable if not any(map(ties_all, told[case.case_id]))]
    users, by_part = [case.user_id for case in ordered], list[ByPart]()
    if ordered:
        shares = np.array([_first(told[case.case_id]) for case in ordered])
        by_part.append(_first_by_part(shares, _names(ordered, parts), users))
    targets = {case.case_id: ids for case in cases if len(ids := _targets(case)) == 1}
    chosen = [case for case in cases if case.case_id in targets]
    if chosen:
        slots = np.array([_parts_of(told[case.case_id], *targets[case.case_id]) for case in chosen])
        for measure in dict.fromkeys([f"HR@{length_of_top(chosen)}", *filter(None, [first.metrics.headline])]):
            values = np.stack([run.per_case(measure, chosen) for run in runs.values()], axis=1)
            values = np.take_along_axis(values, np.argsort(slots, axis=1), axis=1)
            by_part.append(_values_by_part(measure, values, _names(chosen, parts), [case.user_id for case in chosen]))
    correlations = [mean_of(map(place_correlation, told[case.case_id])) for case in ordered]
    tied = [float(any(map(ties_all, told[case.case_id]))) for case in readable]
    everyone = [case.user_id for case in readable]
    found = audit_of_places(QUESTION, first.title, correlations, users, by_part, tied, everyone)
    remark = unread(runs.values(), "such answers count as worst")
    if short := len(done) - len(cases):
        remark += f" {count_of(short, 'Case')} with fewer than {parts} candidates are left out."
    return replace(found, sentence=found.sentence + remark)


def _names(cases: Sequence[Case], parts: int) -> tuple[str, ...]:
    """Return each part in words: by its positions, if they are the same in all lists."""
    lengths = [len(case.candidates) for case in cases]
    return numbered(parts) if any(n % parts for n in lengths) else part_names(lengths, parts)


def _targets(case: Case) -> list[str]:
    return [item.item_id for item in case.candidates if item.item_id in case.relevant]


def _parts_of(stories: Sequence[CaseStory], item_id: str) -> list[int]:
    """Return the part in which each order shows the item: the rank of its place among its places in all orders."""
    places = [[item.item_id for item in story.shown].index(item_id) for story in stories]
    return [sorted(places).index(place) for place in places]


def _first(stories: Sequence[CaseStory]) -> Values:
    """Return how often the item ranked first was shown in each part, float64[part]; items tied first share it."""
    shares = np.zeros(len(stories))
    for at, story in enumerate(stories):
        first = leaders(story.record.ranking)
        for item_id in first:
            shares[_parts_of(stories, item_id)[at]] += 1 / len(first) / len(stories)
    return shares


def _first_by_part(shares: Values, places: tuple[str, ...], users: Sequence[str]) -> ByPart:
    """Return how often the item ranked first was shown in each part, and a test that it is equally often in each."""
    what, parts = "item ranked first", len(places)
    usual = np.full(parts, 1 / parts)
    observed, drawn = unevenness(shares.mean(axis=0), usual), unevenness(permuted_means(shares, users), usual)
    name, expected = f"{what}: unevenness over positions (0 to 1)", float(drawn.mean())
    test = AuditRow(name, float(observed), None, len(shares), expected, p_of(observed, drawn))
    thirds = part_of(np.arange(parts), parts, THIRDS)[:, None] == np.arange(THIRDS)
    chances = in_regions(thirds.mean(axis=0))
    # Each order of a Case gives one first place, which is in a region or not.
    errors = np.sqrt(chances * (1 - chances) / shares.size)
    excess = (in_regions(shares.mean(axis=0) @ thirds) - chances) / errors
    return ByPart(what, places, part_rows(what, "shown", places, shares, usual, users), test, excess)


def _values_by_part(what: str, values: Values, places: tuple[str, ...], users: Sequence[str]) -> ByPart:
    """Return the mean value by part of the list that shows the relevant item, and a test that it is the same in all."""
    means, drawn = values.mean(axis=0), permuted_means(values, users)
    usual = np.full(len(places), values.mean())
    gap, gaps = np.ptp(means), np.ptp(drawn, axis=1)
    name = f"{what}: best part of the list minus worst"
    p = p_of(means.var(), drawn.var(axis=1))
    test = AuditRow(name, float(gap), None, len(values), float(gaps.mean()), p)
    return ByPart(what, places, part_rows(what, TARGET, places, values, usual, users), test)


def permuted_means(values: Values, users: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Values:
    """Return the mean of each column after the columns are permuted at random within each user, float64[draw, column].

    If the columns are exchangeable, their observed means are one such draw.
    """
    clusters = stats.clusters_of(users)
    sums = np.stack([np.bincount(clusters, column) for column in values.T], axis=1)
    generator, drawn = np.random.default_rng(seed), np.empty((draws, values.shape[1]))
    for row, end in chunks(draws, sums.size):
        copies = np.broadcast_to(sums, (end - row, *sums.shape))
        drawn[row:end] = generator.permuted(copies, axis=2).sum(axis=1) / len(values)
    return drawn
