"""The page about Runs: what its file holds, and what a person sees of it in a real browser."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

import llmrank as lr
from llmrank.audit import Audit, AuditRow
from llmrank.errors import InputError
from llmrank.report import page, write_page
from llmrank.run.metrics import measures_of
from llmrank.types import Case, Outcome, Ranking
from tests.evaluation.serving import cases, serving
from tests.report.test_sections import rated, with_scores, without_scores
from tests.run.making import case, how, make_run
from tests.scripted_server import MODEL, ScriptedServer, good

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HOSTILE = "<script>window.hacked = 1</script></script><img src=x onerror='window.hacked = 2'>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def scored(
    folder: Path,
    name: str,
    *,
    users: int = 12,
    candidates: int = 5,
    seed: int = 0,
    title: str = "Film",
    each: int = 1,
) -> lr.Run:
    """Make a real Run of answers: every third names nothing, and the others name some candidates in a seeded order.

    With `each` above 1, so many of the Cases are one user's.
    """
    draw = random.Random(seed)
    lines: list[str] = []
    for user in range(users):
        items = [{"item_id": f"i{place}", "title": f"{title} {place} of {user}"} for place in range(candidates)]
        order = draw.sample(items, 3)
        named = "\n".join(f"{place}. {item['title']}" for place, item in enumerate(order, 1))
        row: dict[str, Any] = {
            "user_id": f"u{user // each}",
            "case_id": f"u{user}",
            "candidates": items,
            "relevant": [f"i{user % candidates}"],
        }
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


def asked(folder: Path, cases: list[lr.Case], answer: str, **settings: Any) -> tuple[lr.Run, list[str]]:
    """Make a Run of calls to an endpoint that always answers the same; return it with the texts that it received."""
    with serving(ScriptedServer(good(answer))) as server:
        run = lr.evaluate(
            cases, model=MODEL, base_url=server.base_url, store=folder / "store.sqlite", out=folder / "run",
            progress=False, **settings,
        )  # fmt: skip
    return run, [message["content"] for call in server.seen for message in call["messages"]]


def long_cases(users: int) -> list[lr.Case]:
    """Return Cases of 50 candidates and 20 events, with titles of words drawn by seed."""
    draw = random.Random(0)

    def item(name: str) -> lr.Item:
        return lr.Item(name, " ".join(f"{draw.getrandbits(20):x}" for _ in range(5)))

    films = [item(f"i{place}") for place in range(2000)]
    return [
        lr.Case(f"u{user}", tuple(map(lr.Event, chosen[50:])), tuple(chosen[:50]), relevant=(chosen[0].item_id,))
        for user in range(users)
        for chosen in [draw.sample(films, 70)]
    ]


@pytest.mark.parametrize("settings", [{"prompt": "palr", "no_profile": True}, {"prompt": "pointwise-yes-no"}])
def test_it_stays_small_with_what_was_sent(tmp_path: Path, settings: dict[str, Any]) -> None:
    run, _ = asked(tmp_path, long_cases(16), "Yes", **settings)
    assert len(page(run).encode()) < 16 * 4000 + 50_000  # and what does not grow with the users


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        # pip installs what drives the browser, not the browser; .ci/run installs one.
        pytest.skip("Chromium is a package of the system, which pip does not install: apt-get install chromium")
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

    def __init__(self, browser: Browser | BrowserContext, path: Path, address: str = "", **options: Any) -> None:
        self.page: Page = browser.new_page(**options)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.goto(path.as_uri() + address)
        self.page.wait_for_selector("#app:not([hidden])")

    def faults(self) -> list[tuple[str, Any]]:
        """Return the serious faults of access."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [(one["id"], one["nodes"]) for one in found if one["impact"] in ("serious", "critical")]

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
    show.keyboard.press("Escape")
    assert not show.locator("#story").is_visible() and "case=" not in show.url
    assert show.evaluate("document.activeElement.textContent") == "u4"


def test_a_title_that_is_written_backwards_turns_round_nothing_else(browser: Browser, tmp_path: Path) -> None:
    backwards = "\u202eFilm"
    show = Opened(
        browser, write_page(tmp_path / "report.html", scored(tmp_path, "run", title=backwards)), "#case=u4"
    ).page
    for place in ("#story .columns li", "#story .history li", "#story mark"):
        isolated = show.locator(f"{place} > bdi").all_text_contents()
        assert len(isolated) == show.locator(place).count() > 0
        assert all(text.startswith(backwards) for text in isolated)


