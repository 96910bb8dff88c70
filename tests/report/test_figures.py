"""The figures as files: which there are, what they show, and that names and the user's style do not break them."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from llmrank.audit import Audit, AuditRow
from llmrank.errors import InputError, MissingError
from llmrank.report import figures, page, write_figures
from llmrank.run import compare
from llmrank.types import Ranking
from tests.cli.command import run as command
from tests.report.test_sections import with_ratings, with_scores, without_scores
from tests.run.making import case, make_run, shuffled

HOSTILE = "_$x^{$ <img src=x> --> 映画"


def test_one_run_has_all_but_costs_and_several_have_all(tmp_path: Path) -> None:
    runs = [with_scores(tmp_path / "scored"), without_scores(tmp_path / "bare")]
    assert list(figures(runs[0])) == ["differences", "groups", "depth", "reliability"]
    assert list(figures(runs[1])) == ["differences", "groups", "depth"]
    rated = [with_ratings(tmp_path / f"rated {value}", value) for value in (2.0, 4.0)]
    assert list(figures(*rated)) == ["differences", "ratings", "pareto"]
    files = write_figures(tmp_path / "new" / "figures", *runs)
    names = ("differences", "groups", "depth", "reliability", "pareto")
    assert [file.name for file in files] == [f"{name}.{kind}" for name in names for kind in ("svg", "png")]
    for file in files:
        if file.suffix == ".svg":
            assert ElementTree.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        else:
            assert file.read_bytes().startswith(b"\x89PNG")


def test_what_is_drawn_is_what_the_results_say(tmp_path: Path) -> None:
    runs = [with_scores(tmp_path / "scored"), without_scores(tmp_path / "bare")]
    drawn = figures(*runs)
    (panel,) = drawn["differences"].axes
    assert sum(bar.get_height() for bar in panel.patches) == len(runs[0].cases)
    ours, theirs = (run.per_case("NDCG@10") for run in runs)
    assert f"{abs(np.mean(theirs - ours)):.4f}" in panel.get_legend().get_texts()[0].get_text()
    line = drawn["depth"].axes[0].lines[0]
    assert list(line.get_xydata()[:, 1]) == [one.value for one in runs[0].depth()]
    assert len(drawn["groups"].axes) == 2 and len(drawn["reliability"].axes) == 1


def test_names_of_runs_of_the_same_cost_do_not_cover_each_other(tmp_path: Path) -> None:
    given = [case(f"u{user}") for user in range(12)]
    runs = [make_run(tmp_path / f"run {name}", given, [shuffled(one, 1) for one in given]) for name in range(4)]
    figure = figures(*runs)["pareto"]
    figure.draw_without_rendering()
    boxes = [name.get_window_extent() for name in figure.axes[0].texts]
    assert len(boxes) == 4 and not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_of_rmse_the_differences_are_of_squared_errors(tmp_path: Path) -> None:
    """The mean of the absolute errors' differences is that of MAE."""
    runs = [with_ratings(tmp_path / name, predicted) for name, predicted in (("low", 2.0), ("high", 5.0))]
    (panel,) = figures(*runs)["differences"].axes
    assert panel.get_title() == "squared error: high − low"
    low, high = (run.metrics["RMSE"].value for run in runs)
    assert low is not None and high is not None
    assert panel.get_legend().get_texts()[0].get_text() == f"mean +{high**2 - low**2:.4f}"


def test_differences_are_counted_by_user_as_compare_counts_them(tmp_path: Path) -> None:
    given = [case(f"u{min(n, 4)}", case_id=f"c{n}") for n in range(20)]  # the last user has 16 Cases
    runs = [make_run(tmp_path / f"{seed}", given, [shuffled(one, seed) for one in given]) for seed in (1, 2)]
    (panel,) = figures(*runs)["differences"].axes
    assert sum(bar.get_height() for bar in panel.patches) == 5 and panel.get_ylabel() == "users"
    ends = max(abs(edge) for bar in panel.patches for edge in (bar.get_x(), bar.get_x() + bar.get_width()))
    before, after = (run.to_pandas().groupby("user_id")["NDCG@10"].mean() for run in runs)
    assert ends == pytest.approx((after - before).abs().max())
    [found] = compare(*runs, measures="NDCG@10").results
    assert f"{abs(found.difference or 0):.4f}" in panel.get_legend().get_texts()[0].get_text()


