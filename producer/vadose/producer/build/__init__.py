"""Model and cube to granules: block by block, in fixed slabs of days, resumable at any point."""

from vadose.producer.build.building import Built, build, foresee, forget
from vadose.producer.build.prediction import Predictor
from vadose.producer.build.slabs import Slab, slabs, wanted_periods

__all__ = ["Built", "Predictor", "Slab", "build", "foresee", "forget", "slabs", "wanted_periods"]
