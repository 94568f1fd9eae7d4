"""Product cards: what a foreign file's own metadata lack or state wrongly, as strict YAML beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pydantic
import yaml

from vadose.common import UsageError, read_short
from vadose.producer.recipe import describe, unknown_word
from vadose.producer.vocabulary import VOCABULARY


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class CardFlags(_Strict):
    """A value is kept where the bits numbered `clear_bits` (from 0) of `variable` are 0, or where that is in `keep`."""

    variable: str
    clear_bits: tuple[int, ...] = ()
    keep: tuple[int, ...] = ()

    @pydantic.model_validator(mode="after")
    def _one_rule(self) -> CardFlags:
        if bool(self.clear_bits) == bool(self.keep):
            raise ValueError("state either clear_bits or keep")
        return self


class CardVariable(_Strict):
    """One variable of a file.

    `factor` and `offset` turn stored values into `units`; they come after the file's own
    `scale_factor` and `add_offset`.
    """

    name: str
    units: str | None = None
    factor: float = 1.0
    offset: float = 0.0
    layer_m: tuple[float, float] | None = None
    day: Literal["solar06", "solar18", "daily_mean", "instant"] | None = None
    fill: tuple[float, ...] = ()
    flags: CardFlags | None = None

    @pydantic.field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in VOCABULARY:
            raise ValueError(unknown_word(name, VOCABULARY, "variable"))
        return name

    @pydantic.field_validator("layer_m")
    @classmethod
    def _downwards(cls, layer: tuple[float, float] | None) -> tuple[float, float] | None:
        if layer is not None and not 0 <= layer[0] < layer[1]:
            raise ValueError(f"a layer runs downwards from the surface, in metres; got {list(layer)}")
        return layer


class Card(_Strict):
    """A product card; what it states wins over the file's own metadata.

    `variables` maps names in the file to what they are. `sensors`, `forcing`, `ancillary`, `model` and
    `references` (used for tuning) serve the independence audit.
    """

    product: str
    producer: str
    version: str
    licence: str
    passing_on: bool | None = None
    commercial_use: bool | None = None
    doi: str | None = None
    variables: dict[str, CardVariable]
    sensors: tuple[str, ...] = ()
    forcing: tuple[str, ...] = ()
    ancillary: tuple[str, ...] = ()
    model: str | None = None
    references: tuple[str, ...] = ()

    def of(self, native: str) -> CardVariable | None:
        """What the card states of a variable of the file, if anything."""
        return self.variables.get(native)


def load_card(path: Path) -> Card:
    """Read a product card.

    Raises
    ------
    UsageError
        For a missing file, YAML that does not parse, an unknown key (with the nearest known one) or a bad value.
    """
    try:
        values: Any = yaml.safe_load(read_short(path))
    except OSError as error:
        raise UsageError(f"cannot read the product card: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"not valid YAML: {error}", where=str(path)) from error
    if not isinstance(values, dict):
        raise UsageError("a product card is a mapping of keys", where=str(path))
    try:
        return Card.model_validate(values)
    except pydantic.ValidationError as error:
        raise UsageError(describe(error, Card), where=str(path)) from error
