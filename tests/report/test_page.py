"""The page about Runs: what its file holds, and what a person sees of it in a real browser."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import llmrank as lr
from llmrank.errors import InputError
from llmrank.report import page, write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "<script>window.hacked = 1</script></script><img src=x onerror='window.hacked = 2'>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def scored(
    folder: Path, name: str, *, users: int = 12, candidates: int = 5, seed: int = 0, title: str = "Film"
) -> lr.Run:
    """Make a real Run of answers: every third names nothing, and the others name some candidates in a seeded order."""
    draw = random.Random(seed)
    lines: list[str] = []
    for user in range(users):
        items = [{"item_id": f"i{place}", "title": f"{title} {place} of {user}"} for place in range(candidates)]
        order = draw.sample(items, 3)
        named = "\n".join(f"{place}. {item['title']}" for place, item in enumerate(order, 1))
        row: dict[str, Any] = {"user_id": f"u{user}", "candidates": items, "relevant": [f"i{user % candidates}"]}
        row["history"] = [{"item_id": f"h{past}", "title": f"{title} seen {past}"} for past in range(user)]
        lines.append(json.dumps(row | {"response": named if user % 3 else "I cannot say."}))
    answers = folder / f"{name}.jsonl"
    answers.write_text("\n".join(lines) + "\n")
    return lr.score(answers, "titles", out=folder / name)


def test_the_same_runs_make_the_same_file_and_it_loads_nothing(tmp_path: Path) -> None:
    run = scored(tmp_path, "run", title=HOSTILE)
    first = page(run)
    assert first == page(lr.load_run(run.path))
    assert HOSTILE not in first and "hacked" not in first.partition('id="data"')[0]
    assert "http://" not in first.replace("http://www.w3.org/2000/svg", "") and "https://" not in first


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    run = scored(tmp_path, "run")
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        write_page(tmp_path / "report.html", run)
    assert (tmp_path / "report.html").read_text() == "mine"
    with pytest.raises(InputError, match="missing"):
        write_page(tmp_path / "missing" / "report.html", run)
    assert write_page(tmp_path / "report.html", run, overwrite=True).read_text().startswith("<!doctype html>")


def test_runs_that_are_not_comparable_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not comparable"):
        page(scored(tmp_path, "a"), scored(tmp_path, "b", candidates=6))


@pytest.mark.parametrize(("users", "limit"), [(200, 1_000_000), (1000, 5_000_000)])
def test_it_stays_small(tmp_path: Path, users: int, limit: int) -> None:
    assert len(page(scored(tmp_path, "run", users=users, candidates=50)).encode()) < limit


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    options = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*options, "--disable-sync", "--no-first-run"]
        )
        yield chromium
        chromium.close()


class Opened:
    """A page in the browser, with what it asked for and what went wrong in it."""

    def __init__(self, browser: Browser, path: Path, address: str = "", **options: Any) -> None:
        self.page: Page = browser.new_page(**options)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.goto(path.as_uri() + address)
        self.page.wait_for_selector("#app:not([hidden])")

    def cases(self) -> list[str]:
        return self.page.locator("#cases tbody tr td:first-child").all_inner_texts()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_page(tmp_path / "report.html", scored(tmp_path, "run"))


def test_titles_and_answers_are_inert_and_nothing_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    path = write_page(tmp_path / "report.html", scored(tmp_path, "run", title=HOSTILE))
    opened = Opened(browser, path, "#case=u4")
    assert HOSTILE in opened.page.locator("#story").inner_text()
    assert opened.page.evaluate("window.hacked") is None
    assert opened.asked == [path.as_uri() + "#case=u4"] or opened.asked == [path.as_uri()]
    assert opened.errors == []
    # What a title could bring in is refused by the policy too.
    opened.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 3\">')")
    opened.page.wait_for_timeout(200)
    assert opened.page.evaluate("window.hacked") is None


def test_outcomes_search_and_choice_filter_and_the_address_keeps_them(browser: Browser, written: Path) -> None:
    opened = Opened(browser, written)
    show = opened.page
    assert len(opened.cases()) == 12
    show.get_by_role("button", name="unparsed 4").click()
    assert sorted(opened.cases()) == ["u0", "u3", "u6", "u9"]
    show.reload()
    show.wait_for_selector("#app:not([hidden])")
    assert sorted(opened.cases()) == ["u0", "u3", "u6", "u9"]
    show.get_by_role("button", name="unparsed 4").first.click()
    show.get_by_label("Search titles and answers").fill("film 2 of 7")
    assert opened.cases() == ["u7"]
    assert show.locator("#count").inner_text() == "1 of 12 Cases"


def test_a_column_sorts_both_ways_by_its_numbers(browser: Browser, written: Path) -> None:
    opened = Opened(browser, written)
    history = opened.page.get_by_role("button", name="history")
    history.click()
    assert opened.cases() == [f"u{user}" for user in range(12)]
    history.click()
    assert opened.cases() == [f"u{user}" for user in reversed(range(12))]


def test_a_case_is_opened_by_keyboard_and_shows_its_story(browser: Browser, written: Path) -> None:
    opened = Opened(browser, written)
    show = opened.page
    show.get_by_role("link", name="u4", exact=True).focus()
    show.keyboard.press("Enter")
    assert show.evaluate("document.activeElement.id") == "h-story"
    assert "#case=u4" in show.url
    story = show.locator("#story").inner_text()
    assert "User u4" in story and "Film seen 3" in story and "◀" not in story
    relevant = show.locator("#story .relevant").all_inner_texts()
    assert relevant and set(relevant) == {"Film 4 of 4"}
    assert show.locator("#story mark").count() == 3, "the titles that were placed stand in the answer"


def test_two_runs_show_who_is_worse(browser: Browser, tmp_path: Path) -> None:
    before, after = scored(tmp_path, "before"), scored(tmp_path, "after", seed=1)
    opened = Opened(browser, write_page(tmp_path / "report.html", before, after), "#run=1&only=worse")
    old, new = (run.per_case(str(run.metrics.headline)) for run in (before, after))
    expected = {case.case_id for case, a, b in zip(before.cases, old, new, strict=True) if b < a}
    assert expected and set(opened.cases()) == expected
    assert opened.page.locator("h1").inner_text() == lr.compare(before, after).verdict()[0]


def test_it_fits_a_phone_prints_and_has_no_serious_fault_of_access(browser: Browser, written: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for scheme in ("light", "dark"):
        opened = Opened(browser, written, "#case=u4", viewport={"width": 380, "height": 800}, color_scheme=scheme)
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 380
        found = Axe().run(opened.page).response["violations"]
        assert [(one["id"], one["nodes"]) for one in found if one["impact"] in ("serious", "critical")] == []
        assert opened.page.pdf().startswith(b"%PDF")
