"""Shards: processes of one program that share the classes of a cell, each on its own GPU."""

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import TypeVar

from diagen.errors import InputError
from diagen.runtime.arguments import positive

Item = TypeVar("Item")


def add_shard_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--shards`, and the hidden `--shard` with which a program starts its shards."""
    parser.add_argument(
        "--shards", type=positive, default=1, metavar="N", help="processes to share the work (default: 1)"
    )
    parser.add_argument("--shard", type=int, default=None, metavar="I", help=argparse.SUPPRESS)


def of_shard(items: Sequence[Item], groups: Sequence[str | int], shards: int, shard: int | None) -> list[Item]:
    """Select the items of a shard: those of every `shards`-th group, or all items when `shard` is `None`.

    `groups` has the group (class) of each item; a group is not divided. The division does not affect the results.
    Shards start at different times, some after a wait for a GPU, so pass all items, not only the missing ones: then
    every shard computes the same division.
    """
    if shard is None:
        return list(items)
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return [item for item, group in zip(items, groups, strict=True) if order[group] % shards == shard]


def run_shards(count: int, shard: int | None) -> bool:
    """Run this program `count` times in parallel, as `--shard 0` to `--shard count-1`, and wait for all.

    Returns true if the shards ran, so that only merging remains, and false in a shard or with one process. A shard
    ends when the process that started it ends.
    Raises `InputError` with the numbers of failed shards; their own messages precede it.
    """
    if shard is not None:
        threading.Thread(target=_end_with_starter, daemon=True).start()
    if shard is not None or count == 1:
        return False
    commands = [[sys.executable, *sys.argv, "--shard", str(shard)] for shard in range(count)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for command in commands]
    try:
        failed = [str(shard) for shard, process in enumerate(processes) if process.wait() != 0]
    finally:
        for process in processes:
            process.terminate()
    if failed:
        raise InputError(
            f"shard {', '.join(failed)} of {count} failed. Fix what its message above reports and run again: finished "
            "work is kept"
        )
    return True


def _end_with_starter() -> None:
    """End this process, and with it its GPU lease, when the process at the other end of standard input ends."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
