"""Reading again asks exactly what was asked, also where the history had been cut to fit the model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import llmrank as lr
from llmrank.errors import InputError
from llmrank.evaluation.calls import calls_of
from llmrank.evaluation.reparse import reparse
from llmrank.prompting import View
from llmrank.types import Case, Event, Item, Message
from tests.evaluation.backends import Constant
from tests.evaluation.serving import cases, serving
from tests.rankers import oracle
from tests.scripted_server import MODEL, ScriptedServer, Step, completion, good

SEEN = tuple(Event(Item(f"s{number}", f"Seen {number}"), 4.0) for number in range(3))


def count(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


@pytest.mark.parametrize("history", [None, 0, 7, 30])
@pytest.mark.parametrize("order", ["oldest-first", "newest-first", "shuffled"])
@pytest.mark.parametrize("room", [150, 170, 200, 10_000])
def test_a_history_that_was_cut_is_cut_alike(history: int | None, order: str, room: int) -> None:
    events = tuple(Event(Item(f"h{number}", f"Seen before {number}")) for number in range(40))
    case = replace(oracle.case(10), history=events)
    roomy = replace(oracle.prompt("rankgpt"), view=View(history=history, history_order=order))  # type: ignore[arg-type]
    tight = replace(roomy, count_tokens=count, context_length=room + roomy.sampling.max_tokens)
    asked = tight.ask(case)
    again = replace(roomy, holds=asked.request.__eq__).ask(case)
    assert (again.request, again.history_dropped) == (asked.request, asked.history_dropped)
    if room == 150 and history in (None, 30):
        assert asked.history_dropped > 0


@pytest.mark.parametrize(
    ("prompt", "more"),
    [
        ("rankgpt", {}),
        ("palr", {"shots": 1}),
        ("palr", {}),
        ("pointwise-rating", {}),
        ("setwise", {"first": "bm25", "first_top": 3}),
        ("rankgpt", {"first": "pairwise", "first_top": 3}),
    ],
)
def test_a_run_alone_in_an_empty_folder_is_read_again(tmp_path: Path, prompt: str, more: dict[str, object]) -> None:
    several = [replace(case, history=(*case.history, *SEEN)) for case in cases()]
    with serving(ScriptedServer(good("[2] > [1] > [3]"))) as server:
        run = lr.evaluate(
            several, prompt=prompt, model=MODEL, base_url=server.base_url, store=tmp_path / "store.sqlite",
            out=tmp_path / "made" / "run", progress=False, **more,
        )  # fmt: skip
        (tmp_path / "store.sqlite").unlink()
        shutil.copytree(run.path, tmp_path / "alone" / "run")
        shutil.rmtree(run.path)
    done = reparse(tmp_path / "alone" / "run")
    assert not done.changes and not done.unreadable and len(done.records) == 6
    tell = calls_of(lr.load_run(tmp_path / "alone" / "run"))
    told = [call.messages for record in done.records.values() for call in tell(record)]
    rendered = {json.dumps([asdict(message) for message in messages or ()]) for messages in told}
    assert rendered == {json.dumps(call["messages"]) for call in server.seen}
    assert len(told) == sum(len(record.requests) for record in done.records.values())


def test_likes_of_0_and_1_are_shown_as_such_and_read_again(tmp_path: Path) -> None:
    likes = (Event(Item("y", "Yes film"), 1.0), Event(Item("n", "No film"), 0.0))
    asked = Case("u", likes, target=Item("t", "Asked"), rating=1.0)
    starred = Case(
        "v", (Event(Item("y", "Yes film"), 4.0), Event(Item("n", "No film"), 3.0)), target=Item("t", "Asked")
    )
    for name, several in (("likes", [asked]), ("stars", [replace(starred, rating=1.0)])):
        run = lr.evaluate(several, prompt="tallrec", backend=Constant("Yes."), out=tmp_path / name, progress=False)
        shutil.copytree(run.path, tmp_path / "alone" / name)
        run = lr.load_run(tmp_path / "alone" / name)
        done = reparse(run.path)
        assert not done.unreadable
        [record] = done.records.values()
        [message] = calls_of(run)(record)[0].messages or ()
        assert 'User Preference: "Yes film"\nUser Unpreference: "No film"' in message.content


def test_what_is_liked_is_found_by_a_field_in_quotes_too(tmp_path: Path) -> None:
    path = tmp_path / "quoted.jinja"
    path.write_text(
        "---\nname: quoted\ntask: ranking\nranker: pointwise\nanswer: yes_no\n---\n{% block user %}Liked: "
        "{{ history | selectattr('liked') | map(attribute='title') | join(', ') }}. {{ target.title }}?{% endblock %}"
    )
    likes = (Event(Item("y", "Yes film"), 1.0), Event(Item("n", "No film"), 0.0))
    asked = Case("u", likes, target=Item("t", "Asked"), rating=1.0)
    run = lr.evaluate([asked], prompt=path, backend=Constant("Yes."), out=tmp_path / "run", progress=False)
    assert run.settings["history_scale"] == [0.0, 1.0] and not reparse(run.path).unreadable
    [record] = run.records.values()
    [message] = calls_of(run)(record)[0].messages or ()
    assert message.content == "Liked: Yes film. Asked?"


def test_messages_are_told_only_where_they_are_those_that_were_sent(tmp_path: Path) -> None:
    with serving(ScriptedServer(good("[2] > [1] > [3]"))) as server:
        run = lr.evaluate(
            cases(), prompt="rankgpt", model=MODEL, base_url=server.base_url, store=tmp_path / "store.sqlite",
            out=tmp_path / "run", progress=False,
        )  # fmt: skip
    assert all(calls_of(run)(record)[0].messages for record in run.records.values())
    manifest = run.path / "manifest.json"
    known = json.loads(manifest.read_text())
    known["settings"]["template"] = known["settings"]["template"].replace("{% endblock %}", "Now.{% endblock %}")
    manifest.write_text(json.dumps(known))
    edited = lr.load_run(run.path)
    assert [calls_of(edited)(record)[0].messages for record in edited.records.values()] == [None] * 6


def test_log_probabilities_are_in_the_run(tmp_path: Path) -> None:
    body = completion("A")
    top = [{"token": letter, "logprob": -place - 0.5} for place, letter in enumerate("BADCE")]
    body["choices"][0]["logprobs"] = {"content": [{"token": "B", "logprob": -0.1, "top_logprobs": top}]}
    with serving(ScriptedServer(Step(body=json.dumps(body)))) as server:
        run = lr.evaluate(
            cases(), prompt="first-token", order="recall", model=MODEL, base_url=server.base_url,
            store=tmp_path / "store.sqlite", out=tmp_path / "run", progress=False,
        )  # fmt: skip
    assert run.metrics["HR@1"].value == 1.0
    done = reparse(run)
    assert not done.changes and not done.unreadable


def test_the_words_of_the_data_are_in_the_run(tmp_path: Path) -> None:
    with serving(ScriptedServer(good("[2] > [1] > [3]"))) as server:
        found = replace(lr.load_cases(cases()), domain="movies")
        run = lr.evaluate(
            found, prompt="rankgpt", model=MODEL, base_url=server.base_url, store=tmp_path / "store.sqlite",
            out=tmp_path / "run", progress=False,
        )  # fmt: skip
        assert "movies" in server.seen[-1]["messages"][-1]["content"]
    done = reparse(run)
    assert not done.changes and not done.unreadable


def test_a_run_without_model_calls_has_nothing_to_read_again(tmp_path: Path) -> None:
    run = lr.evaluate(cases(), ranker="bm25", out=tmp_path / "run", progress=False)
    with pytest.raises(InputError, match="no model calls"):
        reparse(run)
