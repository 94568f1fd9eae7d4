"""`python -m vadose.producer.experiments.reconstruction WORKSPACE WORLD OUT [HOURS]`: filled fields and stations.

The network with descriptors and its rivals fill the gaps of a simulated radiometer; maps, series and scores at the
simulated stations stand beside those of the radiometer, of a merged product and of the truth. The workspace holds the
cubes of `simulated-tssmnet` and `simulated-mlstm` and the stations `simulated`; fits are kept in
`runs/reconstruction/`, so that the same call does what is left. About ten minutes on one core, and as long again for
the forest.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.numpy

from vadose.common import InputError, Progress, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.experiments.gap_fields import UNIT, filled_sheets, series_rows
from vadose.producer.experiments.gapfilling import Scene, make_fields, make_scene, read_truth
from vadose.producer.experiments.judging import bands
from vadose.producer.experiments.tables import publish, records
from vadose.producer.methods import Inputs
from vadose.producer.methods.autoencoder import initialised, layers
from vadose.producer.methods.rowmodel import AutoencoderMethod, AutoencoderSettings
from vadose.producer.recipefile import load_recipe
from vadose.producer.training.experiment import Experiment, experiment
from vadose.producer.training.inputs import with_stations
from vadose.producer.training.points import COLUMNS
from vadose.producer.training.rows import row_set
from vadose.producer.training.splits import make_folds
from vadose.producer.vocabulary import IN_SITU

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

RECIPE, MERGED, MERGED_CUBE, STATIONS = "simulated-tssmnet", "cci_sm", "simulated-mlstm", "simulated"
SPLIT = "P6-15d"
RIVALS = ("linear-in-time", "dct-pls", "tssmnet", "smnet", "resautonet", "xgboost-descriptors", "forest-descriptors")
SEEN, CCI = "radiometer", "merged product"
DRAWN = ("tssmnet", "smnet", "dct-pls")
COMMAND = "python -m vadose.producer.experiments.reconstruction WORKSPACE WORLD site/data/experiments/tssmnet-smap"


def main(workspace: Path, world: Path, out: Path, command: str, hours: float = np.inf, progress: Progress = silent,
         rivals: tuple[str, ...] = RIVALS, recipe_name: str = RECIPE) -> None:  # fmt: skip
    """Run what has no field yet until the hours are over, and write the tables of what is there."""
    until = time.monotonic() + 3600.0 * hours
    recipe = load_recipe(recipe_name)
    cube = open_cube(workspace / "cubes" / f"{recipe.cube}.zarr")
    plan = experiment([recipe], cube.path, workspace / "runs" / "reconstruction")
    truth = read_truth(world, cube)
    scene = make_scene(cube, recipe.target, SPLIT, truth)
    fields, missing = {SEEN: scene.visible, CCI: merged_product(workspace, cube)}, []
    for name in rivals:
        path = plan.folder / f"{SPLIT}-{name}-{plan.key(name)}.safetensors"
        if not path.is_file() and time.monotonic() > until:
            missing.append(name)
            continue
        if not path.is_file():
            make_fields(plan, cube, SPLIT, name, path, progress)
        mean = safetensors.numpy.load_file(path)["mean"]
        fields[name] = np.where(np.isfinite(scene.visible), scene.visible, mean)
    stations = with_stations(cube, {STATIONS: workspace / "stations" / f"{STATIONS}.nc"}, recipe.product.day)
    in_situ = stations.read(IN_SITU)
    scores = pd.DataFrame(score_rows(fields, scene, in_situ))
    drawn = {**{name: fields[name] for name in (SEEN, CCI, *DRAWN) if name in fields}, "truth": truth}
    curves = [*series_rows(drawn, cube.days, truth)]
    for name in DRAWN:
        if name in fields:
            hidden = np.where(scene.hidden, fields[name], np.float32(np.nan))
            curves += bands("predicted by station", "", name, hidden, in_situ)
    told = {
        "title": "Reconstructed fields at simulated stations",
        "question": "How do reconstructed fields look beside the radiometer, a merged product and the truth, and "
                    "which method is nearest to the stations on the days that were filled?",
        "what": "A simulated land of 0.25 degree, windows of 15 days hidden (P6), small networks, one seed, no "
                "interval. Observations are kept where there are any. Scores are of all values together, as in the "
                "paper: at the stations on the days that were hidden and have a value of every method, and on the days "
                "of the radiometer; and of the truth in all cells on hidden days.",
        "finding": finding(scores), "partial": missing,
        "figures": {
            "filled_map": {"caption": "Soil moisture of a day, a month and a season: what is seen, a merged product, "
                                      "reconstructed fields and the truth; means are over the days that a field has"},
            "series": {"x": "year", "y": "soil moisture",
                       "caption": "Soil moisture of single cells day by day, and of the whole land by month"},
            "predicted by station": {"x": f"stations ({UNIT})", "y": "reconstructed",
                                     "caption": "Median and 5th to 95th percentile on hidden days by stations"},
        },
    }  # fmt: skip
    networks = pd.DataFrame(network_rows(plan, cube, [name for name in rivals if name in fields]))
    tables = {
        "reconstruction_scores": scores,
        "reconstruction_network": networks,
        "reconstruction_curves": pd.DataFrame(curves, columns=COLUMNS),
    }
    publish(out, "reconstruction", told, tables, command, (cube, list(filled_sheets(drawn, cube.days))))


def merged_product(workspace: Path, cube: Cube) -> Floats:
    """The merged product in the cells and days of a cube, (time, cell)."""
    other = open_cube(workspace / "cubes" / f"{MERGED_CUBE}.zarr")
    if not (np.array_equal(other.index, cube.index) and np.isin(cube.days, other.days).all()):
        raise InputError("holds other cells or days than the cube of the recipe", where=str(other.path),
                         next=f"vadose ingest {MERGED_CUBE}")  # fmt: skip
    first = other.day_index(cube.days[0])
    return other.read(MERGED, slice(first, first + cube.days.size))


def network_rows(plan: Experiment, cube: Cube, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every layer of the autoencoders among the methods, as the rows of the cube make them."""
    fold = make_folds(SPLIT, cube, plan.target)[0]
    for name in names:
        contender = plan.contender(name)
        chosen, settings = contender.chosen, contender.checked
        if isinstance(chosen, AutoencoderMethod) and isinstance(settings, AutoencoderSettings):
            hidden = Inputs({"main": cube}, plan.target, contender.predictors).hiding(fold.unseen())
            rows = row_set(hidden.cube, hidden.predictors, plan.target, fold.whole(), settings.rows,
                           maximum_rows=settings.training.maximum_rows, seed=0)  # fmt: skip
            network = initialised(chosen.shape(rows.encoder, settings), 0)
            for layer in layers(network):
                size = " × ".join(map(str, layer.output))
                yield {"method": name, "layer": layer.name, "kind": layer.kind, "output": size,
                       "weights": layer.weights}  # fmt: skip


