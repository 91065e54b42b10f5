# What Snakemake prints last: the report of preflight, or how to continue an interrupted run.

import signal

from diagen.preflight.report import READY

INTERRUPTS = []


def remember_interrupt(number, frame):
    """Let Ctrl-C end the run as usual; Snakemake does not pass on why a run ended."""
    INTERRUPTS.append(number)
    signal.default_int_handler(number, frame)


def watch_interrupts():
    """Remember Ctrl-C from now on, unless the run ignores it, as in the background of a script."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, remember_interrupt)


def print_preflight():
    """Print the report of preflight, which is a success for Snakemake, and exit with status 1 if it found problems.

    For a failed job Snakemake would print the report in the middle, between its command and its traceback.
    """
    logs = [job.log[0] for job in workflow.dag.jobs if job.rule.name == "preflight"]
    if not logs:
        return
    text = Path(logs[0]).read_text("utf-8")
    print(text, end="", flush=True)
    if not text.rstrip().endswith(READY):
        sys.exit(1)


onsuccess:
    print_preflight()


onerror:
    if INTERRUPTS:
        logger.error("Interrupted. Finished work is kept: to continue, run the same command again.")
