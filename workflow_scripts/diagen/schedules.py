"""How many steps of the PNDM schedule img2img runs at a strength (section 3; SDEdit, arXiv 2108.01073). Free of torch.

A schedule of S steps over T timesteps has the timesteps 0, s, 2s, ..., (S - 1) s with the spacing s = T // S. If S does
not divide T, it may end a whole step or more below T: at 599 with 600 steps of 1000.
"""

TRAINED_TIMESTEPS = 1000
"""Timesteps T of the noise schedule that Stable Diffusion was trained with."""


def kept_steps(steps: int, strength: float, trained: int = TRAINED_TIMESTEPS) -> int:
    """The number of last steps to run so that they start at the timestep `strength` x `trained`.

    Timesteps between two steps are rounded down. The number is larger than `steps` if the schedule ends below this
    timestep. For `steps` that divide `trained` it is that of diffusers' img2img pipeline, int(`steps` x `strength`).
    `steps` is in 1..`trained`, `strength` in (0, 1].
    """
    return int(trained / (trained // steps) * strength)
