"""The mean of several methods: what different kinds of models get wrong differently, their mean gets wrong less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic

from vadose.common import Progress, read_json, silent, write_json
from vadose.producer.methods.base import Block, Floats, Inputs, Method, Model, Prediction, Settings
from vadose.producer.training.splits import Fold

CARD = "blend.json"


class Part(pydantic.BaseModel):
    """A method with its settings, as in a recipe."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    method: str
    settings: dict[str, Any] = {}

    @pydantic.model_validator(mode="after")
    def _known(self) -> Part:
        _ = self.checked
        return self

    @property
    def chosen(self) -> Method:
        """The method; an unknown name is a `UsageError`."""
        from vadose.producer.methods import method

        return method(self.method)

    @property
    def checked(self) -> Settings:
        """All settings, defaults included; wrong ones are a `UsageError`."""
        from vadose.producer.methods import method_settings

        return method_settings(self.chosen, self.settings, where=f"method.settings.parts: {self.method}")


class BlendSettings(Settings):
    """What is averaged, each with the same weight, so that nothing is chosen on any data."""

    parts: tuple[Part, ...] = pydantic.Field(
        default_factory=lambda: tuple(Part(method=name) for name in ("atlstm", "lstm", "xgboost")), min_length=2
    )


@dataclass(frozen=True)
class BlendModel:
    """Fitted methods whose predictions are averaged."""

    names: tuple[str, ...]
    members: tuple[Model, ...]

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        return max(member.past_days for member in self.members)

    @property
    def facts(self) -> dict[str, Any]:
        """What the members say of their fits, together."""
        told = [getattr(member, "facts", {}) for member in self.members]
        return {
            "parameters": sum(int(one.get("parameters", 0)) for one in told),
            "tuned": any(one.get("tuned") for one in told),
            "stopped_on_inner_split": any(one.get("stopped_on_inner_split") for one in told),
            "parts": dict(zip(self.names, told, strict=True)),
        }

    def predict(self, block: Block) -> Prediction:
        """Mean of all members where each of them has a value, and their flags together."""
        found = [member.predict(block) for member in self.members]
        mean, deviation = blended([one.mean for one in found], [one.uncertainty for one in found])
        return Prediction(mean, deviation, reduce(np.bitwise_or, [one.flags for one in found]))

    def save(self, directory: Path) -> None:
        """Write each member into a folder of its own, and `blend.json`."""
        for number, member in enumerate(self.members):
            member.save(directory / f"part-{number}")
        write_json(directory / CARD, {"parts": list(self.names)})


class Blend:
    """Equal weights, as the simple mean is hard to beat (Clemen 1989, doi 10.1016/0169-2070(89)90012-5)."""

    name: ClassVar[str] = "blend"
    settings_type: ClassVar[type[Settings]] = BlendSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> BlendModel:  # fmt: skip
        """Fit every part with the same seed inside the fold; a checkpoint serves the part that is under way."""
        assert isinstance(settings, BlendSettings), "settings of another method"
        members = []
        for number, part in enumerate(settings.parts):
            own = checkpoint and checkpoint.with_name(f"{checkpoint.stem}-part{number}{checkpoint.suffix}")
            members.append(part.chosen.fit(inputs, fold, part.checked, seed=seed, checkpoint=own, progress=progress))
        return BlendModel(tuple(part.method for part in settings.parts), tuple(members))

    def load(self, directory: Path) -> BlendModel:
        """Load what `BlendModel.save` wrote."""
        from vadose.producer.methods import method

        names = tuple(read_json(directory / CARD)["parts"])
        members = tuple(method(name).load(directory / f"part-{number}") for number, name in enumerate(names))
        return BlendModel(names, members)


def blended(means: Sequence[Floats], deviations: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Mean of equal weights, and the deviation of a mixture: mean variance and variance of the means together."""
    stacked = np.stack(means)
    variance = (np.stack(deviations) ** 2).mean(axis=0) + stacked.var(axis=0)
    return np.asarray(stacked.mean(axis=0), np.float32), np.asarray(np.sqrt(variance), np.float32)