def score_rows(fields: Mapping[str, Floats], scene: Scene, in_situ: Floats) -> Iterator[dict[str, Any]]:
    """Pooled scores at the stations on hidden and on observed days, and against the truth on hidden days."""
    filled = {name: values for name, values in fields.items() if name != SEEN}
    # A merged product has gaps of its own: it is compared on its own days, the others on the same ones.
    both = np.isfinite(np.stack(list(filled.values()))).all(axis=0)
    original = {SEEN: scene.observed, **filled}
    for reference, values in (("stations", in_situ), ("truth", scene.truth)):
        common = scene.hidden & both & np.isfinite(values)
        for name, field in original.items():
            yield {"days": "hidden", "reference": reference, "method": name, **pooled(field[common], values[common])}
    seen = np.isfinite(scene.visible) & np.isfinite(in_situ) & np.isfinite(fields[CCI])
    for name in (SEEN, CCI):
        yield {"days": "observed", "reference": "stations", "method": name,
               **pooled(fields[name][seen], in_situ[seen])}  # fmt: skip


def pooled(predicted: Floats, reference: Floats) -> dict[str, float]:
    """The scores of the paper's table over all values together: bias is predicted less reference."""
    x, y = reference.astype(np.float64), predicted.astype(np.float64)
    if x.size < 3:
        return {**dict.fromkeys(("bias", "r", "rmse", "ubrmsd", "slope"), float("nan")), "values": int(x.size)}
    apart = y - x
    return {
        "bias": float(apart.mean()), "r": float(np.corrcoef(x, y)[0, 1]), "rmse": float(np.sqrt((apart**2).mean())),
        "ubrmsd": float(apart.std()), "slope": float(np.polyfit(x, y, 1)[0]), "values": int(x.size),
    }  # fmt: skip


def finding(scores: pd.DataFrame) -> str:
    """What came out, in sentences."""
    words = []
    for reference in ("stations", "truth"):
        rows = [row for row in records(scores) if (row["days"], row["reference"]) == ("hidden", reference)]
        told = ", ".join(f"{row['method']} {row['ubrmsd']:.4f} ({row['r']:.3f})"
                         for row in sorted(rows, key=lambda row: float(row["ubrmsd"])))  # fmt: skip
        words.append(f"Hidden days against the {reference}: {told}.")
    return "ubRMSD in m3 m-3 and R of all values, best first. " + " ".join(words)


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:4]]
    main(given[0], given[1], given[2], COMMAND, float(sys.argv[4]) if len(sys.argv) > 4 else np.inf, Progress("plain"))
