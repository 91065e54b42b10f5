"""How programs start and end."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path("workflow_scripts").resolve()

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
    environment = os.environ | {"PYTHONPATH": str(PROGRAMS)}
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


HEAVY = {
    "diffusers",
    "faiss",
    "llama_cpp",
    "matplotlib",
    "openai",
    "pandas",
    "scipy",
    "torch",
    "torch._dynamo",
    "transformers",
}
TABLES = {"pandas", "scipy"}
IMPORTED = {
    "compare_methods": TABLES,
    "extract_features": {"torch"},
    "fit_baselines": {"torch", *TABLES},
    "latex_tables": TABLES,
    "score_images": {"torch"},
    "summarize": {"pandas"},
    "train_downstream": {"torch"},
    "train_guide_classifier": {"torch"},
    "verify_results": {"torch", "pandas"},
    "write_report": TABLES,
}
"""The packages of `HEAVY` that the imports of a program load; of other programs, they load none."""
WITH_DIFFUSION = {
    "describe_reruns",
    "draw_noise_ladder",
    "find_noise_ceilings",
    "generate_images",
    "learn_embeddings",
    "preflight",
}


@pytest.mark.parametrize("program", sorted({path.stem for path in PROGRAMS.glob("*.py")} - WITH_DIFFUSION))
def test_programs_import_what_they_use(program: str) -> None:
    """torch takes 1.2 s to import, its compiler 1 s, transformers' and diffusers' models 3 s; a run has many jobs."""
    tree = ast.parse((PROGRAMS / f"{program}.py").read_text("utf-8"))
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    code = "\n".join([*imports, "import sys", "print(*sys.modules)"])
    environment = os.environ | {"PYTHONPATH": str(PROGRAMS)}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert HEAVY.intersection(result.stdout.split()) == IMPORTED.get(program, set())


def test_what_a_program_imports_is_not_searched_for_garbage() -> None:
    """By default, Python searches all that was imported twice during the import of torch, and 5 times of diffusers."""
    code = (
        "import gc; from diagen.runtime.program import run\n"
        "def main():\n"
        "    before = gc.get_stats()\n"
        "    import torch\n"
        "    print(*(now['collections'] - then['collections'] for now, then in zip(gc.get_stats(), before)))\n"
        "run(main)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PROGRAMS)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    youngest, _, all_objects = map(int, result.stdout.split())
    assert youngest > 100 and all_objects == 0