def test_the_keyboard_stays_where_it_was_when_something_is_pressed(browser: Browser, written: Path) -> None:
    show = Opened(browser, written).page
    for name in ("unparsed 4", "unparsed: refusal (4 Cases)", "history"):
        show.get_by_role("button", name=name, exact=True).focus()
        show.keyboard.press("Enter")
        focused = show.evaluate("[document.activeElement.tagName, document.activeElement.textContent]")
        assert focused[0] == "BUTTON" and focused[1].startswith(name)


def test_an_address_shows_the_case_that_it_names_or_says_that_there_is_none(browser: Browser, written: Path) -> None:
    show = Opened(browser, written, "#case=u4").page
    assert show.evaluate("document.activeElement.id") == "h-story"
    assert 0 <= show.evaluate("document.activeElement.getBoundingClientRect().top") < show.evaluate("innerHeight")
    assert show.get_by_role("link", name="u5", exact=True).get_attribute("href") == "#case=u5"
    opened = Opened(browser, written, "#case=u4000&run=constructor")
    assert opened.page.locator("#story").inner_text() == "run has no Case u4000" and opened.errors == []


def test_tied_items_share_their_places(tmp_path: Path, browser: Browser) -> None:
    case = replace(cases(1)[0], recall_scores=None)
    run = lr.evaluate([case], ranker="popularity", out=tmp_path / "tied", progress=False)
    n = len(case.candidates)
    show = Opened(browser, write_page(tmp_path / "report.html", run)).page
    assert show.locator("#cases tbody td").all_inner_texts()[3] == f"1–{n}", "no item has an event in training"


def test_the_messages_of_every_call_are_those_that_the_endpoint_got(browser: Browser, tmp_path: Path) -> None:
    case = replace(cases(1)[0], candidates=tuple(lr.Item(f"i{at}", f"{HOSTILE} 🎬 {at}") for at in range(22)))
    case = replace(case, recall_scores=None)
    run, received = asked(tmp_path, [case], "</script><script>window.hacked = 4</script>", prompt="pointwise-yes-no")
    opened = Opened(browser, write_page(tmp_path / "report.html", run), "#case=u0")
    show = opened.page
    assert not show.locator("#sent pre").first.is_visible()
    show.get_by_text("What was sent (22 calls)").click()
    texts = show.locator("#sent pre").all_text_contents()
    assert set(texts) <= set(received) and len(set(texts)) == 20
    assert show.locator("#count").inner_text() == "1 of 1 Case"
    assert "The last 2 calls are not shown" in show.locator("#sent").inner_text()
    assert show.evaluate("window.hacked") is None and opened.errors == []


def test_a_message_is_copied_as_it_is_or_selected(browser: Browser, tmp_path: Path) -> None:
    run, [received] = asked(tmp_path, cases(1), "Film 1", prompt="palr", no_profile=True)
    path = write_page(tmp_path / "report.html", run)
    allowed = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    show = Opened(allowed, path, "#case=u0").page
    show.get_by_text("What was sent (1 call)").click()
    show.get_by_role("button", name="Copy user message").click()
    show.get_by_text("Copied.").wait_for()
    assert show.evaluate("navigator.clipboard.readText()") == received
    opened = Opened(browser, path, "#case=u0", viewport={"width": 380, "height": 800}, color_scheme="dark")
    refused = opened.page
    refused.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('refused')))")
    refused.get_by_text("What was sent (1 call)").click()
    refused.get_by_role("button", name="Copy user message").click()
    refused.get_by_text("Selected.").wait_for()
    assert refused.evaluate("getSelection().toString()").split() == received.split()
    assert opened.faults() == [] and refused.evaluate("document.documentElement.scrollWidth") == 380
    allowed.close()


def test_a_run_says_why_its_messages_are_not_known(browser: Browser, written: Path) -> None:
    show = Opened(browser, written, "#case=u4").page
    show.get_by_text("What was sent (1 call)").click()
    assert "Unknown. The answers came from a file" in show.locator("#sent").inner_text()
    assert "calls\n1, tokens not known\n" in show.locator("#story").inner_text()
    assert {row[-1] for row in data_of(show, "Download this table")[1:]} == {""}


