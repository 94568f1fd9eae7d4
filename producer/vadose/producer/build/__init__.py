"""Model and cube to granules: block by block, in fixed slabs of days, resumable at any point."""

from vadose.producer.build.building import Built, build, foresee, forget
from vadose.producer.build.prediction import Predictor
from vadose.producer.build.rolling import build_rolling, forget_rolling
from vadose.producer.build.slabs import Slab, slabs, wanted_periods

__all__ = [
    "Built",
    "Predictor",
    "Slab",
    "build",
    "build_rolling",
    "foresee",
    "forget",
    "forget_rolling",
    "slabs",
    "wanted_periods",
]
