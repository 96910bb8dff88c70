"""The command line at an endpoint that does not do what it is asked: what is said, what is kept, what is paid."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from llmrank.cli.doctor import doctor
from tests.scripted_server import MODEL, ScriptedServer, Step, completion, good, refused

USERS = 12


@dataclass(frozen=True)
class Ran:
    code: int
    stdout: str
    stderr: str


async def llmrank(folder: Path, server: ScriptedServer, *arguments: str, model: str = MODEL, **variables: str) -> Ran:
    there = ("--store", "store.sqlite", "--base-url", server.base_url, "--model", model)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llmrank", *arguments, *there),
        cwd=folder,
        env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = (part.decode() for part in await process.communicate())
    assert "Traceback" not in stderr
    assert process.returncode is not None
    return Ran(process.returncode, stdout, stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {
            "user_id": f"u{n}",
            "history": [{"item_id": "h", "title": f"Seen by u{n}"}],
            "candidates": [{"item_id": f"i{place}", "title": f"Film {place}"} for place in range(3)],
            "relevant": ["i1"],
        }
        for n in range(USERS)
    ]
    (tmp_path / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def without_temperature(body: Mapping[str, Any]) -> Step:
    if "temperature" in body:
        return refused(400, "Unsupported value: 'temperature'", param="temperature", code="unsupported_value")
    if "logprobs" in body:
        return refused(400, "This model does not support the 'logprobs' parameter.", param="logprobs")
    return good("[2] > [1] > [3]")


def session(folder: Path, number: int) -> dict[str, Any]:
    return json.loads((folder / "run" / "manifest.json").read_text())["sessions"][number]


async def test_what_an_endpoint_refuses_is_said_once_and_kept_in_the_manifest(folder: Path) -> None:
    command = ("eval", "--data", "candidates.jsonl", "--prompt", "rankgpt", "--out", "run")
    async with ScriptedServer(answer=without_temperature) as server:
        ran = await llmrank(folder, server, *command)
        assert ran.code == 0, ran.stderr
        assert ran.stderr.count("omitting temperature from now on") == 1
        first = session(folder, 0)
        assert first["endpoint"] == {"left_out": ["temperature"], "replaced": {}}
        assert first["calls"] == USERS and first["retries"] == {}
        assert first["limit"][0] == {"seconds": ANY, "size": 64, "pace": None, "why": "start"}, (
            "whatever its clock says"
        )
        # The key is of the question as it was asked, so a second session pays for none of them.
        calls = server.calls
        (folder / "run").rename(folder / "before")
        again = await llmrank(folder, server, *command)
        assert again.code == 0 and again.stderr.count("were requested without temperature") == 1
        assert server.calls == calls and session(folder, 0)["calls"] == 0
        assert session(folder, 0)["endpoint"]["left_out"] == ["temperature"], "the numbers are those of such answers"


async def test_retries_are_counted_in_the_manifest(folder: Path) -> None:
    failed = set[str]()

    def answer(body: Mapping[str, Any]) -> Step:
        text = body["messages"][-1]["content"]
        if len(failed) < 3 and text not in failed:
            failed.add(text)
            return refused(503, headers={"Retry-After": "0"})
        return good("[2] > [1] > [3]")

    async with ScriptedServer(answer=answer) as server:
        command = ("eval", "--data", "candidates.jsonl", "--prompt", "rankgpt", "--out", "run", "--concurrency", "3")
        assert (await llmrank(folder, server, *command)).code == 0
        assert server.calls == USERS + 3
    assert session(folder, 0)["retries"] == {"5xx": 3} and session(folder, 0)["calls"] == USERS
    assert {change["size"] for change in session(folder, 0)["limit"]} == {3}


async def test_a_config_file_writes_extra_body_as_a_map(folder: Path) -> None:
    (folder / "run.yaml").write_text("users: 1\nextra_body:\n  min_p: 0.1\n  guided: {on: true, tries: 3, name: '3'}\n")
    async with ScriptedServer(good("[2] > [1] > [3]")) as server:
        command = ("eval", "--data", "candidates.jsonl", "--prompt", "rankgpt", "--config", "run.yaml", "--out", "run")
        assert (await llmrank(folder, server, *command)).code == 0
    sent = server.seen[-1]
    assert (sent["min_p"], sent["guided"]) == (0.1, {"on": True, "tries": 3, "name": "3"})


@pytest.mark.parametrize("verb", ["eval", "rerank"])
@pytest.mark.parametrize("refuses", [True, False], ids=["refused", "ignored"])
async def test_a_ranker_that_needs_log_probabilities_says_so_before_it_asks(
    folder: Path, verb: str, refuses: bool
) -> None:
    source = (
        ("--data", "candidates.jsonl", "--out", "run") if verb == "eval" else ("candidates.jsonl", "-o", "out.jsonl")
    )
    async with ScriptedServer(good("A"), answer=without_temperature if refuses else None) as server:
        ran = await llmrank(folder, server, verb, *source, "--prompt", "first-token")
        assert ran.code == 2 and "log-probabilities, but the backend returns none" in ran.stderr
        assert "hint: choose a prompt with text answers" in ran.stderr and "fewer" not in ran.stderr
        assert all(body["max_tokens"] == 1 and "Film" not in str(body) for body in server.seen)
        assert not (folder / "run").exists() and not (folder / "out.jsonl").exists()
        dry = await llmrank(folder, server, verb, *source, "--prompt", "first-token", "--dry-run")
        assert dry.code == 0


@pytest.mark.parametrize("verb", ["eval", "rerank", "dry run"])
async def test_a_key_and_a_name_that_are_no_utf_8_are_refused_with_one_line(folder: Path, verb: str) -> None:
    commands = {
        "eval": ("eval", "--data", "candidates.jsonl", "--out", "run"),
        "rerank": ("rerank", "candidates.jsonl", "-o", "out.jsonl"),
        "dry run": ("rerank", "candidates.jsonl", "-o", "out.jsonl", "--dry-run"),
    }
    command = (*commands[verb], "--prompt", "rankgpt")
    async with ScriptedServer() as server:
        ran = await llmrank(folder, server, *command, OPENAI_API_KEY="sk-abc\udcffdef0123456789")
        assert ran.code == 2 and "contains a non-ASCII character" in ran.stderr and "def0" not in ran.stderr
        ran = await llmrank(folder, server, *command, model="m\udcff")
        assert ran.code == 2 and "--model: 'm\\udcff' is not valid UTF-8" in ran.stderr
        assert server.calls == 0


async def test_rerank_says_why_calls_failed_and_answers_were_not_read(folder: Path) -> None:
    def answer(body: Mapping[str, Any]) -> Step:
        text = body["messages"][-1]["content"]
        if "Seen by u1" in text:  # u1, u10 and u11
            return refused(413, "no more of this")
        return good("" if "Seen by u2" in text else "[2] > [1] > [3]")

    command = ("rerank", "candidates.jsonl", "-o", "out.jsonl", "--prompt", "rankgpt")
    async with ScriptedServer(answer=answer) as server:
        ran = await llmrank(folder, server, *command)
        assert ran.code == 4 and "a call failed in 3 of 12 Cases" in ran.stderr
        assert (
            "reasons: error: " in ran.stderr
            and "(413): no more of this (3 Cases) · unparsed: empty (1 Case)" in ran.stderr
        )
        ran = await llmrank(folder, server, *command, "--max-error-rate", "0.5")
        reasons = ran.stdout.splitlines()[1]
        assert (
            ran.code == 0 and reasons.startswith("reasons: error: ") and reasons.endswith("no more of this (3 Cases)")
        )
        ran = await llmrank(folder, server, *command, "--max-error-rate", "0.5", "--force", "--json")
        assert sorted(json.loads(ran.stdout)["reasons"].values()) == [1, 3]


async def test_log_probabilities_that_are_none_are_told_as_such(folder: Path) -> None:
    top = [{"token": letter, "logprob": -0.1} for letter in "ABC"]
    body = completion("A")
    body["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    async with ScriptedServer(Step(body=json.dumps(body))) as server:
        ran = await llmrank(folder, server, "rerank", "candidates.jsonl", "-o", "out.jsonl", "--prompt", "first-token")
        assert ran.code == 0 and "reasons: unparsed: label_missing (12 Cases)" in ran.stdout
        assert ran.stderr.count("returned invalid log-probabilities") == 1


async def test_that_no_label_is_among_the_first_tokens_is_said_once_with_what_came(folder: Path) -> None:
    body = completion("<s> A")
    body["choices"][0]["logprobs"] = {"content": [{"top_logprobs": [{"token": "<s>", "logprob": 0.0}]}]}
    async with ScriptedServer(Step(body=json.dumps(body))) as server:
        ran = await llmrank(folder, server, "rerank", "candidates.jsonl", "-o", "out.jsonl", "--prompt", "first-token")
        assert ran.code == 0 and "reasons: unparsed: label_missing (12 Cases)" in ran.stdout
        said = "none is among the most likely first tokens of an answer ('<s>')"
        assert " ".join(ran.stderr.split()).count(said) == 1
        calls = server.calls
        again = ("eval", "--data", "candidates.jsonl", "--prompt", "first-token", "--out", "run")
        ran = await llmrank(folder, server, *again)
        assert server.calls == calls and "; 0 prompt and 0 completion tokens" in ran.stderr, "the first call is stored"


async def test_yes_and_no_are_read_from_the_text_where_there_are_no_log_probabilities(folder: Path) -> None:
    def answer(body: Mapping[str, Any]) -> Step:
        step = without_temperature(body)
        return (
            good("Yes")
            if step.status == 200 and "Film 1" in body["messages"][-1]["content"]
            else (good("No") if step.status == 200 else step)
        )

    async with ScriptedServer(answer=answer) as server:
        command = ("eval", "--data", "candidates.jsonl", "--prompt", "pointwise-yes-no", "--out", "run", "--json")
        ran = await llmrank(folder, server, *command)
        assert ran.code == 0, ran.stderr
        metrics = json.loads(ran.stdout)
        assert metrics["outcomes"]["ok"] == USERS and metrics["measures"]["HR@1"]["value"] == 1.0
        assert session(folder, 0)["endpoint"]["left_out"] == ["logprobs", "temperature"]


async def test_an_endpoint_that_answers_nobody_ends_the_run_with_one_error(folder: Path) -> None:
    async with ScriptedServer(refused(500, "out of order", headers={"Retry-After": "0"})) as server:
        ran = await llmrank(folder, server, "eval", "--data", "candidates.jsonl", "--prompt", "rankgpt", "--out", "run")
        assert ran.code == 3 and ran.stderr.count("out of order") == 1 and "same command" in ran.stderr
        assert server.calls <= 6 * USERS
        server.script = [good("[2] > [1] > [3]")]
        again = await llmrank(
            folder, server, "eval", "--data", "candidates.jsonl", "--prompt", "rankgpt", "--out", "run"
        )
        assert again.code == 0, again.stderr


def certificate(folder: Path, *, address: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
    """Write a certificate that is signed by itself and good until in so many days, and return it for a server."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    until = datetime.now(UTC) + timedelta(days)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, until - timedelta(30), until)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(
    ("made", "trusted", "said"),
    [
        pytest.param({}, False, "self-signed certificate", id="nobody trusts it"),
        pytest.param({"address": "127.0.0.2"}, True, "IP address mismatch", id="another host"),
        pytest.param({"days": -1}, True, "certificate has expired", id="expired"),
        pytest.param({}, True, "", id="trusted"),
    ],
)
async def test_a_certificate_that_is_not_trusted_is_told_with_what_helps(
    folder: Path, made: dict[str, Any], trusted: bool, said: str
) -> None:
    server = ScriptedServer(good("[2] > [1] > [3]"), tls=certificate(folder, **made))
    variables = {"SSL_CERT_FILE": str(folder / "certificate.pem")} if trusted else {}
    command = ("eval", "--data", "candidates.jsonl", "--prompt", "rankgpt", "--out", "run")
    async with server:
        ran = await llmrank(folder, server, *command, **variables)
    if said:
        assert ran.code == 3 and f"the certificate of {server.base_url} is not trusted ({said}" in ran.stderr
        assert "hint: set SSL_CERT_FILE" in ran.stderr and "start the server" not in ran.stderr
    else:
        assert ran.code == 0 and server.calls == USERS


async def test_https_to_a_server_of_plain_http_is_told_with_what_helps(folder: Path) -> None:
    async with ScriptedServer(good("[2] > [1] > [3]")) as server:
        server.base_url = url = server.base_url.replace("http:", "https:")
        ran = await llmrank(folder, server, "eval", "--data", "candidates.jsonl", "--prompt", "rankgpt")
    assert ran.code == 3 and f"no TLS connection to {url}" in ran.stderr
    assert "start --base-url with http://" in ran.stderr and "start the server" not in ran.stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter22@example.org/v1", "OPENAI_BASE_URL is https://example.org/v1,"),
        ("example.org/v1", "OPENAI_BASE_URL is invalid ('example.org/v1' is not a base URL),"),
    ],
)
def test_doctor_shows_the_endpoint_without_its_password(url: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    said = CliRunner().invoke(doctor, [], catch_exceptions=False).output
    assert shown in said and "hunter22" not in said
