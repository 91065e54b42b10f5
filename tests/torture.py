"""Kill a run of the tiny configuration by `kill -9` again and again, and see that nothing but a moment is lost.

Each time it is started again by the same command. In the end the results must be those of a run that nobody disturbed.
Rules and moments of the kills are drawn, the same for the same seed; each rule is hit while a job of it runs, as far as
there are kills enough: where a job was faster than its kill, it is forced to run once more. A fifth as many kills, on
top, end Snakemake alone and leave its jobs behind.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean

from PIL import Image

from demo.training.stand_ins import write_stand_ins
from diagen.files.atomic import TEMPORARY
from tests.workflow.project import CONFIG, Project, copy_project

COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", CONFIG]
GROUP, ALONE = "kill -9 of the whole process group", "kill -9 of Snakemake alone"
STARTED = re.compile(r"^(?:local)?rule (\w+):$")
JOB = re.compile(r"^    jobid: (\d+)$")
FINISHED = re.compile(r"^Finished jobid: (\d+) ")


@dataclass(frozen=True)
class Kill:
    """What to kill when a job of `rule` starts, after `fraction` of the time that such a job takes."""

    rule: str
    fault: str
    fraction: float


@dataclass
class Run:
    """One start of the command: when jobs started and finished (seconds since the command), and how it ended."""

    started: dict[str, tuple[str, float]] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    seconds: float = 0.0
    status: int = 0
    kill: Kill | None = None
    kill_job: str = ""
    killed_at: float = 0.0
    lines: list[str] = field(default_factory=list)

    @property
    def hit(self) -> bool:
        """Whether the kill fell into the job that it was meant for."""
        return self.status == -signal.SIGKILL and self.kill_job not in self.finished

    @property
    def lost(self) -> float:
        """Seconds that the jobs that were killed had worked."""
        return sum(self.killed_at - at for job, (_, at) in self.started.items() if job not in self.finished)

    @property
    def first_job(self) -> float:
        """Seconds until the first job was at work."""
        return min((at for _, at in self.started.values()), default=self.seconds)


def run(project: Project, waiting: dict[str, list[Kill]], durations: dict[str, float], *arguments: str) -> Run:
    """Run the command to its end, or until the first of the kills that wait for jobs of a rule to start.

    A kill that wasn't carried out waits again.
    """
    found, begin, rule = Run(), time.monotonic(), ""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen([*COMMAND, *arguments], cwd=project.folder, text=True, start_new_session=True, **streams)
    assert process.stdout is not None

    def strike(kill: Kill, job: str) -> None:
        with one_at_a_time:
            if found.kill is None and process.poll() is None:
                found.kill, found.kill_job, found.killed_at = kill, job, time.monotonic() - begin
                end = os.killpg if kill.fault == GROUP else os.kill
                end(process.pid, signal.SIGKILL)

    one_at_a_time = threading.Lock()
    aimed: dict[str, tuple[Kill, threading.Timer]] = {}  # by job; the first whose time has come is carried out
    try:
        for line in process.stdout:
            found.lines.append(line)
            now = time.monotonic() - begin
            if start := STARTED.match(line):
                rule = start[1]
            elif (job := JOB.match(line)) and rule != "all":
                found.started[job[1]] = (rule, now)
                if waiting.get(rule):
                    kill = waiting[rule].pop()
                    aimed[job[1]] = kill, threading.Timer(kill.fraction * durations[rule], strike, (kill, job[1]))
                    aimed[job[1]][1].start()
            elif end := FINISHED.match(line):
                found.finished.add(end[1])
                if end[1] in aimed:
                    aimed[end[1]][1].cancel()
    except BaseException:  # interrupted, and so is the run
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        for _, timer in aimed.values():
            timer.cancel()
    found.status = process.wait()
    found.seconds = time.monotonic() - begin
    for kill, _ in aimed.values():
        if kill is not found.kill:
            waiting[kill.rule].append(kill)
    return found


def plan_kills(count: int, durations: dict[str, float], draw: random.Random) -> dict[str, list[Kill]]:
    """Kills by rule: one for each as far as there are enough, the others where most time is spent."""
    rules = sorted(durations)
    chosen = rules if count >= len(rules) else draw.sample(rules, count)
    weights = [durations[rule] for rule in rules]
    faults = [(rule, GROUP) for rule in [*chosen, *draw.choices(rules, weights, k=count - len(chosen))]]
    faults += [(rule, ALONE) for rule in draw.choices(rules, weights, k=count // 5)]
    draw.shuffle(faults)
    kills = defaultdict(list)
    for rule, fault in faults:
        kills[rule].append(Kill(rule, fault, draw.uniform(0.05, 0.75)))
    return dict(kills)


def durations_of(project: Project) -> dict[str, float]:
    """Seconds that the shortest job of each rule takes."""
    seconds = defaultdict(list)
    for file in (project.folder / "results/tiny/benchmarks").rglob("*.jsonl"):
        record = json.loads(file.read_text("utf-8"))
        seconds[record["rule_name"]].append(record["s"])
    return {rule: min(values) for rule, values in seconds.items()}


def images_of(project: Project) -> set[tuple[str, int, int]]:
    """Every image that was ever put into the store and is there: another writing of it counts as another."""
    files = [(path, path.stat()) for path in (project.folder / "results/store/images").rglob("[!.]*.png")]
    return {(path.name, status.st_ino, status.st_mtime_ns) for path, status in files}


def remains(project: Project) -> list[Path]:
    """Temporary files that killed jobs left."""
    return [path for path in (project.folder / "results").rglob(".*") if TEMPORARY.fullmatch(path.name)]


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """Results that only one of two runs has, or that differ."""
    names = expected.keys() | found.keys()
    return sorted(f"{name} differs" for name in names if expected.get(name) != found.get(name))


def check(undisturbed: Project, project: Project, made: set[tuple[str, int, int]]) -> Iterable[str]:
    """What is wrong with the results after the last run."""
    if "Nothing to be done" not in project.snakemake("--cores", "1").stdout:
        yield "something is left to do"
    for image in (project.folder / "results/store/images").rglob("[!.]*.png"):
        Image.open(image).load()
    verified = project.snakemake("--cores", "1", "verify_results")
    if verified.returncode != 0:
        yield f"verify_results finds damage:\n{verified.stdout}"
    left = len(remains(project))
    pruned = project.snakemake("--cores", "1", "remove_unneeded")
    if pruned.returncode != 0 or remains(project):
        yield f"remains are left:\n{pruned.stdout}"
    print(f"temporary files that kills left, and remove_unneeded removed: {left}")
    yield from differences(undisturbed.results(), project.results())
    if repeated := len(made) - len({name for name, *_ in made}):
        yield f"{repeated} images were made twice"


def missed_rules(rules: Iterable[str], runs: list[Run]) -> list[str]:
    """Those of `rules` whose jobs were faster than each kill that was meant for them."""
    return sorted(set(rules) - {run.kill.rule for run in runs if run.kill and run.hit})


def report(run: Run, images: int) -> None:
    """Tell of a kill."""
    if run.kill and run.status == -signal.SIGKILL:
        after = run.killed_at - run.started[run.kill_job][1]
        where = "in" if run.hit else "after the start of"
        print(f"{run.kill.fault}, {after:.1f} s {where} {run.kill.rule}; {images} images so far", flush=True)


def table(runs: list[Run]) -> str:
    """Each fault with how often it was tried, what it lost, and how soon work went on."""
    lines = [
        "fault | times | inside the job aimed at | lost job-seconds (mean, most) | seconds to recover (mean, most)"
    ]
    for fault in (GROUP, ALONE):
        pairs = [
            (run, after) for run, after in zip(runs, runs[1:], strict=False) if run.kill and run.kill.fault == fault
        ]
        if not pairs:
            continue
        lost, recovered = [run.lost for run, _ in pairs], [after.first_job for _, after in pairs]
        lines.append(
            f"{fault} | {len(pairs)} | {sum(run.hit for run, _ in pairs)} | {mean(lost):.1f}, {max(lost):.1f}"
            f" | {mean(recovered):.1f}, {max(recovered):.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="kills of the whole process group (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="decides rules and moments (default: 0)")
    arguments = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    write_stand_ins(folder / "models")
    undisturbed = copy_project(folder / "undisturbed", folder / "models")
    first = run(undisturbed, {}, {})
    if first.status != 0:
        sys.exit("".join(first.lines) + "the undisturbed run failed")
    durations = durations_of(undisturbed)
    print(f"undisturbed: {len(first.finished) - 1} jobs of {len(durations)} rules in {first.seconds:.0f} s", flush=True)

    project = copy_project(folder / "tortured", folder / "models")
    waiting = plan_kills(arguments.kills, durations, random.Random(arguments.seed))
    targets = list(waiting)
    runs: list[Run] = []
    made: set[tuple[str, int, int]] = set()

    def start(*arguments: str) -> Run:
        runs.append(run(project, waiting, durations, *arguments))
        made.update(images_of(project))
        report(runs[-1], len(made))
        if runs[-1].status not in (0, -signal.SIGKILL):
            sys.exit("".join(runs[-1].lines) + f"the run failed (in {folder})")
        return runs[-1]

    while start().status != 0:
        pass
    jobs, seconds = sum(len(run.finished - {"0"}) for run in runs), sum(run.seconds for run in runs)
    for fraction in (0.4, 0.2, 0.1):
        durations.update(durations_of(project))  # the machine may have become faster meanwhile
        for rule in sorted({*missed_rules(targets, runs), *(rule for rule in targets if waiting[rule])}):
            waiting[rule] = [replace(kill, fraction=fraction) for kill in waiting[rule]] or [
                Kill(rule, GROUP, fraction)
            ]
            while start("--forcerun", rule, "--until", rule).status != 0:
                pass

    problems = list(check(undisturbed, project, made))
    problems += [f"no kill fell into a job of {rule}" for rule in missed_rules(targets, runs)]
    print(table(runs))
    print(
        f"images made: {len(made)}, needed: {len(images_of(undisturbed))}; "
        f"jobs finished: {jobs}, needed: {len(first.finished - {'0'})}; "
        f"time in sum: {seconds:.0f} s, undisturbed: {first.seconds:.0f} s"
    )
    if problems:
        sys.exit("\n".join([*problems, f"The results are in {folder}."]))
    print("The results are those of the undisturbed run, byte for byte.")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
