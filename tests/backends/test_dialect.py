"""Which parameter a refusal names: the words of real endpoints."""

from __future__ import annotations

import pytest

from llmrank.backends.base import single_token
from llmrank.backends.dialect import NAMES, Dialect, refused_parameter
from llmrank.errors import FatalBackendError
from llmrank.progress import silent
from llmrank.types import Message, Request, Sampling

REAL = [
    ('"llama3" does not support thinking', {}, "reasoning_effort"),
    ("Input validation error: `temperature` must be strictly positive", {}, "temperature"),
    ('["At body -> frequency_penalty: Input should be greater than 0"]', {}, "frequency_penalty"),
    ("<400> InternalError.Algo.InvalidParameter: parameter.n is not supported", {}, "n"),
    ("Invalid top_logprobs value, the valid range of top_logprobs is [0, 19]", {}, "logprobs"),
    ("Input validation error: `top_p` must be > 0.0 and < 1.0", {}, "top_p"),
    (
        "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.",
        {"param": "temperature", "code": "unsupported_value"},
        "temperature",
    ),
    (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        {"param": "max_tokens", "code": "unsupported_parameter"},
        "max_tokens",
    ),
    ("Unsupported parameter: 'stop' is not supported with this model.", {"param": "stop"}, "stop"),
    ("logprobs are not supported with reasoning models.", {"code": "unsupported_parameter"}, "logprobs"),
    ("This model does not support the 'logprobs' parameter.", {"param": "logprobs"}, "logprobs"),
    ("You are not allowed to request logprobs from this model", {}, "logprobs"),
    ("Unrecognized request argument supplied: logprobs", {}, "logprobs"),
    ("Unrecognized request arguments supplied: frequencyPenalty, presencePenalty, topP", {}, "top_p"),
    ("Validation error at #/logprobs: Extra inputs are not permitted", {"code": "400"}, "logprobs"),
    ("logprobs, best_of and echo parameters are not available on gpt-35-turbo model.", {}, "logprobs"),
    (
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        {"param": "messages[0].role", "code": "unsupported_value"},
        "system",
    ),
    (
        "Invalid value: 'system'. Supported values are: 'user', 'assistant', and 'developer'.",
        {"param": "messages[0].role", "code": "invalid_value"},
        "system",
    ),
    ("invalid parameter 'messages[0].role': invalid role 'system', must be one of: user, assistant", {}, "system"),
    ("System role not supported", {}, "system"),
    ("Developer instruction is not enabled for models/gemma-3-27b-it", {}, "system"),
    ("Logprobs is not enabled for models/gemini-2.5-pro", {}, "logprobs"),
    ("Unable to submit request because Logprobs is not supported for this model.", {}, "logprobs"),
    (
        '[{ "error": { "code": 400, "message": "Invalid JSON payload received. Unknown name \\"frequency_penalty\\": '
        'Cannot find field.\\nInvalid JSON payload received. Unknown name \\"seed\\": Cannot find field."}}]',
        {},
        "frequency_penalty",
    ),
    ("Argument not supported on this model: presencePenalty", {}, "presence_penalty"),
    ("Model grok-4-1-fast-reasoning does not support parameter presencePenalty.", {}, "presence_penalty"),
    (
        '{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs '
        'are not permitted","input":0}]},"type":"invalid_request_error","param":null,"code":null}',
        {},
        "seed",
    ),
    (
        "body -> frequency_penalty Extra inputs are not permitted (type=extra_forbidden) body -> n Extra inputs are "
        "not permitted (type=extra_forbidden) body -> presence_penalty Extra inputs are not permitted",
        {},
        "n",
    ),
    ("property 'seed' is unsupported, did you mean 'stop'?", {}, "seed"),
    ("`logprobs` is not supported with this model", {}, "logprobs"),
    ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", {}, "top_p"),
    ("`temperature` is deprecated for this model.", {}, "temperature"),
    ("Temperature should be in (0.0, 2.0)", {}, "temperature"),
    ("top_p must be in (0, 1), got 1", {}, "top_p"),
    ("invalid temperature: only 1 is allowed for this model", {}, "temperature"),
    (
        "litellm.UnsupportedParamsError: anthropic does not support parameters: {'seed': 12345}, for model=claude.",
        {},
        "seed",
    ),
    (
        "Gaudi doesn't support logprobs. Please remove 'logprobs'/'top_logprobs' from your request to receive a "
        "response.",
        {},
        "logprobs",
    ),
    ("logprobs is not supported with tools + stream", {}, "logprobs"),
    (
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        {"param": None},
        "response_format",
    ),
    ("This response_format type is unavailable now", {}, "response_format"),
    (
        "Invalid value: 'json_schema'. Supported values are: 'json_object' and 'text'.",
        {"param": "response_format.type", "code": "invalid_value"},
        "response_format",
    ),
    (
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.",
        {"param": "max_output_tokens", "code": "integer_below_min_value"},
        "max_tokens",
    ),
    ("max_tokens: Input should be greater than or equal to 16", {}, "max_tokens"),
    ("max_tokens must be at least 16, got 1", {}, "max_tokens"),
    ("Input validation error: `top_n_tokens` must be >= 0 and <= 5. Given: 20", {}, "logprobs"),
    ("Requested sample logprobs of 20, which is greater than max allowed: 5", {"param": "logprobs"}, "logprobs"),
    ("Invalid 'top_logprobs': integer above maximum. Expected a value <= 5.", {"param": "top_logprobs"}, "logprobs"),
    ("After the optional system message, conversation roles must alternate user/assistant/…", {}, "system"),
    ("Penalty is not enabled for this model", {}, "presence_penalty"),
    ("Reasoning is mandatory for this endpoint and cannot be disabled.", {}, "reasoning_effort"),
    ("Internal error: unexpected keyword argument 'reasoning_effort'", {}, "reasoning_effort"),
]


