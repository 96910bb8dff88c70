"""The parts of a number's variance: known ones are recovered, those that are zero are not found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import llmrank as lr
from llmrank.audit.run_audit import compose_audit
from llmrank.audit.variance import Component, variance_components
from llmrank.errors import InputError
from tests.audit.model import ASKING, USERS, Asked, Model, cases
from tests.audit.test_settings_audited import reworded
from tests.evaluation.serving import cases as few_cases

SEEDS = 40


@dataclass(frozen=True)
class Sizes:
    """Standard deviations of what is added up to the value of a Case."""

    users: float = 0.3
    orders: float = 0.15
    draws: float = 0.1
    wordings: float = 0.0
    user_wording: float = 0.0
    """Of what a wording is worth to one Case alone."""
    wording_order: float = 0.0
    """Of what an order is worth under one wording alone."""

    def drawn(self, seed: int, cases: int, wordings: int, orders: int, draws: int, of_user: int) -> NDArray[np.float64]:
        normal = np.random.default_rng(seed).normal
        shared = np.linspace(-1, 1, wordings) / np.std(np.linspace(-1, 1, wordings), ddof=1) if wordings > 1 else 0.0
        return (
            normal(0.4, self.users, (cases // of_user, 1, 1, 1)).repeat(of_user, axis=0)
            + normal(0, self.orders, (cases, 1, orders, 1))
            + normal(0, self.draws, (cases, wordings, orders, draws))
            + self.wordings * np.reshape(shared, (1, -1, 1, 1))
            + normal(0, self.user_wording, (cases, wordings, 1, 1))
            + normal(0, self.wording_order, (cases, wordings, orders, 1))
        )


def components(sizes: Sizes, seed: int, *shape: int, of_user: int = 1) -> dict[str, Component]:
    users = np.repeat(np.arange(shape[0] // of_user), of_user)
    cases, wordings, orders, draws = shape
    values = sizes.drawn(seed, cases, wordings, orders, draws, of_user)
    return {one.source: one for one in variance_components(values, users)}


@pytest.mark.parametrize(
    ("sizes", "shape", "of_user", "truth"),
    [
        (Sizes(), (200, 1, 4, 2), 1, {"users": 0.09, "orders": 0.0225, "draws": 0.01}),
        (Sizes(draws=0), (200, 1, 3, 1), 1, {"users": 0.09, "orders": 0.0225}),
        (Sizes(orders=0), (60, 1, 1, 4), 1, {"users": 0.09, "draws": 0.01}),
        (Sizes(), (200, 1, 3, 2), 4, {"users": 0.36, "orders": 0.0225, "draws": 0.01}),
        (
            Sizes(wordings=0.05, user_wording=0.1, wording_order=0.05),
            (150, 3, 3, 2),
            1,
            # An interaction counts for both of its sources.
            {"users": 0.09 + 0.01, "orders": 0.0225 + 0.0025, "draws": 0.01, "wordings": 0.0025 + 0.01 / 150},
        ),
    ],
    ids=["crossed", "no draws", "one order", "four Cases of a user", "wordings"],
)
def test_known_parts_are_recovered(sizes: Sizes, shape: tuple[int, ...], of_user: int, truth: dict[str, float]) -> None:
    """Over 40 samples: the mean is the truth within 6%, and the intervals cover it in most, of 40 at least 34."""
    found = [components(sizes, seed, *shape, of_user=of_user) for seed in range(SEEDS)]
    assert found[0].keys() == truth.keys()
    for source, true in truth.items():
        ones = [one[source] for one in found]
        assert np.mean([one.variance for one in ones]) == pytest.approx(true, rel=0.06), source
        assert np.mean([one.ci95[0] <= true <= one.ci95[1] for one in ones]) >= 0.85, source
        parts = 1 if source == "wordings" else shape[0]
        assert ones[0].moves == pytest.approx((ones[0].variance / parts) ** 0.5)


def test_parts_that_are_zero_are_found_to_be_nothing() -> None:
    found = [components(Sizes(orders=0, draws=0.2), seed, 100, 3, 4, 2) for seed in range(SEEDS)]
    for source in ("orders", "wordings"):
        assert np.mean([one[source].ci95[0] == 0 for one in found]) >= 0.9, source
        assert sum(one[source].variance == 0 for one in found) > SEEDS / 4, "below zero is zero"
    assert max(one["orders"].variance for one in found) < 0.005
    assert {one["draws"].variance > 0 for one in found} == {True}


def test_the_parts_make_up_what_another_evaluation_would_show() -> None:
    """The variance of the mean over new users, in one order, with one draw, is that of the three parts together."""
    sizes = Sizes()
    means = [sizes.drawn(seed, 100, 1, 1, 1, 1).mean() for seed in range(2_000)]
    parts = components(sizes, 1, 4_000, 1, 4, 2)
    assert sum(one.variance for one in parts.values()) / 100 == pytest.approx(float(np.var(means)), rel=0.1)


def knows(order: float, draw: float) -> Any:
    """A share of the users is known by a toss for each order, another by one for each draw, the rest by one for all."""

    def toss(asked: Asked) -> bool:
        kind = asked.draw("kind").random()
        if kind < order:
            return asked.draw("order", asked.titles).random() < 0.5
        if kind < order + draw:
            return asked.draw("draw", asked.titles, asked.request.repeat).random() < 0.5
        return asked.draw("user").random() < 0.5

    return toss


@pytest.mark.parametrize(("order", "draw"), [(0.4, 0.2), (0.0, 0.0)])
def test_a_model_is_measured_at_its_size(tmp_path: Path, order: float, draw: float) -> None:
    """A toss has variance 1/4, so each part is a quarter of its share of the users."""
    model = Model(knows(order, draw))
    given: dict[str, Any] = {
        **ASKING,
        "backend": model,
        "store": tmp_path / "store",
        "out": tmp_path / "audit",
        "temperature": 0.7,
    }
    found = lr.run_audit("variance", cases(), **given)
    assert model.asked == 4 * 2 * USERS
    rows = {row.name: row for row in found.rows}
    for source, true in (("users", (1 - order - draw) / 4), ("orders", order / 4), ("draws", draw / 4)):
        row, moves = rows[f"{source}, of one Case: variance"], rows[f"{source}: standard deviation of HR@1"]
        assert row.value == pytest.approx(true, abs=0.025) and row.ci95 is not None
        assert row.ci95[0] <= true <= row.ci95[1]
        assert moves.value == pytest.approx(((row.value or 0) / USERS) ** 0.5)
    assert "in other orders" in found.sentence and found.sentence.endswith(
        "Not measured: wordings (there is only one)."
    )
    first = lr.load_run(tmp_path / "audit" / "order-1-draw-1")
    assert "draw" not in first.settings and first.settings["order"] == "shuffled"
    last = lr.load_run(tmp_path / "audit" / "order-4-draw-2")
    assert (last.settings["draw"], last.settings["order"]) == (2, "shuffled-4")
    assert lr.run_audit("variance", cases(), **given) == found and model.asked == 4 * 2 * USERS


def test_wordings_are_a_part_too(tmp_path: Path) -> None:
    model = Model(lambda asked: "by odd taste" not in asked.text or asked.draw("odd").random() < 0.5)
    wording = [reworded(tmp_path, name, new=f"by {name} taste") for name in ("plain", "odd")]
    given: dict[str, Any] = {**ASKING, "backend": model, "store": tmp_path / "store", "out": tmp_path / "audit"}
    found = lr.run_audit("variance", cases(), wording=wording, orders=1, **given)
    rows = {row.name: row for row in found.rows}
    # Of (1, 1, 1/2) the variance is 1/12.
    assert rows["wordings: variance"].value == pytest.approx(1 / 12, abs=0.02)
    assert "orders (there is only one); draws (the temperature is 0)" in found.sentence
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {
        *("rankgpt-order-1-draw-1", "plain-order-1-draw-1", "odd-order-1-draw-1")
    }


def test_runs_of_several_seeds_are_a_part_too(tmp_path: Path) -> None:
    """The variance of the Runs is that of their means, and the users' the mean of that within each Run."""
    runs: list[lr.Run] = []
    for seed, share in enumerate((0.9, 0.4, 0.65)):
        model = Model(lambda asked, share=share: asked.draw("user").random() < share)
        given: dict[str, Any] = {**ASKING, "backend": model, "store": tmp_path / "store", "out": tmp_path / f"{seed}"}
        runs.append(lr.evaluate(cases(), temperature=0.1 * seed, **given))
    found = lr.run_audit("variance", runs)
    rows = {row.name: row for row in found.rows}
    values = np.array([run.per_case("HR@1") for run in runs])
    assert values.mean(axis=1) == pytest.approx([0.9, 0.4, 0.65], abs=0.08)
    between = float(values.mean(axis=1).var(ddof=1))
    assert rows["runs: variance"].value == pytest.approx(between, abs=1e-12)
    assert rows["runs: standard deviation of HR@1"].value == pytest.approx(between**0.5, abs=1e-12)
    users = float(values.var(axis=1, ddof=1).mean())
    assert rows["users, of one Case: variance"].value == pytest.approx(users, abs=1e-12)
    assert rows["users: standard deviation of HR@1"].value == pytest.approx((users / USERS) ** 0.5, abs=1e-12)
    assert "from Run to Run" in found.sentence and found.sentence.endswith("The Runs differ in sampling.temperature.")
    assert "Not measured" not in found.sentence
    with pytest.raises(InputError, match="variance needs at least two Runs, got 1"):
        lr.run_audit("variance", runs[0])
    with pytest.raises(InputError, match="the same Run is given twice"):
        lr.run_audit("variance", [runs[0], runs[0]])


def test_what_is_not_asked_is_said() -> None:
    def asked(**more: Any) -> list[str]:
        return list(
            compose_audit("variance", few_cases(), progress=False, **{"prompt": "rankgpt", **more}).plan.changes
        )

    assert asked(orders=2) == ["order-1-draw-1", "order-2-draw-1"]
    assert len(asked(temperature=1.0)) == 8 and len(asked(temperature=1.0, draws=3, orders=2)) == 6
    assert len(asked(order="recall", temperature=1.0)) == len(asked(repeats=3, draws=2)) == 2
    assert len(asked(ranker="bm25", prompt=None)) == 4
    for more, said in (
        ({"order": "recall"}, "nothing would vary"),
        ({"orders": 1}, "nothing would vary"),
        ({"temperature": 1.0, "draws": 1}, "with one draw, sampling and order cannot be separated"),
        ({"orders": 0}, "an integer of at least 1"),
        ({"wording": "palr"}, "palr is not a wording of rankgpt"),
    ):
        with pytest.raises(InputError, match=said):
            asked(**more)


def test_one_user_is_not_said_to_vary(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs two users or more whose relevant items are known"):
        lr.run_audit("variance", few_cases()[:1], ranker="bm25", out=tmp_path, progress=False)
