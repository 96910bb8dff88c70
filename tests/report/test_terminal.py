"""The table on a terminal: the verdict first, every digit at every width, and nothing that controls the terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

import llmrank as lr
from llmrank.measures import MeasureSummary, VersusBaseline
from llmrank.report import show_metrics, show_story, show_worst
from llmrank.run import Metrics
from llmrank.run.metrics import LabelMass, UsageSummary
from llmrank.run.tables import TextTable, between, number, p_value, signed
from llmrank.types import Outcome
from tests.cli.command import run as command
from tests.report.test_sections import with_ratings
from tests.run.making import case, make_run, shuffled

VERSUS = {
    "recall_order": VersusBaseline(-0.095, (-0.1927, 0.0028), 0.06, 0.2252, 0.1396, 19),
    "random": VersusBaseline(0.0712, (0.0512, 0.0912), 0.0001, 0.0004),
    "nothing": VersusBaseline(None, None, 1.0, 1.0),
}
BASELINES = {"random": 0.0386, "popularity": 0.095, "recall_order": 0.1312, "ceiling": 0.425}
SUMMARY = MeasureSummary(0.0362, (0.002, 0.1547), 0.0905, 0.025, 0.344, baselines=BASELINES, versus=VERSUS)
NUMBERS = Metrics(
    "recall-limited(ease@50)",
    False,
    40,
    40,
    38,
    16,
    {"HR@1": replace(SUMMARY, value=None, ci95=None), "NDCG@10": SUMMARY},
    "NDCG@10",
    ("Not a time split: " + "other users' later events are in training. " * 4,),
    0.425,
    50,
    {"ok": 0, "repaired": 16, "unparsed": 24, "error": 0},
    {"unparsed: refusal": 24},
    {"missing": 122},
    {"exact": 3},
    7,
    LabelMass(0.93, 0.1, 2),
    UsageSummary(80, 56_631, 5_664, 30_000, 7_209, 0, 1.5, 0.0123, "EUR", "2026-11-01"),
)


def printed(what: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, force_terminal=False)
    console.print(what)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 42, 50, 60, 80, 99, 100, 110, 120, 200])
def test_every_digit_is_there_at_every_width(width: int) -> None:
    lines = printed(show_metrics(NUMBERS, title="palr on ml-100k", run="results/x", width=width), width)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    for shown in ("0.0362", "0.0020 to 0.1547", "0.0905", "0.0250 to 0.3440", "0.0386", "0.0950", "0.1312", "0.4250"):
        assert shown in text, f"{shown} is cut at {width} columns"
    for name in (
        "measure",
        "value",
        "95% CI",
        "answered only",
        "worst to best",
        "random",
        "popularity",
        "recall order",
        "ceiling",
    ):
        assert name in text, f"{name} is cut at {width} columns"
    assert "…" not in text and "results/x" in text


def test_on_a_narrow_terminal_every_number_stands_beside_its_name() -> None:
    trained = replace(
        SUMMARY,
        baselines=BASELINES | {"bert4rec": 0.2},
        versus={"bert4rec": VERSUS["random"]},
        baseline_ci95={"bert4rec": (0.15, 0.25)},
    )
    lines = printed(show_metrics(replace(NUMBERS, measures={"NDCG@10": trained}), title="t", width=40), 40)
    listed = [" ".join(line.replace("│", " ").replace("┃", " ").split()) for line in lines]
    for line in (
        *("measure value", "NDCG@10 0.0362", "95% CI 0.0020 to 0.1547", "answered only 0.0905"),
        *("worst to best 0.0250 to 0.3440", "recall order 0.1312", "trained measure value", "bert4rec NDCG@10 0.2000"),
        *("95% CI 0.1500 to 0.2500", "method minus it +0.0712", "95% CI +0.0512 to +0.0912", "p (Holm) < .001"),
    ):
        assert line in listed


def test_the_verdict_comes_before_the_numbers_and_is_bold() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system="truecolor", highlight=False)
    console.print(show_metrics(NUMBERS, title="palr"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    sentence = (
        "NDCG@10: no significant difference from recall order (−0.0950, 95% CI −0.1927 to +0.0028, p (Holm) = .23)"
    )
    assert f"\x1b[1m{sentence}" in text and text.index(sentence) < text.index("0.0362")


def test_the_verdict_names_what_is_better_and_what_is_not_known() -> None:
    assert NUMBERS.verdict()[1:] == [
        "NDCG@10: better than random (+0.0712, 95% CI +0.0512 to +0.0912, p (Holm) < .001)",
        "No readable answer in 24 of 40 Cases, counted as worst.",
    ]
    trained = replace(SUMMARY, versus={"my_own": VERSUS["random"]}, baseline_ci95={"my_own": (0.15, 0.25)})
    assert replace(NUMBERS, measures={"NDCG@10": trained}).verdict()[0].startswith("NDCG@10: better than my_own (")
    worse = replace(NUMBERS, measures={"NDCG@10": replace(SUMMARY, lower_is_better=True)})
    assert worse.verdict()[1].startswith("NDCG@10: worse than random")
    assert replace(NUMBERS, headline=None, answered_cases=40).verdict() == []


def test_the_verdict_says_that_an_interval_without_zero_is_not_corrected() -> None:
    versus = {"random": VersusBaseline(-0.1, (-0.2, -0.01), 0.03, 0.09)}
    numbers = replace(NUMBERS, measures={"NDCG@10": replace(SUMMARY, versus=versus)})
    assert numbers.verdict()[0] == (
        "NDCG@10: no significant difference from random "
        "(−0.1000, uncorrected 95% CI −0.2000 to −0.0100, p (Holm) = .090)"
    )


def test_the_verdict_says_what_to_do_about_answers_that_are_cut_off() -> None:
    few = replace(NUMBERS, reasons={"unparsed: empty": 13, "unparsed: truncated": 11})
    assert few.verdict() == NUMBERS.verdict()
    cut = replace(NUMBERS, reasons={"unparsed: truncated": 13, "unparsed: empty": 11})
    assert cut.verdict()[-1] == (
        "13 answers reach the token limit before ranking anything: raise it with --max-tokens (max_tokens=)."
    )
    reasoned = replace(cut, usage=replace(cut.usage, completion_tokens=100, reasoning_tokens=90))
    assert reasoned.verdict()[-1].endswith('(max_tokens=), or switch the reasoning off (thinking="off").')


def test_what_the_method_does_with_what_was_proposed_stands_beside_it() -> None:
    summary = replace(NUMBERS["NDCG@10"], proposed_only=0.25, proposed_only_ci95=(0.125, 0.5))
    found = replace(NUMBERS, measures={**NUMBERS.measures, "NDCG@10": summary}, proposed_cases=16)
    line = "proposed NDCG@10 is 0.2500 (95% CI 0.1250 to 0.5000) in the 16 Cases with a relevant candidate"
    for metrics, is_shown in ((found, True), (replace(found, proposed_cases=found.judged_cases), False)):
        assert (line in " ".join(" ".join(printed(show_metrics(metrics, title="palr"), 120)).split())) is is_shown


def test_what_must_stand_beside_the_numbers() -> None:
    lines = printed(show_metrics(NUMBERS, title="palr", calls="3 made now", paid="0.01 EUR"), 120)
    text = " ".join(" ".join(lines).split())
    for shown in (
        "40, recall-limited(ease@50)",
        "2 Cases have no known truth: ranked, but not counted in any measure.",
        "Not a time split",
        "42.5% of a Case's relevant items are among its candidates, on average; NDCG@10 reaches 9% of its ceiling",
        "ok 0 · repaired 16 · unparsed 24 · error 0",
        "unparsed: refusal (24 Cases)",
        "7 oldest events, to fit the context window",
        "mean 0.930, lowest 0.100; too low in 2 Cases",
        "80 (3 made now), 56,631 prompt tokens (5,664 from the prefix cache: the rest is 1.70 times what a perfect "
        "cache would leave)",
        "0.0123 EUR for these answers, 0.01 EUR now, prices of 2026-11-01",
    ):
        assert shown in text


def test_a_count_of_one_is_not_in_the_plural() -> None:
    usage = replace(NUMBERS.usage, completion_tokens=1, unreported=1)
    one = replace(NUMBERS, cases=2, users=1, history_dropped=1, label_mass=LabelMass(0.9, 0.1, 1), usage=usage)
    text = " ".join(" ".join(printed(show_metrics(one, title="palr"), 120)).split())
    for shown in ("2 of 1 user,", "1 oldest event,", "too low in 1 Case ", "1 completion token; not known for 1 Case "):
        assert shown in text


def test_nothing_is_said_to_be_found_where_the_method_is_recall_order() -> None:
    itself = VersusBaseline(0.0, (0.0, 0.0), 1.0, 1.0, 0.0)
    numbers = replace(NUMBERS, measures={"NDCG@10": replace(SUMMARY, versus={"recall_order": itself})})
    assert not [line for line in printed(show_metrics(numbers, title="recall_order"), 120) if "would be found" in line]


def test_a_baseline_of_any_name_has_a_column() -> None:
    summary = replace(SUMMARY, baselines=BASELINES | {"bm25_plus": 0.2}, versus={"bm25_plus": VERSUS["random"]})
    numbers = replace(NUMBERS, measures={"NDCG@10": summary})
    for width in (80, 120):
        text = "\n".join(printed(show_metrics(numbers, title="palr", width=width), 140))
        assert "bm25 plus" in text and "0.2000" in text and "better than bm25 plus" in text


def test_foreign_text_controls_nothing() -> None:
    numbers = replace(NUMBERS, notes=("[/bold] \x1b[31mred",))
    text = "\n".join(printed(show_metrics(numbers, title="[/x]\x1b[2J"), 120))
    assert "[/x]" in text and "[/bold]" in text and "\x1b" not in text


def test_the_cases_that_lost_most(tmp_path: Path) -> None:
    cases = [case(f"u{user:02}") for user in range(12)]
    rankings = [shuffled(one, 1, named=8, outcome=Outcome.REPAIRED) for one in cases]
    run = make_run(tmp_path, cases, rankings)
    worst = run.worst(4)
    for width in (80, 120):
        text = "\n".join(printed(show_worst(worst, "NDCG@10"), width))
        for story, lost in worst:
            assert story.case.case_id in text and f"{lost:.4f}".replace("-", "−") in text
        assert "not placed" in text
    tied = [replace(one, recall_scores=(1.0,) * len(one.candidates)) for one in cases]
    lost = make_run(tmp_path / "tied", tied, [replace(one, named=0) for one in rankings]).worst(1)
    assert not lost
    scores = tuple(float(-(place > 0)) for place in range(20))
    lost = make_run(tmp_path / "scored", tied, [replace(one, named=None, scores=scores) for one in rankings]).worst(1)
    assert "1–20 → 2–20" in "\n".join(printed(show_worst(lost, "NDCG@10"), 120))
    assert "No Case" in printed(show_worst([], "MRR"), 80)[0]


ANSWER = "1. Film 2\n2. Heat\n3. Film 0 \x1b[2J\n4. Metropolitain"


def test_a_story_has_the_colours_and_the_places_of_the_page(tmp_path: Path) -> None:
    items = [{"item_id": f"i{at}", "title": f"Film {at}", "score": 9.0 - at} for at in range(4)]
    items.append({"item_id": "i4", "title": "Metropolitan", "score": 1.0})
    row = {"user_id": "u", "candidates": items, "relevant": ["i2", "gone"], "response": ANSWER}
    (tmp_path / "answers.jsonl").write_text(json.dumps(row) + "\n")
    story = show_story(lr.score(tmp_path / "answers.jsonl", "titles", out=tmp_path / "run"), "u")
    lines = story.plain.splitlines()
    assert "  answer 1" in lines, "how a scored answer ended is not known"
    (ranked,) = (line.split() for line in lines if line.endswith("◀ relevant") and "Film 2" in line)
    assert ranked[:5] == ["Film", "2", "3", "3", "1"], "third in recall order and as shown, first in the ranking"
    assert any("gone (item id)" in line and "not a candidate" in line for line in lines)
    assert any(line.split()[:5] == ["Film", "1", "2", "2", "not"] for line in lines)
    assert "\x1b" not in story.plain
    coloured = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=120)
    coloured.print(story, soft_wrap=True)
    out = coloured.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[4;32mFilm 2\x1b[0m" in out and "\x1b[4;31mHeat\x1b[0m" in out and "\x1b[33mrepaired" in out
    assert "\x1b[4;33mMetropolitain\x1b[0m" in out
    assert "\x1b" not in "\n".join(printed(story, 120))


def test_the_command_shows_a_story_in_colour_unless_it_is_not_wanted(tmp_path: Path) -> None:
    cases = [case("u")]
    make_run(tmp_path / "run", cases, [shuffled(cases[0], 1)])
    assert "\x1b" not in command(tmp_path, "show", "run", "--user", "u").stdout
    assert "\x1b[32mok" in command(tmp_path, "show", "run", "--user", "u", FORCE_COLOR="1").stdout


def test_of_ratings_a_story_says_what_was_predicted(tmp_path: Path) -> None:
    story = show_story(with_ratings(tmp_path / "run", 2.5), "u1").plain
    assert "true rating 2" in story and "predicted rating\n    2.5" in story and "ranking" not in story


def test_columns_stand_below_each_other_whatever_the_script() -> None:
    table = TextTable(("title", "rank"), (("映画", "1"), ("Café\u0301", "10"), ("ab", "–")))
    assert [cell_len(line) for line in str(table).split("\n")] == [table.width] * 5


def test_how_numbers_are_written() -> None:
    assert [p_value(p) for p in (0.0004, 0.034, 0.0994, 0.0996, 0.2252, 0.994, 1.0, None)] == [
        *("< .001", ".034", ".099", ".10", ".23", ".99", "1.00", "–")
    ]
    assert (between((None, None)), between((0.5, 1.0))) == ("–", "0.5000 to 1.0000")
    assert (number(0.25), number(None), signed(-0.5), signed(0.5)) == ("0.2500", "–", "−0.5000", "+0.5000")
    table = TextTable(("a|b", "c"), (("x_y & 50%", "−1"),))
    assert table.to_markdown() == "| a\\|b | c |\n| :--- | ---: |\n| x_y & 50% | −1 |\n"
    assert r"x\_y \& 50\% & $-$1 \\" in table.to_latex()
    assert str(table) == "a|b         c\n─────────  ──\nx_y & 50%  −1"
    assert table.width == 13 and str(table.without("c")) == "a|b\n─────────\nx_y & 50%"


def test_the_table_says_how_large_a_difference_would_be_found() -> None:
    shown = " ".join(" ".join(printed(show_metrics(NUMBERS, title="t"), 120)).split())
    assert "power a difference of 0.1396 NDCG@10 from recall order would be found in four of five samples" in shown
    unknown = {name: replace(one, detectable=None, different=0) for name, one in VERSUS.items()}
    quiet = replace(NUMBERS, measures={"NDCG@10": replace(SUMMARY, versus=unknown)})
    assert "power" not in "\n".join(printed(show_metrics(quiet, title="t"), 120))
    rare = {name: replace(one, detectable=None, different=7) for name, one in VERSUS.items()}
    vague = replace(NUMBERS, measures={"NDCG@10": replace(SUMMARY, versus=rare)})
    assert "power 7 users differ from recall order in NDCG@10: too few to say" in " ".join(
        " ".join(printed(show_metrics(vague, title="t"), 120)).split()
    )
    for detectable in (None, 0.0):  # 0.0 in Runs of earlier versions
        alike = {name: replace(one, detectable=detectable, different=40) for name, one in VERSUS.items()}
        silent = replace(NUMBERS, measures={"NDCG@10": replace(SUMMARY, versus=alike)})
        assert "power 40 users differ from recall order in NDCG@10 by the same amount, which does not say" in " ".join(
            " ".join(printed(show_metrics(silent, title="t"), 120)).split()
        )
    few = {name: replace(one, detectable=2.67) for name, one in VERSUS.items()}
    hopeless = replace(NUMBERS, measures={"NDCG@10": replace(SUMMARY, versus=few)})
    assert "too few users to detect any difference in NDCG@10 from recall order" in "\n".join(
        printed(show_metrics(hopeless, title="t"), 120)
    )