def test_each_audit_is_a_figure_with_a_point_for_each_value(tmp_path: Path) -> None:
    rows = (
        AuditRow("costs $5 more", 0.5, (0.4, 0.6), 9, 0.0, 0.01),
        AuditRow("mean", 0.2, None, 9, 0.1),
        AuditRow("unknown", None, None, 0),
    )
    audits = [Audit("Does it?", "Yes.", rows, "$x^{$ on data"), Audit("Does nothing?", "Yes.", rows[2:])]
    drawn = figures(with_scores(tmp_path / "run"), audits=audits)
    assert [*drawn][-2:] == ["audit-1", "audit-2"]
    assert [axes.lines[0].get_xdata().tolist() for axes in drawn["audit-1"].axes] == [[0.2], [0.5]]
    files = write_figures(tmp_path / "figures", with_scores(tmp_path / "again"), audits=audits)
    assert {"audit-1.svg", "audit-2.png"} <= {file.name for file in files}


def test_the_same_runs_make_the_same_files_in_any_style(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run")
    first = write_figures(tmp_path / "first", run)
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": "other"}):
        second = write_figures(tmp_path / "second", run)
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_cases_of_which_nothing_is_known_break_nothing(tmp_path: Path) -> None:
    cases = [replace(case(f"u{user}", n=4), relevant=()) for user in range(3)]
    run = make_run(tmp_path / "run", cases, [Ranking(tuple(item.item_id for item in one.candidates)) for one in cases])
    assert write_figures(tmp_path / "figures", run)
    assert page(run)
    other = make_run(tmp_path / "other", cases, [shuffled(one, 1) for one in cases])
    assert "3 Cases" in page(run, other) and write_figures(tmp_path / "both", run, other)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_are_no_formulas_and_no_markup(tmp_path: Path) -> None:
    runs = [with_scores(tmp_path / f"{HOSTILE} 1"), without_scores(tmp_path / f"{HOSTILE} 2")]
    for file in write_figures(tmp_path / "figures", *runs):
        if file.suffix == ".svg":
            tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(file).iter()}
            assert not tags & {"img", "script", "image"}
    legend = figures(*runs)["depth"].axes[0].get_legend()
    assert len(legend.get_texts()) == 2


def test_what_is_there_is_kept_and_answers_that_are_no_ratings_have_nothing_to_draw(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "depth.png").write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        write_figures(tmp_path / "figures", run)
    assert [file.name for file in (tmp_path / "figures").iterdir()] == ["depth.png"]
    assert len(write_figures(tmp_path / "figures", run, overwrite=True)) == 8
    with pytest.raises(InputError, match="cannot be created"):
        write_figures(tmp_path / "figures" / "depth.png" / "more", run)
    liked = with_ratings(tmp_path / "liked", 0.5, measures="AUC")
    with pytest.raises(InputError, match="has no figures"):
        write_figures(tmp_path / "none", liked)
    others = with_ratings(tmp_path / "others", 0.7, measures="AUC")
    assert list(figures(liked, others)) == ["pareto"], "no single user has an AUC to differ in"


def test_of_ratings_the_predicted_are_drawn_against_the_true(tmp_path: Path) -> None:
    drawn = figures(with_ratings(tmp_path / "rated", 3.5))
    assert list(drawn) == ["ratings"]
    (points,) = drawn["ratings"].axes[0].collections
    assert points.get_offsets().tolist() == [[true, 3.5] for true in (1, 2, 3, 4, 5)]
    assert len(set(points.get_sizes())) == 1, "two Cases of each true rating"


def test_without_matplotlib_the_hint_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingError, match="pip install matplotlib"):
        write_figures(tmp_path / "figures", with_scores(tmp_path / "run"))


def test_the_command_writes_figures_with_or_without_the_page(tmp_path: Path) -> None:
    with_scores(tmp_path / "run")
    ran = command(tmp_path, "report", "run", "--figures", "figures")
    assert ran.returncode == 0 and "figures/reliability.png" in ran.stdout, ran.stderr
    ran = command(tmp_path, "report", "run", "--figures", "figures", "-o", "report.html", "--force")
    assert ran.returncode == 0 and "report.html: " in ran.stdout, ran.stderr
    ran = command(tmp_path, "report", "run")
    assert ran.returncode == 2 and "--figures" in ran.stderr
