"""Scores as probabilities: hand-computed losses, a method that is right, and one that is too sure."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llmrank.errors import InputError
from llmrank.run import Run
from llmrank.run.calibration import EQUAL, SCORED, TEMPERED
from llmrank.types import Case, Item, Outcome, Ranking
from tests.run.making import make_run

N = 8


def case(user: int, relevant: str, n: int = N) -> Case:
    return Case(f"u{user}", (), tuple(Item(f"i{at}", f"Film {at}") for at in range(n)), None, (relevant,))


def ranking(scores: list[float]) -> Ranking:
    order = sorted(range(len(scores)), key=lambda at: -scores[at])
    return Ranking(tuple(f"i{at}" for at in order), tuple(scores[at] for at in order))


def simulated(path: Path, sharpness: float, users: int = 1500) -> tuple[Run, float]:
    """Return a Run whose scores are `sharpness` times the true log-probabilities, and the log loss of the true ones."""
    rng = np.random.default_rng(7)
    cases: list[Case] = []
    rankings: list[Ranking] = []
    losses: list[float] = []
    for user in range(users):
        true = rng.dirichlet(np.ones(N))
        taken = int(rng.choice(N, p=true))
        losses.append(-math.log(true[taken]))
        cases.append(case(user, f"i{taken}"))
        rankings.append(ranking((sharpness * np.log(true)).tolist()))
    return make_run(path / "run", cases, rankings), float(np.mean(losses))


def test_two_cases_by_hand(tmp_path: Path) -> None:
    scores = [math.log(0.6), math.log(0.4)]
    found = make_run(
        tmp_path / "run", [case(0, "i0", 2), case(1, "i1", 2)], [ranking(scores), ranking(scores)]
    ).calibration()
    assert found[SCORED].log_loss == pytest.approx(-(math.log(0.6) + math.log(0.4)) / 2)
    assert found[SCORED].brier == pytest.approx((2 * 0.4**2 + 2 * 0.6**2) / 2)
    assert found[SCORED].error == pytest.approx(0.1), "0.6 and 0.4 were each right in half of the Cases"
    assert found[EQUAL].log_loss == pytest.approx(math.log(2)) and found[EQUAL].brier == pytest.approx(0.5)
    assert [(one.candidates, one.predicted, one.taken) for one in found.bins] == [
        (2, pytest.approx(0.4), 0.5),
        (2, pytest.approx(0.6), 0.5),
    ]


@pytest.mark.parametrize("sharpness", [1.0, 3.0, 0.3])
def test_the_temperature_of_a_method_that_is_too_sure_is_found(tmp_path: Path, sharpness: float) -> None:
    run, least = simulated(tmp_path, sharpness)
    found = run.calibration()
    assert found.temperature == pytest.approx(sharpness, rel=0.08)
    assert found[TEMPERED].log_loss == pytest.approx(least, abs=0.005) and found[TEMPERED].error < 0.02
    low, high = found[TEMPERED].log_loss_ci95 or (0, 0)
    assert low < least < high < found[EQUAL].log_loss
    if sharpness == 1.0:
        assert found[SCORED].error < 0.02
        # Ten intervals of 95%: one may miss.
        held = [one.taken_ci95 and one.taken_ci95[0] <= one.predicted <= one.taken_ci95[1] for one in found.bins]
        assert len(held) == 10 and sum(map(bool, held)) >= 9
    else:
        assert found[SCORED].error > 0.04 and found[SCORED].log_loss > least + 0.05


def test_intervals_of_the_bins_cover_calibrated_scores_on_both_sides(tmp_path: Path) -> None:
    """A Case has several candidates in a bin, of which at most one is taken. Of 600 intervals of perfectly calibrated
    scores about 15 should be above the truth and as many below; with bounds of 0 and 1 per user, 31 were above it."""
    rng = np.random.default_rng(5)
    above = below = total = 0
    for sample in range(60):
        true = [rng.dirichlet(np.full(20, 2.0)) for _ in range(100)]
        cases = [case(user, f"i{rng.choice(20, p=p)}", 20) for user, p in enumerate(true)]
        run = make_run(tmp_path / str(sample), cases, [ranking(np.log(p).tolist()) for p in true])
        for one in run.calibration().bins:
            low, high = one.taken_ci95 or (0, 1)
            above, below, total = above + (one.predicted < low), below + (one.predicted > high), total + 1
    assert total == 600 and above <= 24 and below <= 24, (above, below)


def test_scores_that_say_nothing_gain_nothing_by_a_temperature(tmp_path: Path) -> None:
    """The temperature comes from the other half of the users: one that looked at all would seem to gain."""
    rng = np.random.default_rng(3)
    cases = [case(user, f"i{rng.integers(N)}") for user in range(60)]
    run = make_run(tmp_path / "run", cases, [ranking(rng.normal(size=N).tolist()) for _ in cases])
    found = run.calibration()
    assert found[TEMPERED].log_loss >= found[EQUAL].log_loss - 1e-3


@pytest.mark.parametrize(
    ("sharpness", "said"), [(3.0, "above 1 the method is overconfident"), (-1.0, "do not predict")]
)
def test_the_note_says_what_the_temperature_means(tmp_path: Path, sharpness: float, said: str) -> None:
    run, _ = simulated(tmp_path, sharpness, users=200)
    assert said in " ".join(str(run.calibration()).split())


def test_scores_that_are_no_log_probabilities_are_not_judged_as_such(tmp_path: Path) -> None:
    """The expected ratings of a pointwise method, say: a softmax of them would be an invention of ours."""
    rng = np.random.default_rng(3)
    cases = [case(user, f"i{rng.integers(N)}") for user in range(60)]
    run = make_run(tmp_path / "run", cases, [ranking(rng.uniform(1, 5, N).tolist()) for _ in cases])
    found = run.calibration()
    assert [one.name for one in found.forecasts] == [TEMPERED, EQUAL]
    assert max(one.predicted for one in found.bins) < 0.3, "of those with a temperature: a softmax would reach 0.4"
    text = " ".join(str(found).split())
    assert "above 0, so they are no log-probabilities" in text and "overconfident" not in text


def test_only_cases_with_one_relevant_candidate_and_all_scores_are_counted(tmp_path: Path) -> None:
    good, unscored = ranking([3.0, 2.0, 1.0]), Ranking(("i0", "i1", "i2"), (1.0, 0.0, -math.inf))
    several = Case("u9", (), case(9, "i0", 3).candidates, None, ("i0", "i1"))
    cases = [case(0, "i0", 3), case(1, "i1", 3), case(2, "missed", 3), case(3, "i0", 3), several, case(5, "i0", 3)]
    unread = replace(good, outcome=Outcome.UNPARSED, reason="refusal")
    found = make_run(tmp_path / "run", cases, [good, good, good, unscored, good, unread]).calibration()
    assert (found.cases, found.users, found.left_out) == (2, 2, 4)
    assert "4 others" in str(found) and str(found).count("─  ─") >= 2
    bare = make_run(tmp_path / "bare", cases[:2], [Ranking(("i0", "i1", "i2"))] * 2)
    with pytest.raises(InputError, match="0 Cases have exactly one relevant candidate"):
        bare.calibration()
