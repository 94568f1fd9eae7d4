"""Hidden observations beside what fills them, in one CF file: the evidence of a training under P6.

The gate `gap_days` of a validation reads it: stations judge both, paired by day.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import whole_file
from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, Prediction, method, method_settings
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import GAP_SPLITS, Fold

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

FILE = "filled.nc"
# The filling that a product's own has to stand beside (Garcia 2010), doi 10.1016/j.csda.2009.09.020.
RIVAL = "dct-pls"
TEXT = {
    "filled": "what fills the hidden observations",
    "hidden": "observations that the method was not shown",
    "dct_pls": "what penalised least squares by cosines fill in",
}


class Predicting(Protocol):
    """A model or an ensemble of models."""

    def predict(self, block: Block) -> Prediction:
        """Values of a block."""


def filled_values(model: Predicting, inputs: Inputs, fold: Fold) -> Floats:
    """Predictions where the fold hides observations, (time, cell), m3 m-3; NaN elsewhere.

    The model is shown the target only where the fold lets it be seen.
    """
    cube, mask = inputs.hiding(fold.unseen()).cube, fold.mask("test")
    found = np.full(mask.shape, np.nan, np.float32)
    for cells in cell_slices(cube, 256):
        days = np.flatnonzero(mask[:, cells].any(axis=1))
        if days.size:
            span = slice(int(days[0]), int(days[-1]) + 1)
            found[span, cells] = model.predict(Block(cube, span, cells)).mean
    return np.where(mask, found, np.float32(np.nan))


def filled_by_cosines(inputs: Inputs, fold: Fold) -> Floats:
    """The same of DCT-PLS, fitted inside the fold."""
    rival = method(RIVAL)
    visible = inputs.hiding(fold.unseen())
    return filled_values(rival.fit(visible, fold, method_settings(rival, {}), seed=0), inputs, fold)


def hides_observations(split: str) -> bool:
    """Whether a split is one of structured gaps, P6."""
    return split in GAP_SPLITS


def write_filled(path: Path, cube: Cube, target: str, split: str, filled: Floats, cosines: Floats | None) -> None:
    """Write `filled`, `hidden` and, where it was made, `dct_pls`, (time, cell), gathered as in the cube.

    Parameters
    ----------
    filled, cosines
        Values where observations were hidden, NaN elsewhere; `hidden` holds the observations there.
    """
    chosen = np.isfinite(filled)
    values = {"filled": filled, "hidden": np.where(chosen, cube.read(target), np.float32(np.nan))}
    if cosines is not None:
        values["dct_pls"] = np.where(chosen, cosines, np.float32(np.nan))
    with warnings.catch_warnings():
        # Consolidated metadata is not yet part of the Zarr v3 specification.
        warnings.simplefilter("ignore")
        store = xr.open_zarr(cube.path, decode_cf=False)
    frame = store[[name for name in store.variables if name in ("time", "cell", "x", "y", "lat", "lon", "crs")]].load()
    # The words of the target say at what time of the day its values hold.
    told = store[target].attrs
    for name, array in values.items():
        frame[name] = (("time", "cell"), array, {**told, "long_name": f"{told['long_name']}: {TEXT[name]}"})
        frame[name].attrs.pop("_FillValue", None)
    frame.attrs = {
        "Conventions": "CF-1.11", "title": f"Hidden and filled soil moisture under split {split}",
        "comment": "One value for each hidden observation that the method fills.", "vadose_split": split,
    }  # fmt: skip
    packed = {"zlib": True, "complevel": 4, "shuffle": True, "_FillValue": np.float32(np.nan)}
    plain = {name: {"_FillValue": None} for name in frame.variables if name not in values}
    with whole_file(path) as part:
        frame.to_netcdf(part, engine="netcdf4", encoding={**plain, **dict.fromkeys(values, packed)})
