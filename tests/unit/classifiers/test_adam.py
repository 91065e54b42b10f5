"""The optimizer of classifiers: the steps of torch's classes, also after a restore."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from diagen.classifiers.training_state import Adam

SCRIPTS = Path(__file__).resolve().parents[3] / "workflow_scripts"
SHAPES = ((3, 5), (3,))


@given(
    seed=st.integers(0, 2**31 - 1),
    decoupled=st.booleans(),
    learning_rate=st.floats(1e-5, 1.0),
    weight_decay=st.sampled_from([0.0, 0.01, 0.5]),
    restored=st.integers(1, 5),
)
def test_steps_are_those_of_torch_to_the_bit(
    seed: int, decoupled: bool, learning_rate: float, weight_decay: float, restored: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    start = [torch.randn(shape, generator=generator) for shape in SHAPES]
    ours, torchs = ([value.clone().requires_grad_() for value in start] for _ in range(2))
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    reference = kind(torchs, lr=learning_rate, weight_decay=weight_decay)
    optimizer = Adam(ours, learning_rate, weight_decay, decoupled=decoupled)
    for step in range(6):
        gradients = [torch.randn(shape, generator=generator) for shape in SHAPES]
        for parameters, stepper in ((ours, optimizer), (torchs, reference)):
            stepper.zero_grad()
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            stepper.step()
        assert all(torch.equal(one, other) for one, other in zip(ours, torchs, strict=True))
        if step == restored:
            kept = {name: value.clone() for name, value in optimizer.tensors().items()}
            optimizer = Adam(ours, learning_rate, weight_decay, decoupled=decoupled)
            optimizer.restore(kept)


def test_a_step_imports_no_compiler() -> None:
    code = """if True:
        import sys, torch
        from diagen.classifiers.training_state import Adam
        values = torch.ones(3, requires_grad=True)
        optimizer = Adam([values], 0.1, 0.0, decoupled=False)
        values.sum().backward()
        optimizer.step()
        sys.exit("torch._dynamo" in sys.modules)
    """
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