def test_what_was_read_is_marked_in_the_answer_and_said_in_words(browser: Browser, tmp_path: Path) -> None:
    answer = "You liked Film 3, so:\n1. Film 1\n2. Heat 🎬\n3. FILM 2\n4. Film 1\n5. Film 3\n6. Metropolitain"
    [one] = cases(1)
    one = replace(one, candidates=(*one.candidates[:4], lr.Item("i4", "Metropolitan")))
    run, _ = asked(tmp_path, [one], answer, prompt="palr", no_profile=True)
    show = Opened(browser, write_page(tmp_path / "report.html", run), "#case=u0").page
    marks = show.locator("#story mark")
    read = [(mark.text_content(), mark.get_attribute("class")) for mark in marks.all()]
    # Film 3 stands there once more than it was read: which of the two was read is not known.
    assert read == [
        ("Film 1", "exact"), ("Heat 🎬", "not_a_candidate"), ("FILM 2", "normalised"), ("Film 1", "duplicate"),
        ("Metropolitain", "fuzzy"),
    ]  # fmt: skip
    colours = marks.evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
    matched, other, normalised, duplicate, misspelt = colours
    assert matched == normalised and other == duplicate and len({matched, other, misspelt}) == 3
    assert show.locator("#story pre").last.text_content() == answer
    said = marks.nth(1).evaluate("mark => getComputedStyle(mark, '::after').content")
    assert "attr(data-read)" in said or "not a candidate" in said
    assert marks.nth(1).get_attribute("data-read") == "not a candidate"


def test_half_a_surrogate_pair_is_shown_as_it_came(browser: Browser, tmp_path: Path) -> None:
    run, _ = asked(tmp_path, cases(1), "Film 1 \ud83d", prompt="palr", no_profile=True)
    show = Opened(browser, write_page(tmp_path / "report.html", run), "#case=u0").page
    assert "Film 1" in show.locator("#story").inner_text()


def test_two_runs_show_who_is_worse(browser: Browser, tmp_path: Path) -> None:
    before, after = scored(tmp_path, "before"), scored(tmp_path, "after", seed=1)
    opened = Opened(browser, write_page(tmp_path / "report.html", before, after), "#run=1&only=worse")
    old, new = (run.per_case(str(run.metrics.headline)) for run in (before, after))
    expected = {case.case_id for case, a, b in zip(before.cases, old, new, strict=True) if b < a}
    assert expected and set(opened.cases()) == expected
    assert opened.page.locator("h1").inner_text() == f"{lr.compare(before, after).verdict()[0]}, in 12 Cases"


def test_all_signs_on_the_page_are_of_the_last_run_minus_the_first(browser: Browser, tmp_path: Path) -> None:
    before, after = scored(tmp_path, "before"), scored(tmp_path, "after", seed=2)
    show = Opened(browser, write_page(tmp_path / "report.html", before, after)).page
    found = lr.compare(before, after)
    (row,) = (one for one in found.results if one.measure == found.headline)
    assert row.wins != row.losses and row.difference is not None
    assert show.locator("#differences-said").inner_text() == (
        f"after minus before, {found.headline} of each user: after is better for {row.wins} users, equal for "
        f"{row.ties}, worse for {row.losses}."
    )
    head, *rows = data_of(show, "Download this table")
    mean = sum(float(cells[head.index("difference from before")]) for cells in rows) / len(rows)
    assert mean == pytest.approx(row.difference, abs=1e-6)


@pytest.mark.parametrize("relevant", [["i0"], ["i0", "i1"]])
def test_the_rank_is_said_to_be_the_best_of_several_relevant_items(
    browser: Browser, tmp_path: Path, relevant: list[str]
) -> None:
    items = [{"item_id": f"i{at}", "title": f"Film {at}"} for at in range(3)]
    row = {"user_id": "u", "candidates": items, "relevant": relevant, "response": "1. Film 1\n2. Film 0"}
    (tmp_path / "said.jsonl").write_text(json.dumps(row) + "\n")
    run = lr.score(tmp_path / "said.jsonl", "titles", out=tmp_path / "run")
    head = Opened(browser, write_page(tmp_path / "report.html", run)).page.locator("#cases thead").inner_text()
    assert ("best rank of a relevant item" in head) == (len(relevant) > 1) != ("rank of the relevant item" in head)


