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
    # Shells let background jobs ignore Ctrl-C, and programs inherit that.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        program = subprocess.Popen([sys.executable, "-c", SLOW], env=environment, **pipes)
    finally:
        signal.signal(signal.SIGINT, handler)
    with program:
        assert program.stdout and program.stdout.readline() == "started\n"
        program.send_signal(signal.SIGINT)
        output, errors = program.communicate(timeout=30)
    assert program.returncode == 130
    assert (output, errors) == ("cleaned up\n", "")
