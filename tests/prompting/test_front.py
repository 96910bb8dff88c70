from pathlib import Path

import pytest

from llmrank.errors import InputError
from llmrank.prompting.front import read_front, split_front
from llmrank.types import Sampling
from llmrank.yaml_text import read_yaml

GOOD = "name: mine\ntask: ranking\nranker: listwise\nanswer: titles\n"


def test_the_keys_become_values_and_every_sampling_field_is_explicit():
    front = read_front(GOOD + "sampling: {temperature: 0.5, max_tokens: 7, stop: [END]}\nhistory: 5\n", Path("x"))
    assert front.sampling == Sampling(temperature=0.5, max_tokens=7, stop=("END",))
    assert (front.history, front.top, front.ids, front.shots) == (5, None, "titles", 0)
    assert read_front(GOOD, Path("x")).sampling == Sampling()


@pytest.mark.parametrize(
    ("text", "line", "field", "words"),
    [
        (GOOD + "histroy: 3\n", 6, "histroy", "did you mean 'history'"),
        (GOOD + "sampling:\n  temprature: 1\n", 7, "sampling.temprature", "did you mean 'temperature'"),
        (GOOD + "provenance: {wording: remembered}\n", 6, "provenance.wording", "verbatim"),
        (GOOD + "sampling: {max_tokens: 0}\n", 6, "sampling.max_tokens", "greater than or equal to 1"),
        (GOOD + "ids: roman\n", 6, "ids", "letters"),
        (GOOD + "history: -1\n", 6, "history", "greater than or equal to 0"),
        (GOOD + "history: true\n", 6, "history", "write a number, not true"),
        (GOOD + "shots: true\n", 6, "shots", "write a number, not true"),
        (GOOD + "sampling: {temperature: .inf}\n", 6, "sampling", "a number for 'temperature', not inf"),
        (GOOD + "sampling: {max_tokens: true}\n", 6, "sampling", "a number for 'max_tokens', not true"),
        (GOOD + "sampling: {stop: ['']}\n", 6, "sampling.stop.0", "at least 1 character"),
        (GOOD + "extra_body: {min_p: .nan}\n", 6, "extra_body", "not JSON"),
        (GOOD + "extra_body: {max_completion_tokens: 9}\n", 6, "extra_body", "is set by llmrank itself"),
        (GOOD + "extra_body: {api_key: sk-1}\n", 6, "extra_body", "'api_key' would be stored with every answer"),
        (GOOD + "extra_body: {a: [{Api-Key: sk-1}]}\n", 6, "extra_body", "'Api-Key' would be stored"),
        (
            GOOD + "extra_body: {aws_secret_access_key: sk-1}\n",
            6,
            "extra_body",
            "'aws_secret_access_key' would be stored",
        ),
        (GOOD + "extra_body: {a: {token: sk-1}}\n", 6, "extra_body", "'token' would be stored"),
        (GOOD + 'description: "a\0b"\n', 6, None, "U+0000"),
        (GOOD + "top: 3\ntop: 4\n", 7, "top", "given twice"),
        ("name: mine\n", 1, "task", "add the key 'task'"),
        ("name: My Prompt\ntask: ranking\n", 2, "name", "pattern"),
        ("name: [mine\ntask: ranking\n", 3, None, "not valid YAML"),
        ("just words\n", 2, None, "no keys"),
        ("", 2, None, "no keys"),
    ],
)
def test_a_fault_names_file_line_and_key(text: str, line: int, field: str | None, words: str):
    with pytest.raises(InputError) as caught:
        read_front(text, Path("mine.jinja"))
    assert (caught.value.path, caught.value.line, caught.value.field) == (Path("mine.jinja"), line, field)
    assert words in str(caught.value)


def test_the_front_matter_is_split_from_the_rest():
    assert split_front("---\na: 1\n---\nrest", Path("x")) == ("a: 1", 4)
    for text in ("a: 1\n", "---\na: 1\n", ""):
        with pytest.raises(InputError, match="front matter"):
            split_front(text, Path("x"))


def test_words_and_numbers_are_those_of_yaml_1_2():
    text = "a: off\nb: yes\nc: 010\nd: 1:30\ne: 2026-01-02\nf: 7\ng: 1e-3\nh: true\ni: ~\nj: .5\n"
    read, _ = read_yaml(text, Path("config.yaml"))
    assert [*read.values()] == ["off", "yes", "010", "1:30", "2026-01-02", 7, 0.001, True, None, 0.5]
