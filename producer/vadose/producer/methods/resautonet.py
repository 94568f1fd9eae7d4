"""ResAutoNet: residual autoencoder of dense layers alone (Li et al. 2021, IEEE TNNLS 32, 4217)."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from vadose.producer.methods.base import Settings
from vadose.producer.methods.rowmodel import AutoencoderMethod, AutoencoderSettings, RowTraining


class ResAutoNetTraining(RowTraining):
    """How ResAutoNet is trained: half of its narrowest level is dropped."""

    dropout: float = pydantic.Field(default=0.5, ge=0, lt=1)


class ResAutoNetSettings(AutoencoderSettings):
    """Settings of ResAutoNet."""

    training: ResAutoNetTraining = ResAutoNetTraining()


class ResAutoNet(AutoencoderMethod):
    """The dense autoencoder with the features of TsSMNet."""

    name: ClassVar[str] = "resautonet"
    settings_type: ClassVar[type[Settings]] = ResAutoNetSettings
