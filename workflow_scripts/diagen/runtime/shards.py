"""Shards: processes of the same program that share the classes of a cell, each with a GPU of its own."""

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import TypeVar

from diagen.errors import InputError

Item = TypeVar("Item")


def add_shard_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--shards` to a program's arguments, and the `--shard` with which it starts itself."""
    parser.add_argument("--shards", type=int, default=1, metavar="N", help="processes that share the work (default: 1)")
    parser.add_argument("--shard", type=int, default=None, metavar="I", help=argparse.SUPPRESS)


def of_shard(items: Sequence[Item], groups: Sequence[str | int], shards: int, shard: int | None) -> list[Item]:
    """The items that this shard works on: those of every `shards`-th group. All of them when `shard` is `None`.

    `groups` names the group of each item; a group (a class) stays together. What a shard works on has no influence on
    what comes out. Shards start at different times, some after a wait for a GPU, so the items are all that there are
    and not those that are still to be made, and every shard divides them alike.
    """
    if shard is None:
        return list(items)
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return [item for item, group in zip(items, groups, strict=True) if order[group] % shards == shard]


def run_shards(count: int, shard: int | None) -> bool:
    """Run this program `count` times at once, as `--shard 0` to `--shard count-1`, and wait for all.

    Returns whether this was done, so that all that is left is to put together what the shards made. In a shard, and
    where one process does everything, nothing is run; a shard ends when the process that started it does.
    Raises `InputError` naming the shards that failed; their own messages stand above it.
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
        raise InputError(f"shard {', '.join(failed)} of {count} failed; what it wrote stays and is not made again")
    return True


def _end_with_starter() -> None:
    """End this process, and so its lease of a GPU, once the one that holds the other end of standard input is gone."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
