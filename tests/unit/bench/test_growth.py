"""Growth of costs: fitted exponents, the store that is measured, and the published table."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import growth, growth_stages
from bench.growth import RESULTS, Growth, Operation, fitted_exponent, measure, peak_mb, plot, table
from bench.growth_store import write_experiment
from diagen.export.image_folder import OUR_NAMES
from diagen.store.unneeded import find_unneeded
from diagen.store.verification import verify_results

PAGE = Path(__file__).parents[3] / "docs" / "growth.md"


@given(st.floats(0, 3), st.floats(1e-6, 1e3), st.integers(1, 1000))
def test_the_exponent_of_a_power_is_found(exponent: float, factor: float, start: int) -> None:
    sizes = [start, 2 * start, 5 * start, 10 * start]
    assert fitted_exponent(sizes, [factor * size**exponent for size in sizes]) == pytest.approx(exponent, abs=1e-6)


def grow_with(exponent: float) -> Callable[[int, Path], Callable[[], object]]:
    """Let the process's clock advance by a power of the size."""

    def prepare(size: int, _: Path) -> Callable[[], object]:
        return lambda: CLOCK.__setitem__(0, CLOCK[0] + 1e-3 * size**exponent)

    return prepare


CLOCK = [0.0]


@pytest.mark.parametrize(("exponent", "is_too_fast"), [(0.3, False), (1, False), (1.1, False), (1.3, True), (2, True)])
def test_an_operation_that_grows_faster_than_its_work_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exponent: float, is_too_fast: bool
) -> None:
    monkeypatch.setattr(time, "process_time", lambda: CLOCK[0])
    found = measure(Operation("images", "sorting", 1, (100, 200, 500, 1000), grow_with(exponent)), tmp_path)
    assert found.exponent == pytest.approx(exponent, abs=0.01)
    assert found.is_too_fast is is_too_fast and found.peak_mb is None


def test_the_program_fails_if_a_stage_grows_too_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "process_time", lambda: CLOCK[0])
    stages = [Operation("images", name, 1, (10, 100), grow_with(power)) for name, power in (("fine", 1), ("slow", 2))]
    monkeypatch.setattr(growth_stages, "operations", lambda _: stages)
    output, figure = tmp_path / "growth.json", tmp_path / "growth.svg"
    monkeypatch.setattr("sys.argv", ["growth", "--output", str(output), "--figure", str(figure)])
    with pytest.raises(SystemExit, match=r"grow faster than their work: slow over images: 2\.00 > 1$"):
        growth.main()
    assert "| images | fine | 10 to 100 | 0.01 to 0.1 | 1.00 | 1 |  |" in capsys.readouterr().out
    assert [each["name"] for each in json.loads(output.read_text())] == ["fine", "slow"]
    assert figure.read_text().rstrip().endswith("</svg>")


def test_the_peak_of_a_call_is_measured() -> None:
    assert peak_mb(lambda: np.zeros(10**8, np.uint8)) == pytest.approx(100, abs=5)


def test_the_experiment_is_one_of_the_workflow(tmp_path: Path) -> None:
    """It verifies, all of it is needed, and each image is a file of its own."""
    experiment = write_experiment(tmp_path, 160)
    assert list(verify_results(experiment.results, experiment.store)) == []
    assert find_unneeded(experiment.results.parent, experiment.store).removable() == []
    assert len({row.sha256 for row in experiment.manifest}) == len(list(experiment.store.rglob("*.png"))) == 160
    (experiment.synthetic / "manifest.csv").unlink()
    (experiment.synthetic / "plan.csv").unlink()
    assert len(find_unneeded(experiment.results.parent, experiment.store).images) == 160


def test_every_operation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_stages, "STORE_SIZES", (80, 160))
    found = growth_stages.operations(tmp_path / "shared")
    assert len({(each.axis, each.name) for each in found}) == len(found)
    for operation in found:
        place = tmp_path / operation.axis / operation.name
        place.mkdir(parents=True)
        call = operation.prepare(operation.sizes[0] if operation.axis != "points" else 50, place)
        call()
        call()
    exported = tmp_path / "images in the store" / "export" / "0" / "images"
    files = [path.relative_to(exported).as_posix() for path in exported.rglob("*.png")]
    assert len(files) == 88 and all(map(OUR_NAMES.fullmatch, files))


def test_the_page_shows_the_measurements() -> None:
    growths = [Growth(**each) for each in json.loads(RESULTS.read_text("utf-8"))]
    assert table(growths) in PAGE.read_text("utf-8")
    assert not [each.name for each in growths if each.is_too_fast]
    assert {each.axis for each in growths} == {"classes", "shots", "images", "views", "points", "images in the store"}
    for each in growths:
        assert each.sizes[-1] >= 9.9 * each.sizes[0], "over a decade"
        assert each.exponent == pytest.approx(fitted_exponent(each.sizes, each.seconds), abs=0.02)
    assert len(plot(growths).axes) == 6
