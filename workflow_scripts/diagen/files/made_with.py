"""Records of versions, device, threads, micro-batch and precision, which also decide the bytes of a result.

A change of these reruns nothing. They are recorded beside each result, and the report shows them.
"""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from diagen.files.atomic import atomic_path
from diagen.files.tables import read_json

SUFFIX = ".made_with.json"
MadeWith = tuple[tuple[str, str], ...]
"""Names and values, such as `("torch", "2.13.0")` and `("device", "cpu x86_64")`, sorted by name."""


class Share(TypedDict):
    """A record, and the number of parts of a result (images, words; 1 for an undivided result) that have it."""

    parts: Annotated[int, Field(ge=1)]
    made_with: dict[str, str]


SHARES = TypeAdapter(Annotated[list[Share], Field(min_length=1)])
RECORD = TypeAdapter(dict[str, str])


def made_with(
    packages: Iterable[str],
    device: str = "cpu",
    *,
    torch_threads: int | None = None,
    micro_batch: int | None = None,
    dtype: str | None = None,
    compiled: bool | None = None,
) -> MadeWith:
    """Compose a record: versions of the installed `packages`, `device`, and the given values.

    For the device kinds `cpu` and `mps`, the machine's architecture is added.
    """
    found = {"device": device if " " in device else f"{device} {platform.machine()}"}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a build of it with another distribution name
            found[package] = "unknown"
    given: dict[str, object] = {"torch_threads": torch_threads, "micro_batch": micro_batch, "dtype": dtype}
    given["compiled"] = None if compiled is None else "yes" if compiled else "no"
    found |= {name: str(value) for name, value in given.items() if value is not None}
    return tuple(sorted(found.items()))


def to_text(record: MadeWith) -> str:
    """Format a record as one line of JSON, for the metadata of images and of learned words."""
    return json.dumps(dict(record))


def from_text(text: str) -> MadeWith:
    """Parse the text of `to_text`. Raises `ValueError` for other text."""
    return tuple(sorted(RECORD.validate_json(text).items()))


def made_with_path(result: Path) -> Path:
    """Return the file of a result's record: `metrics.made_with.json` beside `metrics.json`."""
    return result.with_name(f"{result.stem}{SUFFIX}")


def record_files(
    datasets: Iterable[str], seeds_and_shots: Iterable[tuple[int, int]], blocks: Mapping[str, Iterable[str]]
) -> Iterator[tuple[str, str]]:
    """Kind and path, relative to the experiment's folder, of each record of the experiment.

    `blocks` lists the names of the results of each kind: generators for `manifest`, `features` and `diversity`,
    `generator/weighting` for `weights` and also for `diversity`, which includes the ceiling of each dataset.
    """
    seeds_and_shots = list(seeds_and_shots)
    for dataset in datasets:
        yield "features", f"{dataset}/features{SUFFIX}"
        yield from (("prompts", f"{dataset}/prompts/{name}{SUFFIX}") for name in blocks["prompts"])
        if blocks["diversity"]:
            yield "diversity", f"{dataset}/ceiling{SUFFIX}"
        for (seed, shots), (kind, names) in product(seeds_and_shots, blocks.items()):
            for name in names if kind != "prompts" else ():
                yield kind, f"{dataset}/seed{seed}/shots{shots}/{_place(kind, name)}{SUFFIX}"


def _place(kind: str, name: str) -> str:
    """The path of a result relative to its cell's folder, without the suffix."""
    generator, _, weighting = name.partition("/")
    places = {
        "manifest": f"synthetic/{name}/manifest",
        "features": f"synthetic/{name}/features",
        "weights": f"synthetic/{generator}/weights/{weighting}",
        "guide_classifiers": f"guide_classifiers/{name}/head",
        "downstream": f"downstream/{name}/metrics",
    }
    return places.get(kind, f"{kind}/{name}")


def write_made_with(records: Iterable[MadeWith], result: Path) -> None:
    """Write the records of the parts of `result`, one per part, into a file beside it."""
    shares = [{"parts": parts, "made_with": dict(record)} for record, parts in sorted(Counter(records).items())]
    with atomic_path(made_with_path(result)) as temporary:
        temporary.write_text(json.dumps(shares, indent=1) + "\n", encoding="utf-8")


def read_made_with(path: Path) -> list[Share]:
    """Read a file of `write_made_with`. Raises `DamagedFile`."""
    return read_json(path, SHARES)
