"""Every audit finds the bias it is made for, at its size, and finds none where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from llmrank import stats
from llmrank.audit import Audit, AuditRow, consistency, popularity, position, read_audit
from llmrank.audit.contrast import worth
from llmrank.audit.finding import mean_row
from llmrank.audit.paraphrase import paraphrase
from llmrank.audit.position import audit_of_places
from llmrank.errors import InputError
from llmrank.rankers.order import Order
from llmrank.run import Run
from llmrank.types import Case, Ranking
from tests.run.making import SETTINGS, UNPARSED, case, how, make_run, shuffled

SEED = 3
SHUFFLED = SETTINGS | {"order": "shuffled", "seed": SEED}
POPULARITY = {f"i{item}": item for item in range(200)}
USERS = 400


def cases() -> list[Case]:
    return [case(f"u{user}") for user in range(USERS)]


def noisy(one: Case, share: float, score: Callable[[Case, str], float], seed: int = 0) -> Ranking:
    """Rank by a score in `share` of the Cases, and at random in the others."""
    draw = Random(f"{seed}:{one.case_id}")
    shown = [item.item_id for item in Order.parse("shuffled", SEED).arrange(one).candidates]
    if draw.random() < share:
        return Ranking(tuple(sorted(shown, key=lambda item_id: -score(one, item_id))))
    return Ranking(tuple(draw.sample(shown, len(shown))))


def early(one: Case, item_id: str) -> float:
    shown = [item.item_id for item in Order.parse("shuffled", SEED).arrange(one).candidates]
    return -shown.index(item_id)


def famous(one: Case, item_id: str) -> float:
    return POPULARITY[item_id]


def wanted(one: Case, item_id: str) -> float:
    return float(item_id in one.relevant)


def run_of(
    path: Path,
    share: float,
    score: Callable[[Case, str], float],
    *,
    settings: Mapping[str, Any] = SHUFFLED,
    seed: int = 0,
) -> Run:
    given = cases()
    rankings = [noisy(one, share, score, seed) for one in given]
    return make_run(path, given, rankings, settings=settings, metric_settings=how(popularity=POPULARITY))


def test_a_ranker_that_knows_the_user_has_neither_bias(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", 1.0, wanted)
    assert popularity(run).sentence.startswith("No significant")
    assert popularity(run).rows[0].value == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_popularity_bias_is_measured_at_its_size(tmp_path: Path, share: float) -> None:
    """Relevant items are drawn at random, so users choose what is of average popularity: 0.5."""
    found = popularity(run_of(tmp_path / "run", share, famous))
    lift, first, _, chosen = found.rows
    assert chosen.value == pytest.approx(0.5, abs=0.06)
    assert first.value == pytest.approx(share + (1 - share) / 2, abs=0.06)
    assert lift.value == pytest.approx(share / 2, abs=0.08) and lift.ci95 is not None
    assert (lift.ci95[0] > 0) == bool(share) and found.sentence.startswith("Yes" if share else "No significant")


@pytest.mark.parametrize("users", [12, 150])
@pytest.mark.parametrize("true", [0.0, 0.02])
def test_the_interval_of_a_correlation_agrees_with_its_test_and_covers(users: int, true: float) -> None:
    """Correlations are averaged over orders, so they are far from -1 and 1: users added there made the interval four
    to ten times too wide, beside a p below .05."""
    rng, name = np.random.default_rng(7), [f"u{user}" for user in range(users)]
    covered = agreed = 0
    for _ in range(100):
        found = audit_of_places("?", "", rng.normal(true, 0.06, users).tolist(), name, [], [0.0] * users, name)
        row = found.rows[0]
        assert row.ci95 is not None and row.p is not None
        covered += row.ci95[0] <= true <= row.ci95[1]
        agreed += (row.p < 0.05) == (not row.ci95[0] <= 0 <= row.ci95[1])
    assert 91 <= covered <= 99 and agreed >= 95, (covered, agreed)


def test_graded_values_get_a_plain_interval_unless_most_are_at_a_bound() -> None:
    users, taus = [f"u{user}" for user in range(20)], [0.6 + 0.01 * user for user in range(20)]
    plain, bounded = (mean_row("tau", taus, users, (-1, 1), graded=graded).ci95 or (0, 0) for graded in (True, False))
    assert plain == pytest.approx(stats.mean_interval(np.array(taus)).ci95)
    assert bounded[1] - bounded[0] > 5 * (plain[1] - plain[0])
    same = [1.0] * 15 + taus[:5]
    assert mean_row("", same, users, (-1, 1), graded=True) == mean_row("", same, users, (-1, 1)), "most are at 1"
    assert mean_row("", [0.5], ["u"], (-1, 1), graded=True).ci95 == (-1, 1)


def test_two_runs_that_agree_in_half_of_their_cases(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / f"{seed}", 0.7, early, seed=seed) for seed in (1, 2)]
    found = consistency(*runs)
    changed, turned, tau, overlap, top = found.rows
    assert changed.value == pytest.approx(0.51 * 19 / 20, abs=0.06) and changed.chance == pytest.approx(19 / 20)
    assert turned.value == pytest.approx(0.51 / 2, abs=0.04) and turned.chance == 0.5
    assert tau.value == pytest.approx(0.49, abs=0.06) and tau.chance == 0
    assert overlap.value is not None and overlap.chance is not None and overlap.chance < overlap.value < 1
    assert top.chance == pytest.approx(0.34, abs=0.01), "ten of twenty: five in common of fifteen"
    assert all(row.ci95 is not None and row.cases == USERS for row in found.rows)
    assert found.sentence.startswith("Not always: from one ranking to another, the item ranked first changes in ")
    same = consistency(runs[0], runs[0])
    assert [row.value for row in same.rows] == pytest.approx([0, 0, 1, 1, 1]) and same.sentence.startswith("Yes: ")


def test_a_top_is_never_the_whole_list(tmp_path: Path) -> None:
    given = [case(f"u{user}", 6) for user in range(30)]
    runs = [make_run(tmp_path / f"{seed}", given, [shuffled(one, seed) for one in given]) for seed in (1, 2)]
    found = consistency(*runs)
    top = found.rows[-1]
    assert top.name == "top 3 (half of the longest list), overlap" and top.value is not None and top.value < 0.6
    assert top.chance == pytest.approx((9 * 1 / 5 + 9 * 2 / 4 + 1) / 20)


def test_the_test_decides_and_the_interval_is_said_to_disagree() -> None:
    """It was said that a difference with p = .008 is not significant, as its interval includes 0."""
    row = AuditRow("praise", 1.06, (-0.67, 2.55), 16, 0.0, 0.008)
    assert row.direction == 1
    assert row.tested == "p (Holm) = .008; the interval, which is wider for few users, includes 0"
    assert worth("praise", row, "NDCG@10").startswith("praise raises NDCG@10 by 1.0600")
    open_ = replace(row, p=0.3)
    assert (open_.direction, open_.tested) == (0, "p (Holm) = .30")
    assert replace(row, value=-1.06, ci95=(-2.0, -0.1)).tested == "p (Holm) = .008"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_printed_audit_keeps_to_the_width_and_loses_nothing(width: int) -> None:
    rows = (
        AuditRow("letters and numbers, top 10, overlap", -0.5, (-0.6, -0.4), 1_200, 0.25),
        AuditRow("full history minus the last 5 events", 0.0125, (-0.01, 0.02), 1_200, 0.0, 0.31),
    )
    found = Audit("Does it?", "It does, " + "by a little, " * 12 + "so it seems.", rows)
    lines = found.text(width).splitlines()
    assert max(map(len, lines)) <= max(width, 76), "beside the numbers, a name has 16 columns"
    for word in f"{found.sentence} {rows[0].name} {rows[1].name} −0.5000 0.2500 .31 1,200".split():
        assert word in found.text(width)
    assert found.text() == str(found)


def test_one_place_put_first_always_is_said_where_the_rest_is_ordered_by_chance(tmp_path: Path) -> None:
    given = cases()[:40]
    rankings: list[Ranking] = []
    for one in given:
        first, *rest = (item.item_id for item in Order.parse("shuffled", SEED).arrange(one).candidates)
        rankings.append(Ranking((first, *Random(one.case_id).sample(rest, len(rest)))))
    found = position(make_run(tmp_path / "first", given, rankings, settings=SHUFFLED))
    said = "items shown early are ranked first too often (100% of Cases at positions 1–7, 35% by chance)"
    assert found.sentence.startswith(f"Yes: {said}")


def test_ties_and_unread_answers_say_nothing(tmp_path: Path) -> None:
    given = cases()[:30]
    tied = [Ranking(tuple(item.item_id for item in one.candidates), named=0) for one in given]
    run = make_run(tmp_path / "tied", given, tied, settings=SHUFFLED)
    assert position(run).rows[0].cases == 0 and "ties all its candidates" in position(run).sentence
    unread = make_run(tmp_path / "unread", given, [replace(one, **UNPARSED) for one in tied], settings=SHUFFLED)
    with pytest.raises(InputError, match="no Case has a readable ranking of two or more"):
        position(unread)


def test_rankings_that_tie_all_candidates_are_left_out(tmp_path: Path) -> None:
    given = cases()[:10]
    tied = [Ranking(shuffled(one, 1).order, named=0) for one in given]
    runs = [
        make_run(tmp_path / "tied", given, tied),
        make_run(tmp_path / "half", given, [*tied[:5], *(shuffled(one, 2) for one in given[5:])]),
        make_run(tmp_path / "all", given, [shuffled(one, 2) for one in given]),
    ]
    assert consistency(*runs[:2]).sentence == "No conclusion: every Case ties all its candidates."
    assert [row.cases for row in consistency(*runs).rows] == [5] * 5
    assert [row.value for row in consistency(*runs).rows] == pytest.approx([0, 0, 1, 1, 1])


def test_rankings_with_the_same_ties_are_the_same(tmp_path: Path) -> None:
    given = cases()[:10]
    tied = [Ranking(shuffled(one, 1).order, (2.0, 2.0, 1.0, *[0.0] * 17)) for one in given]
    found = consistency(*(make_run(tmp_path / name, given, tied) for name in "ab"))
    assert [row.value for row in found.rows] == pytest.approx([0, 0, 1, 1, 1]) and found.sentence.startswith("Yes: ")


def test_what_cannot_be_audited_is_said(tmp_path: Path) -> None:
    given = cases()[:5]
    in_recall_order = SHUFFLED | {"order": "recall"}
    run = make_run(tmp_path / "recall", given, [noisy(one, 0, early) for one in given], settings=in_recall_order)
    with pytest.raises(InputError, match="not shown in a shuffled order"):
        position(run)
    with pytest.raises(InputError, match=r"no popularity data[\s\S]*in whose histories candidates also occur"):
        popularity(run)
    others = [replace(one, candidates=case("other", 20, seed=9).candidates) for one in given]
    other = make_run(tmp_path / "other", others, [noisy(one, 0, early) for one in others], settings=SHUFFLED)
    with pytest.raises(InputError, match="different candidates") as refused:
        consistency(run, run, other)
    assert refused.value.path == other.path


def test_what_was_printed_as_json_is_read_again(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", 0.5, early)
    file = tmp_path / "position.json"
    file.write_text(json.dumps(position(run).to_dict()))
    assert read_audit(file) == position(run) and read_audit(file).about == run.title


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"question": "?", "sentence": ".", "rows": []}',
        '{"question": "?", "sentence": ".", "rows": [{"name": "a", "value": NaN, "ci95": null, "cases": 1}]}',
        '{"question": "?", "sentence": ".", "rows": [{"name": "a", "value": 1e999, "ci95": null, "cases": 1}]}',
        '{"question": "?", "sentence": ".", "rows": [{"name": "a", "value": 1, "ci95": [1], "cases": 1}]}',
    ],
)
def test_a_file_that_is_no_audit_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "audit.json").write_text(content)
    with pytest.raises(InputError, match="llmrank audit"):
        read_audit(tmp_path / "audit.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_audit(tmp_path / "missing.json")


def test_one_user_says_nothing_of_wordings_and_no_number_is_undefined(tmp_path: Path) -> None:
    given = cases()[:1]
    runs = {name: make_run(tmp_path / name, given, [shuffled(given[0], seed)]) for seed, name in enumerate("ab")}
    found = paraphrase(runs)
    assert "nan" not in str(found) and Audit.from_dict(found.to_dict()) == found
    for written in (found.to_markdown(), found.to_latex()):
        assert f"{found.question} {found.sentence}" in written


def test_a_list_with_several_relevant_items_says_nothing_of_their_positions(tmp_path: Path) -> None:
    given = [replace(case, relevant=tuple(item.item_id for item in case.candidates[:5])) for case in cases()]
    rankings = [noisy(one, 0.0, wanted, 0) for one in given]
    run = make_run(tmp_path, given, rankings, settings=SHUFFLED, metric_settings=how(popularity=POPULARITY))
    assert not any("relevant" in row.name for row in position(run).rows)
