"""AtLSTM: an LSTM whose last states are pooled by attention before the head."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pydantic

from vadose.producer.methods.attention import Score
from vadose.producer.methods.base import Settings
from vadose.producer.methods.network import Shape
from vadose.producer.methods.recurrent import RecurrentMethod, RecurrentSettings
from vadose.producer.methods.window_lstm import WindowLstmMethod, WindowLstmSettings


class AtLstmSettings(RecurrentSettings):
    """Settings of the AtLSTM; `attention_days` is the number of daily states that are pooled by their `score`."""

    attention_days: int = pydantic.Field(default=15, ge=1, le=365)
    score: Score = "relu"


class AtLstm(RecurrentMethod):
    """Attention over the last states of a long-memory LSTM."""

    name: ClassVar[str] = "atlstm"
    settings_type: ClassVar[type[Settings]] = AtLstmSettings

    def shape(self, daily: int, static: int, settings: RecurrentSettings) -> Shape:
        """Size of the network, with attention."""
        assert isinstance(settings, AtLstmSettings), "settings of another method"
        return Shape(daily, static, settings.hidden, settings.layers, settings.attention_days, settings.score)


# `dcm` is DeepCropMapping's public code, a plausible but unproven ancestor of the AtLSTM's name.
PRESETS: dict[str, dict[str, Any]] = {
    "own": {},
    "dcm": {
        "hidden": 256, "layers": 2, "bidirectional": True, "pooling": "relu", "forget_bias": 3.0,
        "training": {"dropout": 0.5, "learning_rate": 5e-4, "weight_decay": 1e-3, "batch": 32768},
    },
}  # fmt: skip


class AtLstmWindowSettings(WindowLstmSettings):
    """Settings of the AtLSTM of windows; a `preset` gives the values that are not named."""

    preset: Literal["own", "dcm"] = "own"
    pooling: Literal["last", "relu", "additive"] = "relu"

    @pydantic.model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("preset") not in PRESETS:
            return values
        preset, own = PRESETS[values["preset"]], values.get("training", {})
        training = {**preset.get("training", {}), **own} if isinstance(own, dict) else own
        return {**preset, **values, **({"training": training} if training else {})}


class AtLstmWindow(WindowLstmMethod):
    """The published reading of the AtLSTM: attention over the states of an LSTM that sees a window of days alone."""

    name: ClassVar[str] = "atlstm-window"
    settings_type: ClassVar[type[Settings]] = AtLstmWindowSettings