def test_a_bound_on_tokens_is_of_the_name_that_was_sent() -> None:
    said = "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead."
    assert refused_parameter(said, "max_output_tokens", "", ["max_completion_tokens"]) == "max_completion_tokens"


def test_bounds_of_an_endpoint_are_kept_to() -> None:
    said: list[str] = []
    dialect = Dialect("m", "http://e/v1", said.append)
    asked = Request((Message("user", "?"),), Sampling(max_tokens=1), labels=("A", "B"))
    assert (dialect.body(asked)["max_tokens"], dialect.body(asked)["top_logprobs"]) == (1, 20)
    trial = dialect.without("max_tokens", "Expected a value >= 16, but got 1 instead.")
    trial = trial.without("logprobs", "greater than max allowed: 5")
    assert (trial.body(asked)["max_tokens"], trial.body(asked)["top_logprobs"]) == (16, 5)
    assert dialect.body(asked)["max_tokens"] == 1 and not said, "nothing is learned before an answer"
    dialect.adopt(trial)
    assert (dialect.body(asked)["max_tokens"], dialect.body(asked)["top_logprobs"]) == (16, 5)
    assert len(said) == 2 and not dialect.left_out and not dialect.replaced
    longer = Request(asked.messages, Sampling(max_tokens=400))
    assert dialect.body(longer)["max_tokens"] == 400
    trial = trial.without("logprobs", "Invalid top_logprobs value, the valid range of top_logprobs is [0, 3]")
    assert trial.body(asked)["top_logprobs"] == 3
    # Refused once more, though it was sent as asked: it is left out after all.
    assert "logprobs" in trial.without("logprobs", "at most 5 are returned").left_out


SET_BY_A_MODEL = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
"""What vLLM takes from a model's generation_config.json where a call does not say it."""


def test_no_sampling_parameter_is_left_to_the_server() -> None:
    dialect = Dialect("m", "http://e/v1", silent)
    asked = Request((Message("user", "?"),), Sampling(max_tokens=7, seed=3), repeat=2)
    usual = {
        "n": 1,
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 7,
        "seed": 5,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
    assert usual.items() <= dialect.body(asked).items()
    assert not {"top_k", "min_p", "repetition_penalty"} & dialect.body(asked).keys(), "other endpoints refuse them"
    dialect.is_vllm = True
    sent = dialect.body(asked)
    # The values that change nothing.
    assert (usual | {"top_k": asked.sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0}).items() <= sent.items()
    assert asked.sampling.top_k in (-1, 0) and sent.keys() >= {*SET_BY_A_MODEL}


@pytest.mark.parametrize(
    ("tokens", "spaced", "found"),
    [
        ({"A": [1], " A": [2]}, False, 1),
        ({"A": [1], " A": [2]}, True, 2),
        ({"A": [1, 3], " A": [2]}, False, 2),
        ({"A": [1], " A": [2, 3]}, True, 1),
        ({"A": [1, 3], " A": [2, 3]}, False, None),
        ({"A": [], " A": []}, True, None),
    ],
)
def test_a_label_is_one_token_or_none(tokens: dict[str, list[int]], spaced: bool, found: int | None) -> None:
    if found is not None:
        assert single_token("A", tokens.__getitem__, spaced=spaced) == found
        return
    with pytest.raises(FatalBackendError, match=f"label 'A' is {len(tokens['A'])} tokens for this model"):
        single_token("A", tokens.__getitem__, spaced=spaced)


@pytest.mark.parametrize(("message", "fields", "name"), REAL, ids=[message[:60] for message, _, _ in REAL])
def test_real_refusals(message: str, fields: dict[str, str | None], name: str) -> None:
    param, code = fields.get("param") or "", fields.get("code") or ""
    sent = NAMES.keys() - {"max_completion_tokens"}
    assert refused_parameter(message, param, code, sent) == name
    assert refused_parameter(message, param, code, sent - {name}) != name, "what was not sent cannot be left out"


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ("max_tokens is too large: 100000. This model supports at most 16384 tokens.", "max_tokens", "invalid_value"),
        ("Invalid 'temperature': decimal above maximum value. Expected a value <= 2.", "temperature", "invalid_value"),
        ("Invalid schema for response_format 'answer': object schema missing properties.", "response_format", ""),
        ("This model's maximum context length is 8192 tokens.", "messages", "context_length_exceeded"),
        ("The model `gpt-9` does not exist", "model", "model_not_found"),
        ("The response was filtered due to the prompt triggering the content management policy.", "prompt", ""),
        ("Country, region, or territory not supported", "", "unsupported_country_region_territory"),
        ("property 'reasoning' is unsupported", "", ""),
        ("max_tokens must be at least 1, got -12.", "max_tokens", ""),
        ("you requested 512 max_tokens and your prompt contains at least 3800 input tokens", "", ""),
        ("no message", "", ""),
    ],
)
def test_other_refusals_name_no_parameter(message: str, param: str, code: str) -> None:
    assert refused_parameter(message, param, code, NAMES.keys()) is None
