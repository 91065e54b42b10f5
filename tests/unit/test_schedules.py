"""Schedules: they start at the timestep of the strength, and equal those of diffusers where their steps divide 1000."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionImg2ImgPipeline
from hypothesis import given
from hypothesis import strategies as st

from diagen.config.relations import is_attainable
from diagen.preflight.estimate import unet_evaluations
from diagen.schedules import kept_steps

STRENGTHS = sorted({*(number / 100 for number in range(1, 101)), 0.001, 0.005, 0.995, 0.999, 0.9999})


def scheduler_of(steps: int, **changes: int) -> PNDMScheduler:
    shape = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    scheduler = PNDMScheduler(skip_prk_steps=True, timestep_spacing="leading", **(shape | changes))
    scheduler.set_timesteps(steps)
    return scheduler


def kept_timesteps(scheduler: PNDMScheduler, steps: int, strength: float) -> torch.Tensor:
    kept = kept_steps(steps, strength, scheduler.config.num_train_timesteps)
    return scheduler.timesteps[steps - kept :]


def denoise(scheduler: PNDMScheduler, timesteps: torch.Tensor) -> torch.Tensor:
    """Run all steps on one value, with a network that predicts 0.5."""
    value = scheduler.add_noise(torch.ones(1), torch.ones(1), timesteps[:1])
    for timestep in timesteps:
        value = scheduler.step(torch.full((1,), 0.5), timestep, value).prev_sample
    return value


def test_every_attainable_schedule_starts_at_the_timestep_of_its_strength() -> None:
    """For all 1000 numbers of steps: the largest timestep that is not above the wanted one, unless at the end."""
    attained = 0
    for steps in range(1, 1001):
        scheduler = scheduler_of(steps)
        spacing = 1000 // steps
        for strength in STRENGTHS:
            if not is_attainable(steps, strength):
                continue
            attained += 1
            timesteps = kept_timesteps(scheduler, steps, strength)
            assert len(timesteps) == unet_evaluations(steps, strength)
            assert timesteps.max() < 1000
            behind = 1000 * strength - (int(timesteps[0]) - 1)
            at_the_end = kept_steps(steps, strength) >= steps - 1
            assert -1e-9 <= behind < spacing * (2 if at_the_end else 1) + 1e-9, (steps, strength)
    assert attained > 50_000


def test_no_attainable_schedule_leaves_the_noise_schedule() -> None:
    for steps in (*range(1, 60), 100, 333, 334, 500, 501, 998, 999, 1000):
        for strength in (0.02, 0.5, 0.7, 0.98, 0.997, 0.998, 0.999, 1.0):
            if is_attainable(steps, strength):
                scheduler = scheduler_of(steps)
                assert denoise(scheduler, kept_timesteps(scheduler, steps, strength)).isfinite().all()


@pytest.mark.parametrize("steps", [steps for steps in range(1, 1001) if 1000 % steps == 0])
def test_steps_that_divide_1000_are_those_of_diffusers(steps: int) -> None:
    scheduler = scheduler_of(steps)
    pipeline = SimpleNamespace(scheduler=scheduler)
    for strength in STRENGTHS:
        expected, count = StableDiffusionImg2ImgPipeline.get_timesteps(pipeline, steps, strength, None)
        assert kept_steps(steps, strength) == count
        if count:
            assert torch.equal(kept_timesteps(scheduler, steps, strength), expected)
        refused = not is_attainable(steps, strength)
        assert refused == (count == 0 or (steps == 1000 and strength >= 0.999))


def test_the_paper_s_schedule_has_36_evaluations() -> None:
    assert unet_evaluations(50, 0.7) == 36 and unet_evaluations(50, 0.5) == 26


@pytest.mark.parametrize(("steps", "start"), [(300, 700), (400, 701), (60, 689), (1000, 701), (30, 694)])
def test_steps_that_do_not_divide_1000_start_at_the_strength(steps: int, start: int) -> None:
    assert kept_timesteps(scheduler_of(steps), steps, 0.7)[0] == start


@pytest.mark.parametrize(
    ("steps", "strength"), [(600, 0.7), (501, 0.7), (300, 1.0), (1000, 1.0), (1000, 0.999), (50, 0.01), (1, 0.9)]
)
def test_what_a_schedule_does_not_reach_is_not_attainable(steps: int, strength: float) -> None:
    assert not is_attainable(steps, strength)


@given(trained=st.integers(1, 4000), data=st.data())
def test_other_noise_schedules(trained: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, min(trained, 1000)))
    strength = data.draw(st.floats(1e-3, 1.0))
    if is_attainable(steps, strength, trained):
        scheduler = scheduler_of(steps, num_train_timesteps=trained)
        timesteps = kept_timesteps(scheduler, steps, strength)
        assert len(timesteps) == kept_steps(steps, strength, trained) + (steps > 1)
        assert timesteps.max() < max(trained, 2)
        behind = strength * trained - (int(timesteps[0]) - 1)
        assert -1e-6 <= behind < 2 * (trained // steps) + 1e-6
        assert np.all(np.diff(timesteps.numpy()) <= 0)
