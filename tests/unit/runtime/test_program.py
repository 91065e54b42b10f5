"""How programs end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

SLOW = """
import time
from diagen.runtime.program import run

def main():
    try:
        print("started", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)

run(main)
"""


def test_ctrl_c_ends_a_program_without_a_traceback() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path("workflow_scripts").resolve())}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SLOW], env=environment, **pipes) as program:
        assert program.stdout and program.stdout.readline() == "started\n"
        program.send_signal(signal.SIGINT)
        output, errors = program.communicate(timeout=30)
    assert program.returncode == 130
    assert (output, errors) == ("cleaned up\n", "")
