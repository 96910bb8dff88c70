"""Prices: the file is read or its fault is named, and tokens become money."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from llmrank.errors import InputError
from llmrank.prices import Price, Prices, read_prices, show_money
from llmrank.types import Usage

FILE = """
date: 2026-11-01
currency: EUR
models:
  small: {input: 0.40, cached_input: 0.10, output: 1.60, batch: 0.5}
  plain: {input: 3, output: 15}
  own: {input: 1, output: 2, batch: {input: 0.2, output: 0.3}}
"""


def read(folder: Path, text: str) -> Prices:
    path = folder / "prices.yaml"
    path.write_text(text)
    return read_prices(path)


def test_tokens_become_money(tmp_path: Path) -> None:
    tariff = read(tmp_path, FILE).tariff("small")
    usage = Usage(prompt_tokens=1_000_000, cached_tokens=250_000, completion_tokens=500_000, reasoning_tokens=400_000)
    direct = 0.75 * 0.40 + 0.25 * 0.10 + 0.5 * 1.60
    assert tariff.cost(usage, Usage()) == pytest.approx(direct)
    assert tariff.cost(usage, usage) == pytest.approx(direct / 2)
    assert tariff.cost(usage + usage, usage) == pytest.approx(direct * 1.5)
    assert tariff.dated == date(2026, 11, 1) and tariff.currency == "EUR"


def test_what_the_file_leaves_out(tmp_path: Path) -> None:
    prices = read(tmp_path, FILE)
    assert prices.tariff("plain").direct == prices.tariff("plain").batch == Price(3, 3, 15)
    assert prices.tariff("own").batch == Price(0.2, 0.2, 0.3)


def test_a_model_that_is_not_in_the_file_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"prices\.yaml.*no price for model 'smal'; did you mean 'small'\?"):
        read(tmp_path, FILE).tariff("smal")


def test_a_file_is_old_after_a_year(tmp_path: Path) -> None:
    tariff = read(tmp_path, FILE).tariff("small")
    assert not tariff.is_old(date(2027, 11, 1)) and tariff.is_old(date(2027, 11, 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "contains no keys"),
        ("a: [", "not valid YAML"),
        (FILE.replace("date: 2026-11-01", ""), "field 'date'"),
        (FILE.replace("2026-11-01", "autumn"), "field 'date'"),
        (FILE.replace("currency: EUR", ""), "field 'currency'"),
        ("date: 2026-11-01\ncurrency: EUR\nmodels: {}", "field 'models'"),
        (FILE.replace("input: 3,", ""), "field 'models.plain.input'"),
        (FILE.replace("input: 3,", "inputs: 3,"), "field 'models.plain.inputs': unknown key; did you mean 'input'?"),
        (FILE.replace("input: 3,", "input: -3,"), "field 'models.plain.input'"),
        (FILE.replace("input: 3,", "input: .inf,"), "field 'models.plain.input'"),
        (FILE.replace("cached_input: 0.10", "cached_input: 0.50"), "field 'models.small.cached_input': cached tokens"),
        (FILE.replace("batch: 0.5", "batch: -1"), "field 'models.small.batch'"),
        (FILE.replace("{input: 0.2,", "{"), "field 'models.own.batch.input'"),
    ],
)
def test_a_wrong_file_is_named_with_its_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        read(tmp_path, text)
    assert "prices.yaml" in str(raised.value) and said in str(raised.value) and "hint" in str(raised.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_prices(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("money", "shown"), [(0, "0.0000 USD"), (0.000123, "0.000123 USD"), (0.5, "0.5000 USD"), (1234.567, "1,234.57 USD")]
)
def test_small_amounts_are_not_rounded_away(money: float, shown: str) -> None:
    assert show_money(money, "USD") == shown
