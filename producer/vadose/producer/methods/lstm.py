"""LSTM: the recurrent network with its head on the last state."""

from __future__ import annotations

from typing import ClassVar

from vadose.producer.methods.base import Settings
from vadose.producer.methods.recurrent import RecurrentMethod, RecurrentSettings


class LstmSettings(RecurrentSettings):
    """Settings of the LSTM."""


class Lstm(RecurrentMethod):
    """A plain LSTM over the whole past that it is given."""

    name: ClassVar[str] = "lstm"
    settings_type: ClassVar[type[Settings]] = LstmSettings
