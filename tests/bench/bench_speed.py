"""Speed as ratios to a rival in the same run; `ratios.py` turns the measured times into site/data/speed/speed.json.

Every benchmark belongs to a group of one `ours` and its rivals, and says how much work one call does.
"""

import datetime
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from vadose.common import silent
from vadose.producer.build import build
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block
from vadose.producer.methods.network import Shape, beta_nll, initialised
from vadose.producer.parallel import spread
from vadose.producer.recipe import Recipe
from vadose.producer.simulate import DEMO, world
from vadose.producer.training.dataset import TrainingSet
from vadose.producer.training.loop import LoopSettings, train

HIDDEN = 128
CHANNELS = (7, 14)
STRETCH = 64
BATCHES = (64, 128, 256, 512, 1024)
TRAIN_STEPS = 12


def measure(benchmark, group: str, role: str, work: float, unit: str, function, rounds: int = 3, setup=None) -> None:
    benchmark.group = group
    benchmark.extra_info.update({"role": role, "work": work, "unit": unit})
    benchmark.pedantic(function, setup=setup, rounds=rounds, iterations=1, warmup_rounds=1)


def matrices(cell_days: int, passes: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """One plain product with the multiplications of the gates of `cell_days`: (n, 2 H) times (2 H, 4 H)."""
    return torch.randn(cell_days, 2 * HIDDEN), torch.randn(2 * HIDDEN, 4 * HIDDEN), passes


@pytest.mark.parametrize("role", ["ours", "matrix product", *(f"eager PyTorch, batch {batch}" for batch in BATCHES)])
def bench_prediction(benchmark, cube: Cube, model, role: str) -> None:
    """Five members over a year: our path reads and encodes the cube, too; the rivals only multiply."""
    members, cells, days = 5, cube.index.size, 365
    group = "prediction"
    if role == "ours":
        block = Block(cube, slice(cube.days.size - days, cube.days.size), slice(0, cells))
        work = members * cells * (days + min(model.past_days, cube.days.size - days))
        measure(benchmark, group, role, work, "cell-days of one member", lambda: model.predict(block))
    elif role == "matrix product":
        left, right, _ = matrices(1 << 16, 1)
        measure(
            benchmark,
            group,
            role,
            left.shape[0] * 20,
            "cell-days of one member",
            lambda: [left @ right for _ in range(20)],
        )
    else:
        batch = int(role.rsplit(" ", 1)[1])
        network = model.members[0].network
        shape = network.shape
        daily, static = torch.randn(365, batch, shape.daily), torch.randn(batch, shape.static)
        repeat = max(1024 // batch, 1)

        def eager() -> None:
            with torch.inference_mode():
                for _ in range(repeat):
                    network(daily, static, network.start(batch))

        measure(benchmark, group, role, 365 * batch * repeat, "cell-days of one member", eager)


@pytest.mark.parametrize(
    "role", ["ours", "matrix product", *(f"eager PyTorch, batch {batch}" for batch in (64, 128, 256, 512))]
)
def bench_training(benchmark, model, role: str) -> None:
    """Steps of 90-day windows, forward and backward, two members at a time; eager PyTorch works in float32."""
    days, cells = 366, 512
    generator = np.random.default_rng(0)
    daily = generator.standard_normal((days, cells, CHANNELS[0])).astype(np.float32)
    static = generator.standard_normal((cells, CHANNELS[1])).astype(np.float32)
    target = generator.standard_normal((days, cells)).astype(np.float32)
    unit = "cell-days"
    if role == "ours":
        everywhere = np.ones((days, cells), bool)
        data = TrainingSet(
            model.encoder, np.arange(cells), 0, daily, static, target, everywhere, ~everywhere, center=0.0, scale=1.0
        )
        settings = LoopSettings(steps=TRAIN_STEPS, check_every=TRAIN_STEPS)

        def member(seed: int) -> None:
            network = initialised(Shape(*CHANNELS, HIDDEN), seed)
            train(
                network,
                data,
                settings,
                seed=seed,
                fingerprint="",
                score=None,
                checkpoint=None,
                progress=silent,
                label="",
            )

        measure(
            benchmark,
            "training",
            role,
            2 * TRAIN_STEPS * settings.batch * settings.window_days,
            unit,
            lambda: spread(member, [0, 1]),
        )
    elif role == "matrix product":
        left, right, _ = matrices(1 << 16, 3)
        # Backward takes two products of the same size beside the one of forward.
        measure(benchmark, "training", role, left.shape[0] * 5, unit, lambda: [left @ right for _ in range(15)])
    else:
        batch = int(role.rsplit(" ", 1)[1])
        network = initialised(Shape(*CHANNELS, HIDDEN), 0)
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        inputs = torch.from_numpy(daily[:90, :batch]), torch.from_numpy(static[:batch])
        wanted = torch.from_numpy(target[:90, :batch])
        steps = max(TRAIN_STEPS * 64 // batch, 2)

        def eager() -> None:
            for _ in range(steps):
                outputs, _ = network(*inputs, network.start(batch))
                loss = beta_nll(outputs, wanted, torch.ones_like(wanted))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()

        measure(benchmark, "training", role, steps * batch * 90, unit, eager)


@pytest.mark.parametrize("role", ["ours", "bare prediction"])
def bench_build(benchmark, recipe: Recipe, cube: Cube, model, model_directory: Path, tmp_path: Path, role: str) -> None:
    """Reading the cube, predicting, rounding and writing a year of granules, against predicting alone."""
    first = int((np.datetime64(recipe.product.days[0]) - cube.days[0]).astype(int))
    days = cube.days.size - first
    work, unit = days * cube.index.size, "cell-days"
    if role == "bare prediction":
        block = Block(cube, slice(first, cube.days.size), slice(0, cube.index.size))
        measure(benchmark, "build", role, work, unit, lambda: model.predict(block), rounds=2)
        return
    numbers = itertools.count()

    def fresh():
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return (recipe, cube, model, model_directory, tmp_path / "out" / f"v{next(numbers)}", 1 << 31, silent), {}

    measure(benchmark, "build", role, work, unit, build, rounds=2, setup=fresh)


@pytest.mark.parametrize("role", ["ours", "xarray to_netcdf"])
def bench_granule(
    benchmark, recipe: Recipe, cube: Cube, model, model_directory: Path, tmp_path: Path, role: str
) -> None:
    """The same fields of 64 x 64 cells, written by our writer and by xarray with zlib 4."""
    from vadose.producer.granules import Cells, GranuleWriter
    from vadose.producer.provenance import identity, provenance_texts

    day = np.datetime64(recipe.product.days[0])
    sm = np.random.default_rng(0).uniform(0.1, 0.4, cube.index.size).astype(np.float32)
    flag = np.zeros(cube.index.size, np.int16)
    origin = identity(recipe, provenance_texts(recipe, cube, model_directory))
    writer = GranuleWriter(recipe, origin)
    cells = Cells(cube.index, sm, sm / 10, flag)
    number = itertools.count()
    if role == "ours":
        measure(
            benchmark,
            "granule",
            role,
            1,
            "granules",
            lambda: writer.write(tmp_path / str(next(number)), day, cells),
            rounds=20,
        )
        return
    with xr.open_dataset(writer.write(tmp_path, day, cells)) as opened:
        dataset = opened.load()
    measure(
        benchmark,
        "granule",
        role,
        1,
        "granules",
        lambda: dataset.to_netcdf(tmp_path / f"x{next(number)}.nc"),
        rounds=20,
    )


def bench_simulation(benchmark) -> None:
    """A year of the demo's world in memory, on one core."""
    settings = DEMO.model_copy(update={"end": DEMO.start + datetime.timedelta(days=364)})
    work = float(np.prod(world(settings).soil_moisture.shape))
    measure(benchmark, "simulation", "ours", work, "cell-days", lambda: world(settings))
