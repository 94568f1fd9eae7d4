"""ResAutoNet: residual autoencoder of dense layers alone (Li et al. 2021, IEEE TNNLS 32, 4217)."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from vadose.producer.methods.base import Settings
from vadose.producer.methods.rowmodel import AutoencoderMethod, AutoencoderSettings, RowTraining


class ResAutoNetSettings(AutoencoderSettings):
    """Settings of ResAutoNet; half of the narrowest level is dropped in training."""

    training: RowTraining = pydantic.Field(default=RowTraining(dropout=0.5))


class ResAutoNet(AutoencoderMethod):
    """The dense autoencoder with the features of TsSMNet."""

    name: ClassVar[str] = "resautonet"
    settings_type: ClassVar[type[Settings]] = ResAutoNetSettings
