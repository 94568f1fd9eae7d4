"""Any network is trained by one optimiser: buffers are part of a checkpoint, draws come from the step alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vadose.common import InputError
from vadose.producer.training import optimiser
from vadose.producer.training.optimiser import OptimiserSettings, optimise

SETTINGS = OptimiserSettings(steps=60, learning_rate=0.05, weight_decay=0.0, average=0.9, check_every=15)
TRUE_WEIGHTS = torch.tensor([[1.0], [-2.0], [0.5]])


class Killed(Exception):
    """Stands for the end of the process."""


def normalised_line() -> nn.Module:
    """A linear model behind a batch normalisation, whose running moments are buffers."""
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Linear(3, 1))


def loss_of(network: nn.Module, die_after: int | None = None):
    calls = 0

    def loss_of_step(generator: np.random.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == die_after:
            raise Killed
        values = torch.from_numpy(generator.normal(2.0, 3.0, (32, 3)).astype(np.float32))
        return ((network(values) - values @ TRUE_WEIGHTS) ** 2).mean()

    return loss_of_step


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_optimiser_finds_the_weights_of_a_line() -> None:
    network = nn.Linear(3, 1)
    optimise(network, loss_of(network), SETTINGS.model_copy(update={"steps": 600}), seed=1, fingerprint="a")
    torch.testing.assert_close(network.weight.detach(), TRUE_WEIGHTS.T, atol=0.01, rtol=0)


@pytest.mark.parametrize("die_after", [20, 31, 59])
def test_killed_training_with_batch_normalisation_ends_with_the_same_bytes(tmp_path: Path, die_after: int) -> None:
    whole, checkpoint = normalised_line(), tmp_path / "c.safetensors"
    optimise(whole, loss_of(whole), SETTINGS, seed=1, fingerprint="a")
    dying, again = normalised_line(), normalised_line()
    with pytest.raises(Killed):
        optimise(dying, loss_of(dying, die_after), SETTINGS, seed=1, fingerprint="a", checkpoint=checkpoint)
    optimise(again, loss_of(again), SETTINGS, seed=1, fingerprint="a", checkpoint=checkpoint)
    assert all(torch.equal(value, state(again)[name]) for name, value in state(whole).items())


def test_network_learns_in_training_mode_and_is_scored_in_evaluation_mode() -> None:
    network, seen = normalised_line(), []

    def loss(generator: np.random.Generator) -> Tensor:
        seen.append(("loss", network.training))
        return loss_of(network)(generator)

    def score(scored: nn.Module) -> float:
        seen.append(("score", scored.training))
        return 1.0

    optimise(network, loss, SETTINGS, seed=1, fingerprint="a", score=score)
    assert set(seen) == {("loss", True), ("score", False)}
    assert not network.training


def test_another_seed_draws_other_batches() -> None:
    first, second = normalised_line(), normalised_line()
    for seed, network in enumerate((first, second)):
        optimise(network, loss_of(network), SETTINGS, seed=seed, fingerprint="a")
    assert not torch.equal(first[1].weight, second[1].weight)  # type: ignore[index]


def test_damaged_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(b"no checkpoint")
    run = optimiser.Run(normalised_line(), torch.optim.AdamW(normalised_line().parameters()))
    with pytest.raises(InputError, match="remove it and train again"):
        optimiser.restore(run, path, "a")
