"""Samples with simulated gaps, losses, and a training that can be stopped."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vadose.common import InputError, silent
from vadose.producer.fusion.frames import NO_OBSERVATION, Reach, make_frame, scaled
from vadose.producer.fusion.lattice import Lattice
from vadose.producer.fusion.losses import masked_l1, texture_loss
from vadose.producer.fusion.networks import Networks, Sizes
from vadose.producer.fusion.samples import Fields, Sampler
from vadose.producer.fusion.spread import CLASSES, Errors, class_of, fit_spread
from vadose.producer.fusion.training import GanSettings, Run, _optimizers, fuse, restore, train, with_background
from vadose.producer.grids import Grid

REACH = Reach(4)


def sampler(days: int = 60, seed: int = 0, reach: Reach = REACH) -> Sampler:
    rng = np.random.default_rng(seed)
    index = np.arange(12 * 12)[rng.random(144) < 0.9]
    lattice = Lattice.of_cube(SimpleNamespace(grid=Grid("0P25DEG", 0, 12, 0, 12), index=index))  # type: ignore[arg-type]
    background = rng.uniform(0.1, 0.4, (days, index.size)).astype("f4")
    seen = background + rng.normal(0, 0.03, background.shape).astype("f4")
    # Swaths: a third of the columns is not seen, another one each day.
    seen[(lattice.column[None] // 4 + np.arange(days)[:, None]) % 3 == 0] = np.nan
    return Sampler(Fields(seen, background), lattice, reach, 12, 12)


def networks(made: Sampler, seed: int = 0) -> Networks:
    return Networks(made.reach.channels, Sizes(4, 1, 1, 4), made.windows[0].shape, seed)


def trained(made: Sampler, checkpoint: Path | None = None, fingerprint: str = "a", **settings: object) -> Run:
    chosen = GanSettings.model_validate({"steps": 8, "batch": 2, "check_every": 3, "average": 0.5, **settings})
    return train(networks(made), made, chosen, seed=5, fingerprint=fingerprint, checkpoint=checkpoint,
                 progress=silent, label="train")  # fmt: skip


def test_untrained_generator_gives_the_matched_continuous_field() -> None:
    made = sampler()
    sample = made.draw(np.random.default_rng(0), 3)
    channels = torch.from_numpy(sample.channels)
    np.testing.assert_array_equal(fuse(networks(made).forward_generator, channels).detach(), channels[:, 0])


def test_sample_shows_what_the_swath_of_another_day_saw_and_hides_the_rest() -> None:
    made = sampler()
    sample = made.draw(np.random.default_rng(1), 40)
    for k in range(40):
        cells, there = sample.cell[k][sample.cell[k] >= 0], sample.cell[k] >= 0
        observed = np.isfinite(made.fields.seen[sample.day[k], cells])
        hidden, shown = sample.hidden[k][there] > 0, sample.shown[k][there] > 0
        np.testing.assert_array_equal(hidden ^ shown, observed)
        np.testing.assert_array_equal(sample.channels[k, -1][there] > 0, shown)
        truth = made.fields.seen[sample.day[k], cells][observed]
        np.testing.assert_allclose(sample.target[k][there][observed], scaled(truth), atol=1e-6)
        assert not (sample.hidden[k] * (sample.age[k] == 0)).any()
    assert 0.2 < sample.hidden.sum() / (sample.hidden + sample.shown).sum() < 0.9
    assert (sample.age[sample.cell >= 0] == NO_OBSERVATION).any()


def test_without_the_day_itself_every_observation_of_it_is_hidden() -> None:
    sample = sampler(reach=Reach(4, same_day=False)).draw(np.random.default_rng(1), 5)
    assert not sample.shown.any()
    assert sample.hidden.any()


def test_another_continuous_field_changes_the_frame_as_if_it_were_made_with_it() -> None:
    made = sampler()
    seen, background = made.fields.window(20, 4, np.arange(100))
    other = background.copy()
    other[4] += 0.05
    first, second = (make_frame(seen, field, REACH).channels[:, None, :] for field in (background, other))
    moved = with_background(torch.from_numpy(first)[None], torch.from_numpy(second[0])[None], REACH)[0]
    # The field of the day stands in for that of a missing neighbour, which the mask takes out of the cycle.
    for channel in (0, 1, 2, 4, 5, 6, 8, 9, 10, 11):
        np.testing.assert_allclose(moved[channel], second[channel], atol=1e-5)


def test_losses_ignore_what_has_no_weight() -> None:
    fused, background = torch.zeros(1, 3, 3), torch.arange(9.0).reshape(1, 3, 3)
    where = torch.ones(1, 3, 3)
    assert float(masked_l1(fused, background, where * (background == 4))) == 4.0
    assert float(texture_loss(fused, background, where)) == pytest.approx(1.0 + 3.0)
    where[0, :, 2] = where[0, 2] = 0
    background[0, 2, 2] = 99.0
    assert float(texture_loss(fused, background, where)) == pytest.approx(1.0 + 3.0)


def test_stopped_training_ends_with_the_same_bytes(tmp_path: Path) -> None:
    made, path = sampler(), tmp_path / "checkpoint.safetensors"
    whole = trained(made)

    class Stop(Exception):
        pass

    class Interrupted(Sampler):
        def draw(self, generator, count):
            if generator.bit_generator.state["state"]["key"][1] == 5:
                raise Stop
            return super().draw(generator, count)

    broken = Interrupted(made.fields, made.lattice, made.reach, made.size, made.stride)
    with pytest.raises(Stop):
        trained(broken, path)
    resumed = trained(made, path)
    assert resumed.losses[-1] == whole.losses[-1]
    for first, second in zip(whole.networks.state_dict().values(), resumed.networks.state_dict().values(), strict=True):
        assert torch.equal(first, second)


def test_checkpoint_holds_both_optimizers_and_is_not_taken_for_another_recipe(tmp_path: Path) -> None:
    made, path = sampler(), tmp_path / "checkpoint.safetensors"
    trained(made, path)
    run = Run(networks(made), _optimizers(networks(made), GanSettings()))
    restore(run, path, "another recipe")
    assert run.step == 0
    restore(run, path, "a")
    assert run.step == 8
    states = {name: optimizer.state_dict()["state"] for name, optimizer in run.optimizers.items()}
    assert all(state and float(state[0]["step"]) == 8 for state in states.values())
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="remove it and train again"):
        restore(run, path, "a")


def test_ablations_leave_their_networks_untouched() -> None:
    made = sampler()
    fresh = networks(made).state_dict()
    plain = trained(made, adversarial=False, cycle=False).networks.state_dict()
    for part in ("backward_generator", "discriminator"):
        names = [name for name in fresh if name.startswith(part)]
        assert names
        assert all(torch.equal(fresh[name], plain[name]) for name in names)
    whole = trained(made).networks.state_dict()
    for part in ("forward_generator.tail.weight", "backward_generator.tail.weight"):
        assert not torch.equal(fresh[part], whole[part])


def test_discriminator_has_spectral_norm_one() -> None:
    run = trained(sampler(), steps=40)
    for layer in run.networks.discriminator.layers:
        if isinstance(layer, torch.nn.Conv2d) and layer.stride == (2, 2):
            largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
            assert float(largest) == pytest.approx(1.0, abs=0.1)


def test_spread_takes_held_out_errors_first_and_the_nearer_class_where_there_are_none() -> None:
    rng = np.random.default_rng(0)

    def errors(ages: list[int], sizes: list[float]) -> Errors:
        size = np.concatenate([np.abs(rng.normal(0, one, 4000)) for one in sizes])
        return Errors(size, np.repeat(np.array(ages, np.int8), 4000), np.zeros(size.size, np.int64))

    found = fit_spread(errors([1, 2], [0.02, 0.03]), errors([2, 5, NO_OBSERVATION], [0.09, 0.04, 0.05]))
    np.testing.assert_allclose(found.deviation, [0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05], rtol=0.05)
    ages = np.array([0, 1, 2, 3, 4, 5, 6, 8, NO_OBSERVATION], np.int8)
    assert class_of(ages).tolist() == [0, 1, 2, 3, 4, 4, 5, 5, 6]
    assert len(CLASSES) == len(found.deviation)
