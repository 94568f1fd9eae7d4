"""Bi-LSTM: a window of days, read in both directions."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from vadose.producer.methods.base import Settings
from vadose.producer.methods.window_lstm import WindowLstmMethod, WindowLstmSettings


class BiLstmSettings(WindowLstmSettings):
    """Settings of the Bi-LSTM; half as many states a direction as the LSTM has, so that structure is compared."""

    hidden: int = pydantic.Field(default=64, ge=1, le=2048)
    bidirectional: bool = True


class BiLstm(WindowLstmMethod):
    """An LSTM in both directions over the days x_{t-L+1}...x_t; it sees no day after t."""

    name: ClassVar[str] = "bilstm"
    settings_type: ClassVar[type[Settings]] = BiLstmSettings
