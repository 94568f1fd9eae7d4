"""A training that is killed goes on from its checkpoint and ends with the same bytes."""

from pathlib import Path

import pytest
import torch

from vadose.common import silent
from vadose.producer.cube import Cube
from vadose.producer.methods.network import Shape, initialised
from vadose.producer.methods.recurrent import tuning_error
from vadose.producer.recipe import Predictors
from vadose.producer.training import optimiser
from vadose.producer.training.dataset import TrainingSet, training_set
from vadose.producer.training.loop import LoopSettings, train
from vadose.producer.training.splits import make_folds

PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay",))
SETTINGS = LoopSettings(steps=40, batch=8, window_days=30, spin_up_days=5, check_every=10, precision="float32")


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def data(rainy_cube: Cube) -> TrainingSet:
    return training_set(rainy_cube, PREDICTORS, "smap_sm_am", make_folds("P1", rainy_cube, "smap_sm_am")[0])


def fit(data: TrainingSet, settings: LoopSettings, checkpoint: Path | None, fingerprint: str = "a", score=None):
    network = initialised(Shape(data.daily.shape[2], data.static.shape[1], 8, 1, 3), seed=1)
    run = train(network, data, settings, seed=1, fingerprint=fingerprint, score=score, checkpoint=checkpoint,
                progress=silent, label="test")  # fmt: skip
    return run, [parameter.detach().clone() for parameter in network.parameters()]


@pytest.mark.parametrize("patience", [None, 50])
@pytest.mark.parametrize("killed_at", [3, 17, 25, 39])
def test_killed_training_resumes_to_the_same_bytes(
    data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int, patience: int | None
) -> None:
    settings = SETTINGS.model_copy(update={"patience": patience})
    score = None if patience is None else lambda network: tuning_error(network, data, 5)
    whole, expected = fit(data, settings, None, score=score)
    checkpoint, step = tmp_path / "c.safetensors", optimiser._one_step

    def dying(run, *rest):
        if run.step == killed_at:
            raise Killed
        return step(run, *rest)

    monkeypatch.setattr(optimiser, "_one_step", dying)
    with pytest.raises(Killed):
        fit(data, settings, checkpoint, score=score)
    monkeypatch.setattr(optimiser, "_one_step", step)
    resumed, weights = fit(data, settings, checkpoint, score=score)
    assert all(torch.equal(a, b) for a, b in zip(weights, expected, strict=True))
    assert resumed.losses == whole.losses
    assert resumed.checks == whole.checks


def test_checkpoint_of_other_inputs_is_left_alone(data: TrainingSet, tmp_path: Path) -> None:
    checkpoint = tmp_path / "c.safetensors"
    fit(data, SETTINGS.model_copy(update={"steps": 10}), checkpoint, fingerprint="other")
    assert checkpoint.is_file()
    run, weights = fit(data, SETTINGS, checkpoint)
    assert [step for step, _ in run.losses] == [10, 20, 30, 40]
    assert all(torch.equal(a, b) for a, b in zip(weights, fit(data, SETTINGS, None)[1], strict=True))


def test_training_stops_when_the_inner_split_gains_nothing_and_keeps_the_best(data: TrainingSet) -> None:
    errors = iter([3.0, 1.0, 2.0, 2.0])
    seen = []

    def score(network) -> float:
        seen.append([parameter.detach().clone() for parameter in network.parameters()])
        return next(errors)

    run, weights = fit(data, SETTINGS.model_copy(update={"patience": 2}), None, score=score)
    assert run.step == 40
    assert all(torch.equal(a, b) for a, b in zip(weights, seen[1], strict=True))


def test_learning_rate_goes_up_and_then_down_to_almost_nothing(data: TrainingSet) -> None:
    run, _ = fit(data, SETTINGS, None)
    rates = []
    for step in range(SETTINGS.steps):
        run.step = step
        optimiser._schedule(run, SETTINGS)
        rates.append(run.optimizer.param_groups[0]["lr"])
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[0] == pytest.approx(SETTINGS.learning_rate / 25, rel=1e-6)
    assert rates[-1] < 1e-5 * SETTINGS.learning_rate
