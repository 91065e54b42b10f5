"""The training loop: a stopped and resumed run ends with the same weights as an uninterrupted one."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from demo.training import loop


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int | None) -> dict[str, Tensor]:
    """The averaged weights after 12 steps, with one interruption at step `stop_at`."""
    monkeypatch.setattr(loop, "BUILD", folder)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", -1.0)
    attempts = [stop_at, None] if stop_at is not None else [None]
    for stop in attempts:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Linear(8, 2))

        def loss_of_step(step: int, model: nn.Module = model, stop: int | None = stop) -> Tensor:
            if step == stop:
                raise KeyboardInterrupt
            inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
            return (model(inputs) - inputs[:, :2]).square().mean()

        try:
            loop.train("toy", model, loss_of_step, steps=12, learning_rate=1e-2, weight_decay=0.1)
        except KeyboardInterrupt:
            assert stop is not None
    return model.state_dict()


@pytest.mark.parametrize("stop_at", [1, 7, 11])
def test_resumed_training_gives_the_same_bits(stop_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(tmp_path / "whole", monkeypatch, None)
    resumed = trained(tmp_path / "resumed", monkeypatch, stop_at)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_complete_training_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = trained(tmp_path, monkeypatch, None)
    again = trained(tmp_path, monkeypatch, 0)
    assert all(torch.equal(weights[key], again[key]) for key in weights)


def test_tied_weights_survive_a_checkpoint(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    optimizer = torch.optim.AdamW(model.parameters())
    average = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    expected = model[0].weight.detach().clone()
    loop.save_checkpoint(tmp_path / "tied.safetensors", model, optimizer, average, 5)
    with torch.no_grad():
        model[0].weight.zero_()
    assert loop.load_checkpoint(tmp_path / "tied.safetensors", model, optimizer, average) == 5
    assert torch.equal(model[1].weight, expected)


def test_learning_rate_rises_then_falls() -> None:
    factors = [loop.learning_rate_factor(step, 200) for step in range(200)]
    peak = factors.index(max(factors))
    assert 18 <= peak <= 20 and factors[:peak] == sorted(factors[:peak])
    assert factors[peak:] == sorted(factors[peak:], reverse=True) and factors[-1] == pytest.approx(0.01)


def test_average_follows_weights_and_copies_counters() -> None:
    model = nn.BatchNorm1d(2)
    average = {key: torch.zeros_like(tensor) for key, tensor in model.state_dict().items()}
    model.num_batches_tracked.fill_(3)
    loop.update_average(average, model, 0.9)
    assert torch.allclose(average["weight"], torch.full((2,), 0.1))
    assert average["num_batches_tracked"] == 3


def test_metrics_are_written_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "BUILD", tmp_path)
    loop.write_metrics("toy", {"share": 0.5})
    assert json.loads(loop.metrics_path("toy").read_text()) == {"share": 0.5}
