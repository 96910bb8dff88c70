"""The audit `position`: a bias for any place in the prompt is found at its size, and a ranker without one is clean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

import llmrank as lr
from llmrank.audit import Audit, AuditRow, position
from llmrank.audit.position import (
    ByPart,
    first_places,
    part_names,
    part_of,
    permuted_means,
    position_asked,
    values_by_place,
)
from llmrank.audit.run_audit import compose_audit
from llmrank.errors import InputError
from llmrank.rankers.order import Order
from llmrank.run import Run
from llmrank.types import BaseRanker, Case, Item, Ranking
from tests.audit.model import cases
from tests.audit.test_asking import ByRule, liked
from tests.evaluation.serving import cases as few_cases
from tests.run.making import SETTINGS, case, make_run

SEED = 3
SHUFFLED = SETTINGS | {"order": "shuffled", "seed": SEED}
SIMULATIONS = 200
USERS = 200


def early(place: int, n: int) -> float:
    return -place


def late(place: int, n: int) -> float:
    return place


def middle(place: int, n: int) -> float:
    return -abs(2 * place + 1 - n)


def ends(place: int, n: int) -> float:
    return abs(2 * place + 1 - n)


def ranked(one: Case, score: Callable[[int, int], float], share: float) -> Ranking:
    """Rank by the place shown in `share` of the Cases, and at random in the others."""
    draw = Random(one.case_id)
    shown = [item.item_id for item in Order.parse("shuffled", SEED).arrange(one).candidates]
    biased, order = draw.random() < share, draw.sample(shown, len(shown))
    if biased:
        order.sort(key=lambda item_id: -score(shown.index(item_id), len(shown)))
    return Ranking(tuple(order))


def audited(path: Path, rank: Callable[[Case], Ranking], given: Sequence[Case]) -> tuple[Audit, dict[str, AuditRow]]:
    found = position(make_run(path, given, [*map(rank, given)], settings=SHUFFLED))
    return found, {row.name: row for row in found.rows}


@pytest.mark.parametrize(
    ("score", "share", "where", "top", "most"),
    [
        *[(early, share, "early", "at positions 1–2", 1.0) for share in (0.2, 1.0)],
        *[(late, share, "late", "at positions 19–20", 1.0) for share in (0.2, 1.0)],
        *[(middle, share, "in the middle", "at positions 9–10", 0.5) for share in (0.2, 1.0)],
        *[(ends, share, "at both ends", "at positions 1–2", 0.5) for share in (0.5, 1.0)],
    ],
)
def test_a_bias_is_found_where_it_is_at_its_size(
    tmp_path: Path, score: Callable[[int, int], float], share: float, where: str, top: str, most: float
) -> None:
    given = [case(f"u{n}") for n in range(400)]
    found, rows = audited(tmp_path / "run", lambda one: ranked(one, score, share), given)
    assert found.sentence.startswith(f"Yes: items shown {where} are ranked first too often ("), found.sentence
    row = rows[f"item ranked first: shown {top}"]
    assert row.value == pytest.approx(share * most + (1 - share) / 10, abs=0.05) and row.chance == pytest.approx(0.1)
    uneven = rows["item ranked first: unevenness over positions (0 to 1)"]
    # All first places in one of ten parts, or half of them in each of two.
    assert uneven.value == pytest.approx(share * (1 if most == 1 else 2 / 3), abs=0.05)
    assert uneven.p is not None and uneven.p < 0.01
    assert uneven.chance == pytest.approx(400**-0.5, rel=0.1), "the root of 9 degrees of freedom over 400 × 9"
    slope = rows["correlation of position shown and rank given"]
    towards = {"early": 1, "late": -1}.get(where, 0)
    assert slope.value == pytest.approx(share * towards, abs=0.1)
    assert ("ranked higher" in found.sentence, "ranked lower" in found.sentence) == (towards == 1, towards == -1)
    by_place = [row for name, row in rows.items() if name.startswith("HR@10: relevant item shown")]
    assert len(by_place) == 10 and sum(one.cases for one in by_place) == 400
    if share == 1:
        assert sorted({round(one.value or 0) for one in by_place}) == [0, 1]
        assert "HR@10 is 1.0000 if the relevant item is shown" in found.sentence


def test_a_ranker_without_bias_is_clean_and_so_is_one_that_is_right(tmp_path: Path) -> None:
    given = [case(f"u{n}") for n in range(400)]
    found, _ = audited(tmp_path / "random", lambda one: ranked(one, early, 0), given)
    assert found.sentence.startswith("No significant effect of the position (correlation between −0.0"), found.sentence
    assert "; item ranked first, p (Holm) = " in found.sentence and "; HR@10, p (Holm) = " in found.sentence

    def right(one: Case) -> Ranking:
        return Ranking(tuple(sorted((item.item_id for item in one.candidates), key=lambda x: x not in one.relevant)))

    found, rows = audited(tmp_path / "right", right, given)
    assert found.sentence.startswith("No significant")
    hits = rows["HR@10: best part of the list minus worst"]
    assert (hits.value, hits.chance, hits.p) == (0, 0, 1)


def drawn(seed: int, users: int, lengths: NDArray[np.int64]) -> tuple[list[list[int]], NDArray[np.int64], Any]:
    generator = np.random.default_rng(seed)
    n = generator.choice(lengths, users)
    firsts = [generator.choice(one, min(one - 1, generator.integers(1, 4)), replace=False).tolist() for one in n]
    return firsts, n, generator


@pytest.mark.parametrize(("lengths", "users"), [((20,), 60), ((5, 8, 20), 60), ((20,), 12)])
def test_without_a_bias_one_in_twenty_is_called_one(lengths: tuple[int, ...], users: int) -> None:
    """Also with lists of several lengths, with tied first places, and with values that depend on the length."""
    p = list[tuple[float, float]]()
    for seed in range(SIMULATIONS):
        firsts, n, generator = drawn(seed, users, np.array(lengths))
        names = [f"u{user}" for user in range(users)]
        hits = (generator.random(users) < 0.1 + 2 / n).astype(np.float64)
        places = (generator.random(users) * n).astype(np.int64)
        by_first = first_places(firsts, n.tolist(), names, draws=199)
        by_hit = values_by_place("HR", hits, places.tolist(), n.tolist(), names, draws=199)
        p.append((by_first.test.p or 0, by_hit.test.p or 0))
    rates = (np.array(p) <= 0.05).mean(axis=0)
    assert (rates <= 0.085).all() and (rates >= 0.02).all(), rates


def test_the_test_of_the_first_place_is_the_chi_square_test_where_that_holds() -> None:
    counts = [52, 41, 30, 38, 39]
    firsts = [[4 * part] for part, count in enumerate(counts) for _ in range(count)]
    found = first_places(firsts, [20] * 200, [f"u{n}" for n in range(200)])
    # 10 parts of two places: of each pair of parts only the first is used.
    expected = chisquare([count for one in counts for count in (one, 0)])
    assert found.test.value == pytest.approx((expected.statistic / 200 / 9) ** 0.5)
    firsts = [[2 * part + n % 2] for part, count in enumerate(counts * 2) for n in range(count // 2 + 1)]
    found = first_places(firsts, [20] * len(firsts), [f"u{n}" for n in range(len(firsts))], seed=1)
    expected = chisquare([count // 2 + 1 for count in counts * 2])
    assert found.test.p == pytest.approx(expected.pvalue, abs=0.02)


def test_each_case_counts_once_however_many_items_share_its_first_place() -> None:
    found = first_places([[0, 1], [0, 1, 2, 3, 4]], [6, 6], ["a", "b"])
    assert found.places == ("at positions 1–2", "at positions 3–4", "at positions 5–6")
    assert [row.value for row in found.rows] == pytest.approx([(1 + 0.4) / 2, 0.2, 0.1])
    assert [row.chance for row in found.rows] == pytest.approx([1 / 3] * 3)


def test_lists_of_several_lengths_are_compared_with_their_own_chance() -> None:
    found = first_places([[0], [0], [1]], [2, 4, 4], ["a", "b", "c"])
    assert found.places == tuple(f"in part {part} of 3 of the list" for part in (1, 2, 3))
    # A list of two has no middle; one of four has one place, two, and one.
    assert [row.chance for row in found.rows] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert [row.value for row in found.rows] == pytest.approx([2 / 3, 1 / 3, 0])


@pytest.mark.parametrize("n", range(2, 40))
def test_the_parts_of_a_list_are_symmetric_and_of_equal_size(n: int) -> None:
    for parts in range(2, min(n, 10) + 1):
        held = part_of(np.arange(n), n, parts)
        assert (held[::-1] == parts - 1 - held).all() or n % 2 == 0 or parts % 2 == 0
        sizes = np.bincount(held, minlength=parts)
        assert sizes.min() > 0 and sizes.max() - sizes.min() <= 1 and len(part_names([n], parts)) == parts


def test_cases_that_tie_all_candidates_are_left_out_and_counted(tmp_path: Path) -> None:
    given = [case(f"u{n}") for n in range(100)]

    def rank(one: Case) -> Ranking:
        return ranked(one, middle, 1) if int(one.user_id[1:]) % 4 else Ranking(ranked(one, early, 0).order, named=0)

    found, rows = audited(tmp_path / "run", rank, given)
    assert rows["Cases that tie all candidates, left out"].value == 0.25
    assert rows["correlation of position shown and rank given"].cases == 75
    assert rows["item ranked first: unevenness over positions (0 to 1)"].cases == 75
    assert "items shown in the middle are ranked first too often" in found.sentence


def asked(path: Path, rule: BaseRanker, **more: Any) -> tuple[Audit, dict[str, AuditRow]]:
    found = lr.run_audit("position", cases(USERS), ranker=rule, measures="HR@1", out=path, progress=False, **more)
    return found, {row.name: row for row in found.rows}


def first_shown(case: Case, place: int, item: Item) -> float:
    return float(-place)


def central(case: Case, place: int, item: Item) -> float:
    return middle(place, len(case.candidates))


@pytest.mark.parametrize(
    ("score", "where", "top", "share"),
    [
        (first_shown, "early", "1–4", 0.0),
        (first_shown, "early", "1–4", 0.2),
        (central, "in the middle", "9–12", 0.2),
        (central, "in the middle", "9–12", 1.0),
    ],
)
def test_asked_in_several_orders_a_bias_is_found_at_its_size(
    tmp_path: Path, score: Callable[[Case, int, Item], float], where: str, top: str, share: float
) -> None:
    """The rule decides the whole ranking, so it is right where the relevant item stands in its place."""
    found, rows = asked(tmp_path / "audit", ByRule(score, share))
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {
        "as-shuffled",
        *(f"moved-{step}-of-5" for step in range(1, 5)),
    }
    row = rows[f"item ranked first: shown at positions {top}"]
    assert row.value == pytest.approx(share + (1 - share) / 5, abs=0.03) and row.cases == USERS
    assert found.sentence.startswith(f"Yes: items shown {where} are" if share else "No significant"), found.sentence
    by_place = [rows[f"HR@1: relevant item shown at positions {4 * part + 1}–{4 * part + 4}"] for part in range(5)]
    assert by_place[0].chance == pytest.approx(np.mean([one.value or 0.0 for one in by_place]))
    best = by_place[0 if score is first_shown else 2]
    assert best.value == pytest.approx(share / 4 + (1 - share) / 20, abs=0.08)
    assert all(one.cases == USERS for one in by_place), "each Case has its relevant item once in each part"
    gap = rows["HR@1: best part of the list minus worst"]
    assert gap.value == pytest.approx(share / 4, abs=0.08) and gap.p is not None and (gap.p < 0.05) == bool(share)


def test_a_ranker_that_is_right_wherever_the_item_stands_is_clean(tmp_path: Path) -> None:
    found, rows = asked(tmp_path / "audit", ByRule(liked, 1.0), slots=4)
    assert found.sentence.startswith("No significant effect of the position (correlation between ")
    assert rows["HR@1: relevant item shown at positions 1–5"].value == 1
    assert rows["HR@1: best part of the list minus worst"].p == 1
    assert rows["item ranked first: unevenness over positions (0 to 1)"].value == 0


def test_a_ranking_that_no_order_changes_has_a_correlation_of_0(tmp_path: Path) -> None:
    """Of five equal rankings the mean correlation is that of the shuffle: −.0101 with p = .012 for a tuned model."""
    found, rows = asked(tmp_path / "audit", ByRule(lambda _case, _place, item: float(item.item_id[1:]), 1.0))
    row = rows["correlation of position shown and rank given"]
    assert (row.value, row.ci95, row.p) == (0, (0, 0), 1) and found.sentence.startswith("No significant")


def test_permutations_within_users_call_one_in_twenty_a_bias() -> None:
    """Users with two Cases each, alike in level and in which part is best for them."""
    generator, called = np.random.default_rng(1), 0
    users = [f"u{n // 2}" for n in range(60)]
    for _ in range(SIMULATIONS):
        values = np.repeat(generator.normal(0, 1, (30, 1)) + generator.normal(0, 1, (30, 5)), 2, axis=0)
        drawn = permuted_means(values, users, draws=199)
        called += (1 + (drawn.var(axis=1) >= values.mean(axis=0).var()).sum()) / 200 <= 0.05
    assert 0.02 <= called / SIMULATIONS <= 0.085


def test_what_cannot_be_asked_is_refused_before_anything_is_asked() -> None:
    for more, said in (
        ({"order": "recall"}, "not a plain shuffle"),
        ({"order": "shuffled+1/3"}, "not a plain shuffle"),
        ({"repeats": 2}, "uses its own orders"),
        ({"slots": 1}, "expected an integer of at least 2"),
        ({"slots": 90}, "the longest list has only"),
    ):
        with pytest.raises(InputError, match=said):
            compose_audit("position", few_cases(), prompt="rankgpt", progress=False, **more)


def test_the_first_order_is_that_of_eval_and_the_others_move_it() -> None:
    audit = compose_audit("position", few_cases(), prompt="rankgpt", order="shuffled-2", slots=3, progress=False)
    assert audit.changed("as-shuffled") is audit.evaluation
    assert audit.changed("moved-2-of-3").setup.prompt.order == "shuffled-2+2/3"


def test_short_lists_and_ties_are_left_out_and_unread_answers_count_as_worst(tmp_path: Path) -> None:
    given = [case(f"u{n}", 20 if n % 3 else 3) for n in range(30)]
    runs = dict[str, Run]()
    for step in range(4):
        order = Order.parse(f"shuffled+{step}/4" if step else "shuffled", SEED)
        rankings = list[Ranking]()
        for n, one in enumerate(given):
            shown = tuple(item.item_id for item in order.arrange(one).candidates)
            rankings.append(Ranking(shown, named=0 if n == 1 else None))
        settings = SHUFFLED | {"order": str(order)}
        runs[f"{step}"] = make_run(tmp_path / f"{step}", given, rankings, settings=settings)
    found = position_asked(runs)
    rows = {row.name: row for row in found.rows}
    assert found.sentence.endswith("10 Cases with fewer than 4 candidates are left out.")
    assert rows["item ranked first: shown at positions 1–5"].value == 1
    assert rows["item ranked first: shown at positions 1–5"].cases == 19
    assert rows["Cases that tie all candidates, left out"].value == pytest.approx(1 / 20)
    assert rows["correlation of position shown and rank given"].value == 1


def test_a_claim_names_what_exceeds_chance() -> None:
    rows = tuple(AuditRow(f"{n}", value, None, 10, 0.2) for n, value in enumerate((0.1, 0.5, 0.1, 0.2, 0.1)))
    test = AuditRow("test", 0.5, None, 10, 0.1, 0.01)
    for excess, said in (
        ((0, 1, 0, 0, 1, 1), "b are ranked first too often (50% of Cases, 20% by chance)"),
        ((3, 2, -4, 0, 5, -1), "early or in the middle are ranked first too often (50% of Cases b, 20% by chance)"),
    ):
        assert (
            str(ByPart("item ranked first", tuple("abcde"), rows, test, np.array(excess, np.float64)))
            == f"items shown {said}"
        )