def test_of_two_runs_of_ratings_the_one_with_the_larger_error_is_worse(browser: Browser, tmp_path: Path) -> None:
    runs: list[lr.Run] = []
    for name, ratings in (("before", "12345"), ("after", "22154")):
        target = {"item_id": "i", "title": "Film"}
        rows = [
            {"user_id": f"u{at}", "target": target, "rating": at + 1, "response": rating}
            for at, rating in enumerate(ratings)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        runs.append(lr.score(tmp_path / f"{name}.jsonl", "rating", out=tmp_path / name))
    path = write_page(tmp_path / "report.html", *runs)
    assert sorted(Opened(browser, path, "#run=1&only=worse").cases()) == ["u0", "u2", "u3", "u4"]
    assert Opened(browser, path, "#run=0&only=worse").cases() == []


def test_of_ratings_failures_and_the_largest_errors_come_first_and_are_said(browser: Browser, tmp_path: Path) -> None:
    opened = Opened(browser, write_page(tmp_path / "report.html", rated(tmp_path, "4x1525", "551113")))
    show = opened.page
    assert opened.cases() == ["u1", "u3", "u5", "u0", "u4", "u2"]
    cells = show.locator("#cases tbody tr").nth(1).locator("td").all_inner_texts()
    assert cells[1:5] == ["ok", "1.0", "5.00", "+4.00"]
    show.get_by_role("link", name="u3", exact=True).click()
    story = show.locator("#story").inner_text()
    for said in ("item to rate\nFilm 1", "predicted rating\n5.00", "true rating\n1", "error\n+4.00 (predicted − true)"):
        assert said in story
    assert show.locator("#story .columns").count() == 0 and "Recall order" not in story
    show.get_by_role("link", name="u1", exact=True).click()
    assert "no readable answer, counted as worst: an error of 4.00" in show.locator("#story").inner_text()
    assert opened.errors == []


def test_answers_about_ratings_that_only_order_them_have_no_error(browser: Browser, tmp_path: Path) -> None:
    target = {"item_id": "i", "title": "Film"}
    rows = [
        {"user_id": f"u{at}", "target": target, "rating": 1 + at, "response": said}
        for at, said in enumerate(("Yes", "No", "Hm", "Yes"))
    ]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = lr.score(tmp_path / "said.jsonl", "yes_no", out=tmp_path / "run")
    opened = Opened(browser, write_page(tmp_path / "report.html", run), "#case=u0")
    assert "error" not in opened.page.locator("#cases thead").inner_text()
    assert opened.cases()[0] == "u2", "the one that is unparsed"
    assert "\nerror\n" not in opened.page.locator("#story").inner_text() and opened.errors == []


def test_a_run_without_calls_has_no_order_in_the_prompt(browser: Browser, tmp_path: Path) -> None:
    run = lr.evaluate(cases(1), ranker="popularity", out=tmp_path / "run", progress=False)
    show = Opened(browser, write_page(tmp_path / "report.html", run), "#case=u0").page
    assert [name.split()[0] for name in show.locator("#story .columns h3").all_inner_texts()] == ["Recall", "Ranking"]


def test_two_runs_stand_side_by_side_for_a_user_and_their_differences_are_drawn(
    browser: Browser, tmp_path: Path
) -> None:
    runs = [scored(tmp_path, "before"), scored(tmp_path, "after", seed=1)]
    show = Opened(browser, write_page(tmp_path / "report.html", *runs), "#run=1&case=u4&only=different").page
    for run in runs:
        story = run["u4"]
        titles = {item.item_id: item.title for item in story.case.candidates}
        column = show.locator(f"#story .columns > div:has(h3:text-matches('^Ranking: {run.name} '))")
        assert column.locator("li").all_inner_texts() == [titles[item_id] for item_id in story.record.placed]
        marked = [titles[item_id] for item_id in story.record.placed if item_id in story.case.relevant]
        assert column.locator("li.relevant").all_inner_texts() == marked
    names = [name.split(":")[0] for name in show.locator("#story .columns h3").all_inner_texts()]
    assert names[-4:] == ["Recall order", "Order in the prompt (both Runs)", "Ranking", "Ranking"]
    old, new = (run.per_case(str(run.metrics.headline)) for run in runs)
    assert show.locator("#cases tbody tr").count() == int((old != new).sum())
    wins, losses = int((new > old).sum()), int((new < old).sum())
    said = f"after is better for {wins} users, equal for {12 - wins - losses}, worse for {losses}."
    assert said in show.locator("#differences-said").inner_text()
    drawn = show.locator("#histogram rect title").all_text_contents()
    assert sum(map(int, drawn)) == 12


def test_two_runs_that_showed_other_orders_have_a_column_each(browser: Browser, tmp_path: Path) -> None:
    runs = [
        asked(tmp_path / name, cases(2), "Film 1", prompt="palr", no_profile=True, order=order)[0]
        for name, order in (("one", "shuffled"), ("two", "recall"))
    ]
    path = write_page(tmp_path / "report.html", *runs)
    show = Opened(browser, path, "#case=u0").page
    for name, run in (("one/run", runs[0]), ("two/run", runs[1])):
        column = show.locator(f"#story .columns > div:has(h3:text-is('Order in the prompt: {name}'))")
        assert column.locator("li").all_inner_texts() == [item.title for item in run["u0"].shown]
    what = show.locator("header .what").inner_text()
    assert what == f"one/run (palr, {MODEL}) → two/run (palr, {MODEL}, order recall): 2 Cases of cases"
    alike = [scored(tmp_path, name, seed=seed) for seed, name in enumerate(("before", "after"))]
    show = Opened(browser, write_page(tmp_path / "alike.html", *alike), "#case=u4").page
    assert show.get_by_role("heading", name="Order in the prompt (both Runs)", exact=True).count() == 1


def test_charts_say_what_may_surprise(browser: Browser, tmp_path: Path) -> None:
    """A bar is wider than 0, and a Case without an answer is among the hits of a cut-off that takes all candidates."""
    made = [
        Case(f"u{user}", (), tuple(lr.Item(f"i{at}", f"Film {at}") for at in range(12)), None, ("i0",))
        for user in range(9)
    ]
    others = [f"i{at}" for at in range(1, 12)]

    def ranked(place: int) -> Ranking:
        return Ranking((*others[:place], "i0", *others[place:]))

    # One user loses nearly all, one so little that it is in the bar of 0, and the answers about one are not read.
    places, unread = [0, 8, *[3] * 6], replace(ranked(11), named=0, outcome=Outcome.UNPARSED, reason="refusal")
    old = make_run(tmp_path / "old", made, [*map(ranked, places), unread])
    new = make_run(tmp_path / "new", made, [*map(ranked, [9, 9, *[3] * 6]), unread])
    show = Opened(browser, write_page(tmp_path / "report.html", old, new)).page
    assert "equal for 7, worse for 2." in show.locator("#differences-said").inner_text()
    assert show.locator("#histogram rect title").all_text_contents()[10] == "8"
    assert show.locator("#near-zero").inner_text() == "The middle bar also holds differences near 0."
    last = "An unreadable answer counts as last place, so HR at the full length reaches the ceiling."
    captions = show.locator("#curves figcaption").all_inner_texts()
    assert [text.endswith(last) for text in captions] == [False, True]
    read = make_run(tmp_path / "read", made, [*map(ranked, [1, *places])])
    show = Opened(browser, write_page(tmp_path / "read.html", read)).page
    assert not any(last in text for text in show.locator("#curves figcaption").all_inner_texts())


def test_the_other_run_is_named_and_can_be_chosen(browser: Browser, tmp_path: Path) -> None:
    runs = [scored(tmp_path, f"run {seed}", seed=seed) for seed in range(3)]
    opened = Opened(browser, write_page(tmp_path / "report.html", *runs), "#case=u4")
    show = opened.page
    assert show.get_by_role("button", name="run 2", exact=True).get_attribute("aria-pressed") == "true"
    head = show.locator("#cases thead")
    assert "difference from run 0" in head.inner_text() and "the other Run" not in show.locator("body").inner_text()
    show.get_by_label("Compare it with").select_option("run 1")
    assert "difference from run 1" in head.inner_text() and "with=1" in show.url
    assert {"different from run 1", "worse than run 1"} < {*show.locator("#only option").all_inner_texts()}
    assert show.locator("#differences-said").inner_text().startswith("run 2 minus run 1, ")
    for run in runs[1:]:
        answer = show.locator(f".answers:has(h3:text-is('Answer of {run.name} (finish reason: unknown)')) pre")
        assert answer.text_content() == run["u4"].record.responses[0]
    assert opened.errors == [] and opened.faults() == []


def test_back_closes_a_case(browser: Browser, written: Path) -> None:
    show = Opened(browser, written, "#outcome=unparsed").page
    show.get_by_role("link", name="u3", exact=True).click()
    show.get_by_role("link", name="u6", exact=True).click()
    assert "User u6" in show.locator("#story").inner_text()
    show.go_back()
    show.get_by_role("heading", name="User u3").wait_for()
    show.go_back()
    show.locator("#story").wait_for(state="hidden")
    assert show.url.endswith("report.html#outcome=unparsed")
    assert show.evaluate("document.activeElement.textContent") == "u3", "where it was opened"


def test_the_filters_are_cleared_at_once(browser: Browser, written: Path) -> None:
    opened = Opened(browser, written, "#outcome=unparsed&q=nowhere&case=u4")
    clear = opened.page.get_by_role("button", name="Clear the filters")
    assert opened.page.locator("#count").inner_text().startswith("No Case matches.")
    clear.click()
    assert len(opened.cases()) == 12 and opened.page.url.endswith("#case=u4") and clear.is_disabled()
    assert opened.page.get_by_label("Search titles and answers").input_value() == ""


@pytest.mark.parametrize("address", ["outcome=error", "only=worse", "run=7", "sort=versus", "reason=x", "chapter"])
def test_an_address_of_another_report_is_said_to_match_nothing(browser: Browser, written: Path, address: str) -> None:
    opened = Opened(browser, written, f"#{address}")
    assert f"Not in this report, and ignored: {address}." in opened.page.locator("#stale").inner_text()
    assert len(opened.cases()) == 12 and opened.errors == []
    opened.page.get_by_role("button", name="unparsed 4", exact=True).click()
    assert opened.page.locator("#stale").inner_text() == ""


def test_users_are_counted_as_compare_counts_them(browser: Browser, tmp_path: Path) -> None:
    runs = [scored(tmp_path, name, users=30, seed=seed, each=2) for seed, name in enumerate(("before", "after"))]
    found = lr.compare(*runs)
    (row,) = (one for one in found.results if one.measure == found.headline)
    assert row.wins + row.ties + row.losses == 15 and row.wins and row.losses
    show = Opened(browser, write_page(tmp_path / "report.html", *runs)).page
    said = f"after is better for {row.wins} users, equal for {row.ties}, worse for {row.losses}."
    assert said in show.locator("#differences-said").inner_text()
    assert sum(map(int, show.locator("#histogram rect title").all_text_contents())) == 15


def test_users_are_counted_by_squared_errors_where_the_measure_is_rmse(browser: Browser, tmp_path: Path) -> None:
    """One error of 3 is worse than two of 2 by RMSE, and better by the absolute errors."""
    runs: list[lr.Run] = []
    for name, answers in (("before", "3355"), ("after", "2555")):
        truths = zip(answers, "5555", strict=True)
        rows = [
            {"user_id": f"u{at // 2}", "case_id": f"c{at}", "history": [], "target": {"item_id": "i", "title": "Film"}}
            | {"rating": int(true), "response": f"Rating: {answer}"}
            for at, (answer, true) in enumerate(truths)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
        runs.append(lr.score(tmp_path / f"{name}.jsonl", "rating", out=tmp_path / name))
    (row,) = lr.compare(*runs, measures="RMSE").results
    assert (row.wins, row.ties, row.losses) == (0, 1, 1)
    show = Opened(browser, write_page(tmp_path / "report.html", *runs)).page
    said = "after minus before, squared error of each user: after is better for 0 users, equal for 1, worse for 1."
    assert show.locator("#differences-said").inner_text() == said


def test_no_curve_is_drawn_and_no_difference_shown_where_there_is_none(browser: Browser, tmp_path: Path) -> None:
    made = [case(f"u{user}") for user in range(3)]
    ranked = [Ranking(tuple(item.item_id for item in one.candidates)) for one in made]
    unknown = make_run(tmp_path / "unknown", [Case(one.user_id, (), one.candidates) for one in made], ranked)
    show = Opened(browser, write_page(tmp_path / "unknown.html", unknown)).page
    assert show.locator("#depth").is_hidden() and show.locator("#differences-said").is_hidden()
    show = Opened(browser, write_page(tmp_path / "same.html", make_run(tmp_path / "same", made, ranked))).page
    assert show.locator("#histogram text").all_text_contents() == ["3", "−1.0000", "0", "+1.0000"]


def test_a_small_difference_is_no_tie(browser: Browser, tmp_path: Path) -> None:
    """In a long list, neighbouring places differ little in MRR."""
    items = tuple(lr.Item(f"i{at}", f"Film {at}") for at in range(1000))
    made = Case("u", (), items, relevant=("i0",))
    others = [item.item_id for item in items[1:]]
    runs = [
        make_run(
            tmp_path / name, [made], [Ranking((*others[:place], "i0", *others[place:]))],
            metric_settings=how(measures=measures_of("MRR", "ranking")),
        )
        for name, place in (("before", 999), ("after", 998))
    ]  # fmt: skip
    assert lr.compare(*runs).results[0].wins == 1
    show = Opened(browser, write_page(tmp_path / "report.html", *runs)).page
    assert "after is better for 1 user, equal for 0, worse for 0." in show.locator("#differences-said").inner_text()


def test_an_unread_answer_is_counted_as_worst_and_not_as_tied(browser: Browser, written: Path) -> None:
    show = Opened(browser, written, "#case=u3").page
    assert show.get_by_role("heading", name="Ranking (no readable answer: counted as worst)").is_visible()
    assert "tied last" not in show.locator("#story").inner_text()


def test_the_gain_of_each_relevant_item_is_shown_where_gains_differ(browser: Browser, tmp_path: Path) -> None:
    items = tuple(lr.Item(f"i{at}", f"Film {at}") for at in range(3))
    made = [Case("u", (), items, relevant=("i0", "i2", "other"), gains=(1.0, 3.0, 2.0)), case("plain")]
    ranked = [Ranking(tuple(item.item_id for item in one.candidates)) for one in made]
    path = write_page(tmp_path / "report.html", make_run(tmp_path / "run", made, ranked))
    mark = "all => [...new Set(all.map(one => getComputedStyle(one, '::after').content))]"
    show = Opened(browser, path, "#case=u").page
    assert show.locator("#story .relevant").evaluate_all(mark) == ['" ◀ relevant, gain 1"', '" ◀ relevant, gain 3"']
    assert "missed by recall\nother (gain 2)\n" in show.locator("#story").inner_text()
    show = Opened(browser, path, "#case=plain").page
    assert show.locator("#story .relevant").evaluate_all(mark) == ['" ◀ relevant"']


def data_of(show: Page, name: str) -> list[list[str]]:
    """Return the cells of the first CSV file that a link of this name downloads."""
    address = show.get_by_role("link", name=name).first.get_attribute("href") or ""
    return list(csv.reader(io.StringIO(unquote(address.partition(",")[2]))))


def test_every_table_can_be_downloaded_and_its_text_is_no_formula(browser: Browser, tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run")
    rows = [AuditRow(name, -0.5, (-0.6, 0.4), 9, 0.1) for name in (HOSTILE, '=HYPERLINK("x")', "-1+1", '映画, "x"')]
    path = write_page(tmp_path / "report.html", run, audits=[Audit(HOSTILE, "It is.", tuple(rows))])
    show = Opened(browser, path).page
    tables = show.locator(".wide:has(> table:not(#cases))")
    assert tables.count() > 5 and show.locator(".wide > table + a.csv[download$='.csv']").count() == tables.count()
    metrics = run.table()
    assert data_of(show, "Download the table metrics (CSV)") == [[*metrics.header], *map(list, metrics.rows)]
    audit = data_of(show, f"Download the table {HOSTILE} (CSV)")
    assert [row[0] for row in audit[1:]] == [HOSTILE, '\'=HYPERLINK("x")', "'-1+1", '映画, "x"']
    assert audit[1][1:3] == ["-0.5000", "-0.6000 to 0.4000"]
    assert show.evaluate("window.hacked") is None


def test_it_fits_a_phone_prints_and_has_no_serious_fault_of_access(browser: Browser, written: Path) -> None:
    for scheme in ("light", "dark"):
        opened = Opened(browser, written, "#case=u4", viewport={"width": 380, "height": 800}, color_scheme=scheme)
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 380
        assert opened.faults() == []
        assert opened.page.pdf().startswith(b"%PDF")


def test_the_name_of_a_rare_outcome_is_not_cut_off(browser: Browser, tmp_path: Path) -> None:
    lines = [
        {"user_id": f"u{user}", "candidates": [{"item_id": "1", "title": "Heat"}, {"item_id": "2", "title": "Alien"}]}
        | {"history": [], "relevant": ["2"], "response": "1. Alien\n2. Heat" if user else "I cannot say."}
        for user in range(100)
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    run = lr.score(tmp_path / "answers.jsonl", "titles", out=tmp_path / "run")
    opened = Opened(browser, write_page(tmp_path / "report.html", run), viewport={"width": 380, "height": 800})
    rare = opened.page.locator("#bar button", has_text="unparsed 1")
    assert rare.evaluate("one => one.scrollWidth <= one.clientWidth")


@pytest.fixture
def with_all_parts(tmp_path: Path) -> Path:
    """A page with calibration, audits and costs, about Runs and audits whose names are hostile."""
    image = "<img src=x onerror='window.hacked = 5'>"
    runs = [with_scores(tmp_path / f"{image} scored", order="shuffled"), without_scores(tmp_path / f"{image} bare")]
    rows = (AuditRow(HOSTILE, 0.5, (0.4, 0.6), 9, 0.1), AuditRow("a difference", -2.0, (-4, 3), 9, 0.0, 0.3))
    audits = [Audit(HOSTILE, HOSTILE, rows, about=HOSTILE)]
    return write_page(tmp_path / "report.html", *runs, audits=audits)


def test_calibration_audits_and_costs_are_inert(browser: Browser, with_all_parts: Path) -> None:
    opened = Opened(browser, with_all_parts)
    show = opened.page
    for title in (
        "Are the scores calibrated probabilities?",
        "Audits",
        "Quality and cost",
        "Calls, tokens and seconds per Case",
    ):
        assert show.get_by_role("heading", name=title, exact=True).is_visible()
    assert show.get_by_role("heading", name=HOSTILE).is_visible()
    assert show.get_by_role("img", name="NDCG@10 with 95% interval, by tokens per Case").is_visible()
    show.wait_for_timeout(200)
    assert show.evaluate("window.hacked") is None and show.locator("main img").count() == 0
    assert opened.errors == [] and len(opened.asked) == 1


TOO_WIDE = "[...document.querySelectorAll('table')].filter(one => one.offsetWidth > one.parentElement.clientWidth)"
A4 = {"width": 717, "height": 1045}
"""The part of a page of A4 within the margins of Chromium, in CSS pixels."""


def test_the_lines_of_the_cut_offs_can_be_told_apart(browser: Browser, tmp_path: Path) -> None:
    path = write_page(tmp_path / "report.html", scored(tmp_path, "run", candidates=20))
    for width in (1280, 380):
        show = Opened(browser, path, viewport={"width": width, "height": 800}).page
        chart = show.locator("#curves figure").first
        drawn = chart.locator("svg[role=img] path:not(.band)")
        look = "all => all.map(one => (s => s.stroke + s.strokeDasharray + s.strokeWidth)(getComputedStyle(one)))"
        looks = drawn.evaluate_all(look)
        assert len(set(looks)) == len(looks) >= 4
        names = chart.locator(".legend li").all_inner_texts()
        assert names[0] == "run" and {"random", "recall order", "ceiling"} <= {*names}
        assert sorted(chart.locator(".sample path").evaluate_all(look)) == sorted(looks)
        assert {"cut-off k", "NDCG@k"} <= {*chart.locator("text").all_text_contents()}
        apart = """all => all.map(one => one.getBoundingClientRect()).every((a, at, boxes) => boxes.slice(at + 1)
            .every(b => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top))"""
        assert chart.locator("text").evaluate_all(apart) and chart.locator(".legend li").evaluate_all(apart)


def test_every_table_fits_on_paper(browser: Browser, tmp_path: Path, with_all_parts: Path) -> None:
    names = ("ml-100k-first-token-a9fdd8fd", "ml-100k-llamarec-30ec34ab", "ml-100k-palr-1188f0d3")
    three = write_page(
        tmp_path / "three.html", *(scored(tmp_path, name, seed=at, candidates=20) for at, name in enumerate(names))
    )
    long = write_page(tmp_path / "long.html", rated(tmp_path, name=names[0] * 3), rated(tmp_path, "112345"))
    for path in (three, long, with_all_parts):
        show = Opened(browser, path, viewport=A4).page
        show.emulate_media(media="print")
        assert show.locator("table").count() > 5
        assert show.evaluate(TOO_WIDE + ".map(one => one.textContent)") == []
        assert show.evaluate("document.documentElement.scrollWidth") == A4["width"]
        lines = show.locator("#cases span.outcome").evaluate_all("all => all.map(one => one.getClientRects().length)")
        assert {*lines} == {1}, "no word is broken"


def test_the_tables_fit_a_usual_screen(browser: Browser, tmp_path: Path) -> None:
    path = write_page(tmp_path / "report.html", scored(tmp_path, "run", candidates=20))
    show = Opened(browser, path, viewport={"width": 1280, "height": 800}).page
    assert show.evaluate(TOO_WIDE + ".map(one => one.textContent)") == []


@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_parts_fit_and_have_no_serious_fault_of_access(
    browser: Browser, with_all_parts: Path, width: int, scheme: Any
) -> None:
    opened = Opened(browser, with_all_parts, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.faults() == []
    assert opened.page.pdf().startswith(b"%PDF")


def test_the_numbers_can_be_read_without_a_script(browser: Browser, with_all_parts: Path) -> None:
    show = browser.new_page(java_script_enabled=False)
    show.goto(with_all_parts.as_uri())
    for title in ("Gains by group", "Audits", "Quality and cost"):
        assert show.get_by_role("heading", name=title, exact=True).is_visible()
