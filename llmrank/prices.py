"""Token prices, from a dated file that the user provides. Without a file, no money is calculated.

date: 2026-11-01
currency: USD
models:
  gpt-4.1-mini:
    input: 0.40          # per million prompt tokens
    cached_input: 0.10   # per million prompt tokens from the endpoint's cache; default: as input
    output: 1.60         # per million completion tokens, including reasoning
    batch: 0.5           # Batch API: a factor on the above, or its own input, cached_input and output
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from llmrank.errors import InputError, from_validation, nearest
from llmrank.types import Usage, adapter
from llmrank.yaml_text import read_text, read_yaml

MILLION = 1_000_000
OLD_DAYS = 365
"""Days after which a file is still used, but with a warning."""


@dataclass(frozen=True, slots=True)
class Price:
    """Money per million tokens."""

    input: float
    cached_input: float
    output: float

    def cost(self, usage: Usage) -> float:
        """Return the price of these tokens; those from the prefix cache have their own price."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        fresh = usage.prompt_tokens - cached
        return (fresh * self.input + cached * self.cached_input + usage.completion_tokens * self.output) / MILLION

    def __mul__(self, factor: float) -> Price:
        return Price(self.input * factor, self.cached_input * factor, self.output * factor)


def show_money(money: float, currency: str) -> str:
    """Return an amount with its currency, with a suitable number of decimals."""
    decimals = 2 if money >= 100 else 4 if money >= 0.01 or money == 0 else 6
    return f"{money:,.{decimals}f} {currency}"


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one model, and their date."""

    model: str
    currency: str
    dated: date
    direct: Price
    batch: Price
    """Through a Batch API; equal to `direct` unless the file says otherwise."""

    def cost(self, usage: Usage, of_batches: Usage) -> float:
        """Return the price of `usage`, of which `of_batches` came through a Batch API."""
        return self.direct.cost(usage - of_batches) + self.batch.cost(of_batches)

    def price(self, *, batch: bool) -> Price:
        """Return the price of batches or of direct calls."""
        return self.batch if batch else self.direct

    def is_old(self, today: date) -> bool:
        """Return whether the prices are more than a year old."""
        return (today - self.dated).days > OLD_DAYS

    def show(self, money: float) -> str:
        """Return an amount with its currency."""
        return show_money(money, self.currency)

    def to_dict(self) -> dict[str, Any]:
        """Return the prices as JSON values for the manifest."""
        return adapter(Tariff).dump_python(self, mode="json")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read the output of `to_dict`. Raises ValueError for anything else."""
        return adapter(cls).validate_python(content)


class PriceKeys(BaseModel):
    """The keys of a price in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input: float = Field(ge=0)
    cached_input: float | None = Field(None, ge=0)
    output: float = Field(ge=0)

    @field_validator("cached_input")
    @classmethod
    def _is_not_dearer(cls, cached: float | None, info: ValidationInfo) -> float | None:
        # Bounds and dry runs take the price of all prompt tokens as the most that they can cost.
        if cached is not None and cached > info.data.get("input", cached):
            raise ValueError("cached tokens cannot cost more than others")
        return cached

    def price(self) -> Price:
        """Return the price; cached tokens cost as much as others by default."""
        return Price(self.input, self.input if self.cached_input is None else self.cached_input, self.output)


class ModelKeys(PriceKeys):
    """The keys of a model in the file."""

    batch: NonNegativeFloat | PriceKeys = 1.0


class Prices(BaseModel):
    """The contents of a price file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dated: date = Field(alias="date")
    currency: str = Field(min_length=1)
    models: dict[str, ModelKeys] = Field(min_length=1)
    _path: Path = PrivateAttr()

    def tariff(self, model: str) -> Tariff:
        """Return the prices of a model; raise InputError, suggesting the closest name, if it is not in the file."""
        if model not in self.models:
            raise InputError(
                f"no price for model {model!r}{nearest(model, self.models)}",
                path=self._path,
                field="models",
                hint=f"add it, or choose a --model of the file: {', '.join(self.models)}",
            )
        direct, batch = self.models[model].price(), self.models[model].batch
        through_batches = batch.price() if isinstance(batch, PriceKeys) else direct * batch
        return Tariff(model, self.currency, self.dated, direct, through_batches)


def read_prices(path: Path) -> Prices:
    """Read a YAML price file in the format above; raise InputError with file and field if it is invalid."""
    hint = "write date, currency, and models with input and output for each (money per million tokens)"
    values, lines = read_yaml(read_text(path, "name a price file"), path)
    try:
        prices = Prices.model_validate(values)
    except ValidationError as error:
        # For a union of a factor and a price, pydantic includes the names of both types in the location.
        kinds = (PriceKeys.__name__, "constrained-float")
        raise from_validation(error, Prices, path=path, lines=lines, hint=hint, not_keys=kinds) from error
    prices._path = path  # pyright: ignore[reportPrivateUsage] - pydantic cannot initialise private attributes
    return prices
