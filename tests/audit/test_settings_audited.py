"""Audits that change settings: a model with a known weakness is measured at its size, one without is found clean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import llmrank as lr
from llmrank.audit import Audit, AuditRow, consistency, popularity, position
from llmrank.audit.contrast import worth
from llmrank.audit.run_audit import compose_audit
from llmrank.errors import InputError
from llmrank.prompting import shipped_wordings
from llmrank.types import Request, Usage
from tests.audit.model import ASKING, USERS, Asked, Model, cases
from tests.evaluation.serving import cases as few_cases
from tests.evaluation.serving import serving
from tests.scripted_server import MODEL, ScriptedServer, Step, good, refused


def audited(name: Any, path: Path, model: Model, **more: Any) -> tuple[Audit, dict[str, AuditRow]]:
    found = lr.run_audit(
        name, cases(), backend=model, store=path / "store.sqlite", out=path / "audit", **ASKING, **more
    )
    again = lr.run_audit(
        name, cases(), backend=model, store=path / "store.sqlite", out=path / "audit", **ASKING, **more
    )
    assert again == found, "what is done is shown again"
    return found, {row.name: row for row in found.rows}


def uses_letters(asked: Asked) -> bool:
    return asked.identifiers[0] == "A"


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_a_name_costs_is_found_at_its_size(tmp_path: Path, share: float) -> None:
    """With letters the model forgets, in a share of the Cases, what it knows under every other name."""
    model = Model(lambda asked: not (uses_letters(asked) and asked.draw("forgets").random() < share))
    found, rows = audited("identifiers", tmp_path, model)
    assert model.asked == 4 * USERS, "numbers, letters, item ids and words, each once"
    letters = rows["letters minus numbers"]
    assert letters.value == pytest.approx(-share, abs=0.06) and letters.direction == -bool(share)
    assert letters.ci95 is not None and letters.ci95[0] <= -share <= letters.ci95[1]
    for name in ("item ids minus numbers", "words minus numbers"):
        assert rows[name].value == 0 and rows[name].direction == 0
    # Where it forgets, one item moves from the first place to the last: n - 1 of n (n - 1) / 2 pairs turn.
    tau = rows["letters and numbers, Kendall's tau"]
    assert tau.value == pytest.approx(1 - (-(letters.value or 0)) * 4 / 20) and tau.chance == 0
    assert rows["words and numbers, Kendall's tau"].value == 1
    top = rows["letters and numbers, top 10, overlap"]
    assert top.value == pytest.approx(1 + (letters.value or 0) * 2 / 11) and top.chance == pytest.approx(0.34, abs=0.01)
    assert ("Identifying items by letters instead of numbers lowers" in found.sentence) == bool(share)
    assert "no significant effect of identifying items by words instead of numbers" in found.sentence
    assert "Left out: titles ('permutation' reads identifiers)" in found.sentence


def test_a_claim_says_that_its_p_is_corrected_where_its_interval_leaves_zero_out() -> None:
    said = worth("the wording", AuditRow("other", 0.03, (0.005, 0.054), 379, p=0.065), "NDCG@10")
    assert said == "no significant effect of the wording (+0.0050 to +0.0540, p (Holm) = .065)"


def test_names_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    model = Model(lambda _: True, answers=lambda asked: not uses_letters(asked))
    found, rows = audited("identifiers", tmp_path, model)
    assert rows["unreadable answers, letters"].value == 1 and rows["unreadable answers, numbers"].value == 0
    assert rows["letters and numbers, Kendall's tau"].value is None
    assert found.sentence.endswith(f"{USERS} of {4 * USERS:,} answers cannot be read; such answers count as worst.")


def test_each_scheme_is_a_run_and_the_prompts_own_is_that_of_eval(tmp_path: Path) -> None:
    asked = compose_audit("identifiers", few_cases(), prompt="palr", no_profile=True, progress=False)
    assert list(asked.plan.changes) == ["titles", "numbers", "letters", "item_id", "words"]
    assert asked.changed("titles") is asked.evaluation
    assert asked.changed("words").setup.prompt.view.ids == "words"
    own = compose_audit("identifiers", few_cases(), prompt="palr", ids="letters", progress=False)
    assert next(iter(own.plan.changes)) == "letters"
    long = compose_audit("identifiers", few_cases(1, 200), prompt="palr", progress=False)
    assert "words" not in long.plan.changes
    first_token = compose_audit("identifiers", few_cases(), prompt="first-token", progress=False)
    assert list(first_token.plan.changes) == ["letters", "numbers"]


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("identifiers", {"prompt": "pointwise-yes-no"}, "asks about one item at a time"),
        ("identifiers", {"prompt": "liu2023-direct"}, "can identify items only by titles"),
        ("identifiers", {"prompt": "palr-recommend"}, "shows no candidates"),
        ("identifiers", {"ranker": "bm25"}, "this method uses none"),
        ("identifiers", {"prompt": "rankgpt", "last": 3}, "identifiers has no such option"),
        ("thinking", {"prompt": "first-token"}, "the first token is read, so the model cannot reason first"),
        ("thinking", {"prompt": "rankgpt", "thinking": "on"}, "asks with thinking off and on"),
        ("thinking", {"prompt": "rankgpt", "budget": 0}, "greater than or equal to 1"),
        ("thinking", {"ranker": "bm25"}, "this method uses none"),
    ],
)
def test_what_would_say_nothing_is_refused_before_anything_is_asked(name: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        compose_audit(name, few_cases(), progress=False, **more)


def test_an_audit_that_reads_a_run_is_found_where_it_is() -> None:
    with pytest.raises(InputError, match=r"needs only a finished Run: run_audit\('popularity', run\)"):
        lr.run_audit("popularity", few_cases(2))


def test_finished_runs_are_only_read(tmp_path: Path) -> None:
    seen = (lr.Event(few_cases(1)[0].candidates[0]),)
    runs = [
        lr.evaluate(
            [replace(case, history=seen) for case in few_cases(4)],
            ranker="random",
            order=order,
            out=tmp_path / order,
            progress=False,
        )
        for order in ("shuffled", "shuffled-2")
    ]
    assert lr.run_audit("position", runs[0]) == position(runs[0])
    assert lr.run_audit("popularity", runs[0]) == popularity(runs[0])
    assert lr.run_audit("consistency", runs) == consistency(*runs)
    for name, given, more, said in (
        ("consistency", runs[0], {}, "consistency needs at least two Runs, got 1"),
        ("position", runs, {}, "position needs one Run, got 2"),
        ("history", runs[0], {}, "history calls the model, which finished Runs do not"),
        ("position", runs[0], {"model": "any"}, "'model': it has no effect on a finished Run"),
        ("position", runs[0], {"out": tmp_path / "new"}, "'out': it has no effect on a finished Run"),
    ):
        with pytest.raises(InputError, match=said):
            lr.run_audit(cast("Any", name), given, **more)


def test_an_unknown_setting_brings_the_options_of_the_audit_too() -> None:
    with pytest.raises(InputError, match="field 'lst': unknown setting") as raised:
        compose_audit("history", few_cases(), progress=False, prompt="rankgpt", lst=5)
    assert {"last", "model"} <= {*str(raised.value.hint).removeprefix("use one of ").split(", ")}


def reworded(folder: Path, name: str, *, old: str = "based on their relevance", new: str, **front: str) -> Path:
    """Write another wording of `rankgpt`, and return its path."""
    text = lr.load_prompt("rankgpt").text.replace("name: rankgpt", f"name: {name}").replace(old, new)
    for key, value in front.items():
        text = text.replace(f"\n{key}: ", f"\n{key}: {value} # ") if f"\n{key}: " in text else text
    path = folder / f"{name}.jinja"
    path.write_text(text, encoding="utf-8")
    return path


def wordings(folder: Path) -> tuple[Path, ...]:
    return tuple(reworded(folder, name, new=f"by {name} taste") for name in ("plain", "curt", "odd"))


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_what_a_wording_costs_is_found_at_its_size(tmp_path: Path, share: float) -> None:
    """One of four wordings is not understood in a share of the Cases; the others are all alike."""
    model = Model(lambda asked: not ("by odd taste" in asked.text and asked.draw("odd").random() < share))
    found, rows = audited("paraphrase", tmp_path, model, wording=wordings(tmp_path))
    assert model.asked == 4 * USERS
    odd = rows["odd minus rankgpt"]
    assert odd.ci95 is not None and odd.ci95[0] <= -share <= odd.ci95[1] and odd.direction == -bool(share)
    assert rows["plain minus rankgpt"].value == rows["curt minus rankgpt"].value == 0
    # The standard deviation of (0, 0, 0, -share) is share / 2.
    spread = rows["standard deviation over wordings"]
    assert spread.value == pytest.approx(-(odd.value or 0) / 2) and spread.ci95 is not None
    assert spread.ci95[0] <= share / 2 <= spread.ci95[1]
    assert rows["curt and rankgpt, Kendall's tau"].value == 1
    assert ("the wording odd instead of rankgpt lowers" in found.sentence) == bool(share)
    assert "no significant effect of the wording curt instead of rankgpt" in found.sentence.replace("No", "no")


def test_the_spread_of_wordings_that_are_alike_is_what_chance_makes_it(tmp_path: Path) -> None:
    """Every wording knows half of the users, others each time: a difference of each user, and none of the wordings."""
    model = Model(lambda asked: asked.draw(asked.text.split("by ")[-1][:5]).random() < 0.5)
    found, rows = audited("paraphrase", tmp_path, model, wording=wordings(tmp_path))
    spread = rows["standard deviation over wordings"]
    assert spread.chance == pytest.approx((0.25 / USERS) ** 0.5, rel=0.1), "four values, each a mean over coin tosses"
    assert (spread.value or 0) < 2 * (spread.chance or 0)
    assert spread.ci95 is not None and spread.ci95[0] == 0 and spread.ci95[1] >= (spread.value or 0)
    assert rows["standard error of one wording over users"].value == pytest.approx((0.25 / USERS) ** 0.5, rel=0.1)
    assert not any(rows[f"{name} minus rankgpt"].direction for name in ("plain", "curt", "odd"))
    assert found.sentence.count("o significant effect of") == 3


def test_a_wording_that_asks_for_something_else_is_refused(tmp_path: Path) -> None:
    def refused(said: str, *wording: Any, **more: Any) -> None:
        with pytest.raises(InputError, match=said):
            compose_audit("paraphrase", few_cases(), progress=False, **{"prompt": "rankgpt", **more}, wording=wording)

    refused("there is no other wording")
    refused("palr is not a wording of rankgpt: its 'ranker' is 'listwise', not 'sliding_window'", "palr")
    refused("google-zero-shot is not a wording of rankgpt: its 'task' is 'rating'", "google-zero-shot")
    shorter = reworded(tmp_path, "shorter", new="by taste", history="5")
    refused("shorter is not a wording of rankgpt: its 'history' is 5, not 20", shorter)
    refused("two wordings are called 'rankgpt'", "rankgpt")
    refused("this method uses none", "palr", prompt=None, ranker="bm25")
    plain = wordings(tmp_path)[0]
    asked = compose_audit("paraphrase", few_cases(), prompt="rankgpt", wording=plain, ids="letters", progress=False)
    changed = asked.changed("plain").setup
    assert changed.template is not None and "by plain taste" in changed.template.text
    assert changed.prompt.view.ids == "letters" and asked.changed("rankgpt") is asked.evaluation
    own = compose_audit("paraphrase", few_cases(), prompt="rankgpt", wording=lr.load_prompt(plain), progress=False)
    assert list(own.plan.changes) == ["rankgpt", "plain"]


def test_without_a_wording_those_that_come_with_llmrank_are_asked(tmp_path: Path) -> None:
    def asked(prompt: str, name: Any = "paraphrase", **more: Any) -> list[str]:
        return list(compose_audit(name, few_cases(), prompt=prompt, progress=False, **more).plan.changes)

    shipped = shipped_wordings()
    assert asked("setwise") == ["setwise", *shipped["setwise"]]
    own = reworded(tmp_path, "mine", new="by taste")
    assert asked("rankgpt", wording=own) == ["rankgpt", "mine"]
    assert asked("rankgpt", wording=(own, "shipped")) == ["rankgpt", "mine", *shipped["rankgpt"]]
    assert len(asked("first-token", "variance", orders=2, wording="shipped")) == 2 * 5
    for more in ({}, {"wording": ("shipped", own)}):
        with pytest.raises(InputError, match="no other wording of tourrank") as refused:
            asked("tourrank", **more)
        assert "llmrank has wordings of first-token, palr, rankgpt, setwise" in (refused.value.hint or "")
    model = Model(lambda asked: "Thank you" not in asked.text)
    given: dict[str, Any] = {**ASKING, "store": tmp_path / "store", "out": tmp_path / "audit"}
    found = lr.run_audit("paraphrase", cases(10), backend=model, **given)
    rows = {row.name: row.value for row in found.rows}
    assert [rows[f"{name} minus rankgpt"] for name in ("expert", "form", "polite", "terse")] == [0, 0, -1, 0]
    assert "the wording polite instead of rankgpt lowers HR@1 by 1.0000" in found.sentence


def reasons(request: Request) -> Usage:
    """Count what a model writes that reasons as long as it may."""
    budget = request.thinking.budget or 900
    return Usage(100, 0, 10 + budget * request.thinking.on, budget * request.thinking.on)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_what_thinking_is_worth_is_found_at_its_size(tmp_path: Path, share: float) -> None:
    """Without a bound on its reasoning the model finds what it misses else; within a budget it does not."""

    def knows(asked: Asked) -> bool:
        free = asked.request.thinking.on and asked.request.thinking.budget is None
        return free or asked.draw("misses").random() >= share

    model = Model(knows, reasons)
    found, rows = audited("thinking", tmp_path, model, budget=(64, 256))
    assert model.asked == 4 * USERS
    on = rows["on minus off"]
    assert on.ci95 is not None and on.ci95[0] <= share <= on.ci95[1] and on.direction == bool(share)
    assert rows["budget 64 minus off"].value == rows["budget 256 minus off"].value == 0
    counted = [rows[f"reasoning tokens per call, {name}"].value for name in ("off", "on", "budget 64", "budget 256")]
    assert counted == [0, 900, 64, 256] and rows["completion tokens per call, budget 64"].value == 74
    assert rows["pairs of candidates tied, on"].value == 0 and rows["unreadable answers, on"].value == 0
    assert (rows["seconds per call, on"].value or 0) > 0
    assert ("Thinking raises" in found.sentence) == bool(share)
    assert "no significant effect of thinking for at most 64 tokens" in found.sentence
    assert "the model may have no switch" not in found.sentence


def test_a_model_without_a_switch_is_found_out(tmp_path: Path) -> None:
    found, _ = audited("thinking", tmp_path, Model(lambda _: True))
    assert found.sentence.endswith("No reasoning tokens were counted: the model may have no switch for its reasoning.")

    class Unswitched(Model):
        def switches_thinking(self) -> bool:
            return False

    model = Unswitched(lambda _: True)
    with pytest.raises(InputError, match="the reasoning of simulated cannot be switched"):
        audited("thinking", tmp_path / "known", model)
    assert model.asked == 0


def in_the_order_shown(body: Mapping[str, Any]) -> Step:
    shown = re.findall(r'^\[(\d+)\] "', body["messages"][-1]["content"], re.MULTILINE)
    return good(" > ".join(f"[{identifier}]" for identifier in shown))


@pytest.mark.parametrize("refused_word", ["", "none", "reasoning_effort"])
def test_an_endpoint_is_asked_with_efforts_and_what_it_refuses_is_said(tmp_path: Path, refused_word: str) -> None:
    efforts: list[str | None] = []

    def answer(body: Mapping[str, Any]) -> Step:
        effort = body.get("reasoning_effort")
        if refused_word == "reasoning_effort" and effort is not None:
            return refused(400, "Unrecognized request argument supplied: reasoning_effort")
        if refused_word == effort:
            return refused(400, "Unsupported value: 'none'. Supported values are: 'minimal', 'low', 'medium'.",
                           param="reasoning_effort")  # fmt: skip
        efforts.append(effort)
        return in_the_order_shown(body)

    def audit(out: str) -> Audit:
        given: dict[str, Any] = {"prompt": "rankgpt", "budget": 512, "progress": False, "store": tmp_path / "store"}
        where: dict[str, Any] = {"model": MODEL, "base_url": server.base_url, "out": tmp_path / out}
        return lr.run_audit("thinking", few_cases(), **given, **where)

    with serving(ScriptedServer(answer=answer)) as server:
        if refused_word == "reasoning_effort":
            # Another variant is asked each time, until all are done.
            for said in ("cannot be switched", "cannot be switched", "does not accept reasoning_effort"):
                with pytest.raises(InputError, match=said):
                    audit("audit")
            return
        found = audit("audit")
    off = "minimal" if refused_word else "none"
    assert set(efforts) == {off, "medium", "low"} and len(efforts) == 3 * len(few_cases())
    assert ("The endpoint does not accept the effort `none`: `off` means minimal." in found.sentence) == bool(
        refused_word
    )
