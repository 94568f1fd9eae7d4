"""AtLSTM: an LSTM whose last states are pooled by attention before the head."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from vadose.producer.methods.base import Settings
from vadose.producer.methods.recurrent import RecurrentMethod, RecurrentSettings


class AtLstmSettings(RecurrentSettings):
    """Settings of the AtLSTM; `attention_days` is the number of daily states that are pooled."""

    attention_days: int = pydantic.Field(default=15, ge=1, le=365)


class AtLstm(RecurrentMethod):
    """Attention over the last states of a long-memory LSTM."""

    name: ClassVar[str] = "atlstm"
    settings_type: ClassVar[type[Settings]] = AtLstmSettings

    def attention(self, settings: RecurrentSettings) -> int:
        """Number of states that attention pools."""
        assert isinstance(settings, AtLstmSettings), "settings of another method"
        return settings.attention_days
