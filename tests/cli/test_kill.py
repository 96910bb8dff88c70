"""kill -9 at random moments, against a real HTTP server: the same numbers, and nothing answered is asked again."""

from __future__ import annotations

from pathlib import Path

from tests.killing import EVAL, RERANK, Compared, check_run, compare_killed, metrics_of, reranked_of


def holds(compared: Compared, questions: int, kills: int) -> None:
    undisturbed, killed = compared.undisturbed, compared.killed
    assert len(undisturbed.asked) == len(set(undisturbed.asked)) == questions
    # One of the late kills may come too late.
    assert kills - 2 <= killed.kills <= kills
    assert set(killed.asked) == set(undisturbed.asked)
    assert killed.asked_though_stored == 0
    assert killed.repeated <= killed.in_flight <= compared.most_in_flight
    assert compared.same_result


def test_a_run_killed_at_twenty_moments_has_the_numbers_of_an_undisturbed_one(tmp_path: Path) -> None:
    compared = compare_killed(tmp_path, EVAL, cases=300, kills=22, result=metrics_of, check=check_run)
    holds(compared, questions=600, kills=22)


def test_a_reranked_file_killed_at_six_moments_is_that_of_an_undisturbed_one(tmp_path: Path) -> None:
    compared = compare_killed(tmp_path, RERANK, cases=300, kills=6, result=reranked_of)
    holds(compared, questions=600, kills=6)
