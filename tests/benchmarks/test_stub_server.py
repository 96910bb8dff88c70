"""The stub endpoint of the benchmarks gives answers that llmrank can read, and the same ones each time."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import Request, urlopen

from llmrank.answers import answer_format
from llmrank.backends.completion import read_completion
from llmrank.types import Item, Outcome, Question
from tests.benchmarks.stub_server import reply, serving_stub

SHOWN = "\n".join(f"[{place}] Film {place}" for place in range(1, 21))
QUESTION = Question(tuple(Item(str(place), f"Film {place}") for place in range(1, 21)))


def body(text: str, **more: object) -> dict[str, object]:
    return {"model": "stub", "messages": [{"role": "user", "content": text}], **more}


def test_every_prompt_has_a_permutation_of_its_own():
    read = answer_format("permutation")
    answers = [read.read(read_completion(reply(body(f"{user}\n{SHOWN}"))), QUESTION) for user in (1, 2, 1)]
    assert [answer.outcome for answer in answers] == [Outcome.OK] * 3
    assert answers[0].ranked == answers[2].ranked != answers[1].ranked


def test_letters_get_log_probabilities():
    content = body("[A] one\n[B] two\n[C] three", logprobs=True, top_logprobs=20)
    response = read_completion(reply(content), ("A", "B", "C"))
    assert response.label_logprobs is not None
    assert response.label_logprobs.keys() == {"A", "B", "C"}
    assert response.text == max(response.label_logprobs, key=response.label_logprobs.__getitem__)


def test_calls_over_one_connection_or_many_are_counted_and_recorded(tmp_path: Path):
    with serving_stub(0.0, record=tmp_path / "bodies.jsonl") as stub:
        for user in range(3):
            sent = json.dumps(body(f"{user}\n{SHOWN}")).encode()
            with urlopen(Request(f"{stub.base_url}/chat/completions", sent, method="POST")) as answer:
                assert json.load(answer) == reply(json.loads(sent))
        assert stub.calls() == 3
    recorded = [json.loads(line) for line in (tmp_path / "bodies.jsonl").read_text().splitlines()]
    assert recorded == [body(f"{user}\n{SHOWN}") for user in range(3)]
