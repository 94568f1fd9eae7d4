"""TsSMNet: residual autoencoder with a convolution along its features, with and without temporal descriptors.

After Liu et al. (2025), Remote Sensing 17, 3729, doi 10.3390/rs17223729.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from vadose.producer.methods.base import Settings
from vadose.producer.methods.rowmodel import AutoencoderMethod, AutoencoderSettings


class TsSmNetSettings(AutoencoderSettings):
    """Settings of TsSMNet; `channels` of its two convolutions."""

    channels: tuple[int, int] = (32, 64)


class NowcastSettings(TsSmNetSettings):
    """Settings of the nowcast: descriptors of the year before each day, and no observation of the day itself."""

    descriptors: Literal["causal"] = "causal"
    keep_observed: Literal[False] = False


class SmNetSettings(TsSmNetSettings):
    """Settings of SMNet: nothing that needs observations of the cell."""

    descriptors: Literal["none"] = "none"
    identity: Literal["none", "coordinates"] = "none"


class TsSmNet(AutoencoderMethod):
    """The network with descriptors of the cell's observations in the training part."""

    name: ClassVar[str] = "tssmnet"
    settings_type: ClassVar[type[Settings]] = TsSmNetSettings

    def channels(self, settings: AutoencoderSettings) -> tuple[int, int] | None:
        """Channels of the two convolutions."""
        assert isinstance(settings, TsSmNetSettings), "settings of another method"
        return settings.channels


class TsSmNetNowcast(TsSmNet):
    """The network with descriptors of the observations up to the day before."""

    name: ClassVar[str] = "tssmnet-nowcast"
    settings_type: ClassVar[type[Settings]] = NowcastSettings
    splits: ClassVar[tuple[str, ...] | None] = ("P1-nowcast-1",)


class SmNet(TsSmNet):
    """The network without descriptors, which also knows cells that were not seen in training."""

    name: ClassVar[str] = "smnet"
    settings_type: ClassVar[type[Settings]] = SmNetSettings
    needs_own_history: ClassVar[bool] = False
