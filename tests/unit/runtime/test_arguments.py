"""Numbers on the command line are checked before anything runs."""

import argparse

import pytest

from diagen.runtime.arguments import add_execution_arguments


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many"])
def test_counts_are_positive(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_execution_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--micro-batch", value])
    assert "--micro-batch: " in capsys.readouterr().err
    assert parser.parse_args(["--micro-batch", "4", "--torch-threads", "1"]).micro_batch == 4
