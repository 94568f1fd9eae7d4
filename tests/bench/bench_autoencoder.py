"""TsSMNet in the size of the paper, 45 features of which four change with the day: a year of cells, one thread.

Ours takes what depends on the cell alone out of the loop over days, and has the normalisation in its weights; the rival
runs the same network on whole rows at its best batch size. The matrix product has as many multiplications as ours.
"""

import pytest
import torch

from vadose.producer.methods.autoencoder import RowShape, initialised
from vadose.producer.methods.rowmodel import CELLS_AT_ONCE, DAYS_AT_ONCE
from vadose.producer.parallel import one_thread

SHAPES = {
    "TsSMNet": RowShape(4, 41, (32, 64), (256, 128, 64, 32)),
    "ResAutoNet": RowShape(4, 41, None, (256, 128, 64, 32)),
}
DAYS = 45 * DAYS_AT_ONCE
BATCHES = (128, 512, 2048, 8192)
ROWS = 8192


def multiplications(shape: RowShape) -> int:
    """Multiplications of a row in our form, without what is done once a cell."""
    chain = sum(a * b for a, b in zip(shape.widths, shape.widths[1:], strict=False)) * 2
    if shape.channels is None:
        return shape.daily * shape.widths[0] + chain + shape.widths[0] * shape.features
    first, second = shape.channels[0] + 2, shape.channels[1]
    places = shape.daily + 4
    return (shape.daily + 4) * places * first + 3 * places * first * second + places * second * shape.widths[0] + chain


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("role", ["ours", "matrix product", *(f"eager PyTorch, batch {batch}" for batch in BATCHES)])
def bench_autoencoder(benchmark, name: str, role: str) -> None:
    """Rows a second."""
    shape = SHAPES[name]
    network = initialised(shape, 0).eval()
    benchmark.group = f"prediction of {name}"
    with one_thread(), torch.inference_mode():
        folded = network.folded()
        daily, static = torch.randn(DAYS, CELLS_AT_ONCE, shape.daily), torch.randn(CELLS_AT_ONCE, shape.static)
        whole = torch.randn(ROWS, shape.features)
        inner = 512
        left, right = torch.randn(ROWS, inner), torch.randn(inner, multiplications(shape) // inner)

        def ours() -> None:
            with torch.inference_mode():
                parts = folded.cells(static)
                for tile in daily.split(DAYS_AT_ONCE):
                    folded.rows(tile, parts)

        def eager() -> None:
            with torch.inference_mode():
                for rows in whole.split(int(role.rsplit(" ", 1)[1])):
                    network(rows)

        function = {"ours": ours, "matrix product": lambda: left @ right}.get(role, eager)
        work = DAYS * CELLS_AT_ONCE if role == "ours" else ROWS
        benchmark.extra_info.update({"role": role, "work": work, "unit": "cell-days of one member"})
        benchmark.pedantic(function, rounds=5, iterations=1, warmup_rounds=1)
