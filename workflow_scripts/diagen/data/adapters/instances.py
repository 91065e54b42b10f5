"""Instance annotations in COCO's JSON format, checked completely: many tools export it, each in its own way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diagen.data.adapters.interface import Listing
from diagen.data.names import class_label
from diagen.errors import Problem
from diagen.letters import CONTROL, composed, shortened

LISTS = ("images", "annotations", "categories")
ENTRIES_SHOWN = 5
LARGEST = 1e100  # of sizes and coordinates: products of two stay finite
PLURAL = {"annotation": "annotations", "category": "categories", "image": "images"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """An object in an image: `area` in pixels, `crowd` for a group that is not separated into objects."""

    number: int
    image: int | str
    category: int | str
    area: float
    crowd: bool


@dataclass
class Instances:
    """Category labels and file names, both by id, and the annotations of each image, by its id."""

    labels: dict[int | str, str] = field(default_factory=dict)
    file_names: dict[int | str, str] = field(default_factory=dict)
    annotations: dict[int | str, list[Annotation]] = field(default_factory=dict)


class _Findings:
    """Entries of a file by what is wrong with them, so that each mistake takes one line however often it occurs."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[str]] = {}

    def add(self, kind: str, entry: object, problem: str) -> None:
        self._entries.setdefault((kind, problem), []).append(str(entry))

    def problems(self, file: Path) -> list[Problem]:
        found = []
        for (kind, problem), entries in self._entries.items():
            name = PLURAL[kind] if len(entries) > 1 else kind
            found.append(Problem(f"{file}: {name} {shortened(entries, ENTRIES_SHOWN)}: {problem}"))
        return found


def read_instances(file: Path, listing: Listing) -> Instances:
    """Read a file of instances; whatever is wrong with its entries is added to `listing.problems`, by id.

    Categories of one name are one class, which is noted: some tools export an unused category of that name. An
    annotation without `area` gets that of its polygons or, without polygons, of its uncompressed run lengths or its
    bounding box.
    """
    content = _content(file, listing.problems)
    findings, merged, instances = _Findings(), _Findings(), Instances()
    for index, entry in enumerate(content["categories"]):
        _add_category(index, entry, instances, findings, merged)
    files: dict[str, object] = {}
    for index, entry in enumerate(content["images"]):
        _add_image(index, entry, instances, files, findings)
    for index, entry in enumerate(content["annotations"]):
        annotation = _annotation(index, entry, instances, findings)
        if annotation is not None:
            instances.annotations.setdefault(annotation.image, []).append(annotation)
    listing.problems.extend(findings.problems(file))
    listing.notes.extend(merged.problems(file))
    return instances


def _content(file: Path, problems: list[Problem]) -> dict[str, list[Any]]:
    """The three lists of the file, empty ones if it has none."""
    empty: dict[str, list[Any]] = {name: [] for name in LISTS}
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        problems.append(
            Problem(f"{file}: cannot be opened ({error.strerror}); restore the file or correct its permissions")
        )
        return empty
    except (ValueError, RecursionError) as error:  # of JSON and of its encoding
        problems.append(Problem(f"{file}: not JSON in UTF-8 ({error}); copy or export the file again"))
        return empty
    found = content if isinstance(content, dict) else {}
    lacking = [f"`{name}`" for name in LISTS if not isinstance(found.get(name), list)]
    if lacking:
        problems.append(
            Problem(
                f"{file}: not a file of COCO instances, since it has no list {' and '.join(lacking)}; export the "
                "annotations as COCO instances"
            )
        )
        return empty
    return {name: found[name] for name in LISTS}


def _add_category(index: int, entry: Any, instances: Instances, findings: _Findings, merged: _Findings) -> None:
    number = _identifier(entry, "id")
    name = entry.get("name") if isinstance(entry, Mapping) else None
    if number is None or not isinstance(name, str):
        findings.add("category", _place(index, number), "no `id` or no `name`; add them")
        return
    label = class_label(name)
    if number in instances.labels:
        findings.add("category", number, "an `id` that occurs twice; give each category its own")
        return
    if label in instances.labels.values():
        merged.add("category", number, f"counts as the other category named `{label}`; rename one if they differ")
    instances.labels[number] = label


def _add_image(index: int, entry: Any, instances: Instances, files: dict[str, object], findings: _Findings) -> None:
    number = _identifier(entry, "id")
    name = entry.get("file_name") if isinstance(entry, Mapping) else None
    if number is None or not isinstance(name, str) or not name:
        findings.add("image", _place(index, number), "no `id` or no `file_name`; add them")
    elif CONTROL.search(name):
        findings.add("image", number, f"invalid file name {name!r}; rename the file")
    # `a/../b.jpg` is `b.jpg`, so the image could be in two splits unnoticed.
    elif Path(name).is_absolute() or ".." in Path(name).parts:
        problem = "`file_name` is not a path below the folder of the images; write it without `..` and a leading slash"
        findings.add("image", number, problem)
    elif number in instances.file_names:
        findings.add("image", number, "an `id` that occurs twice; give each image its own")
    elif composed(name) in files:
        same = files[composed(name)]
        findings.add("image", number, f"the `file_name` of image {same}; keep one entry per file")
    else:
        files[composed(name)] = number
        instances.file_names[number] = name


def _annotation(index: int, entry: Any, instances: Instances, findings: _Findings) -> Annotation | None:
    if not isinstance(entry, Mapping):
        findings.add("annotation", _place(index, None), "not a JSON object; remove it")
        return None
    number, image, category = (_identifier(entry, key) for key in ("id", "image_id", "category_id"))
    area, crowd = _area(entry), _crowd(entry)
    place = _place(index, number)
    wrong = []
    if not isinstance(number, int):
        wrong.append("no `id` that is a whole number; add one")
    if image is None or image not in instances.file_names:
        wrong.append("`image_id` is not the `id` of a valid image; correct it or remove the annotation")
    if category is None or category not in instances.labels:
        wrong.append("`category_id` is not the `id` of a valid category; correct it or add the category")
    if area is None:
        wrong.append("no valid `area`, polygons or `bbox` to compare sizes by; add one or remove the annotation")
    if crowd is None:
        wrong.append("`iscrowd` is neither 0 nor 1; correct it")
    for problem in wrong:
        findings.add("annotation", place, problem)
    if wrong or not isinstance(number, int) or image is None or category is None or area is None or crowd is None:
        return None
    return Annotation(number, image, category, area, crowd)


def _identifier(entry: Any, key: str) -> int | str | None:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _place(index: int, number: object) -> str:
    """The entry's id or, without one, its position in the list."""
    return f"[{index}]" if number is None else str(number)


def _crowd(entry: Mapping[str, Any]) -> bool | None:
    """Whether the object is a crowd (some tools write that as text, or not at all), or None for an invalid value."""
    value = entry.get("iscrowd")
    if value is None or value in (0, "0"):
        return False
    return True if value in (1, "1") else None


def _area(entry: Mapping[str, Any]) -> float | None:
    """The area in pixels, or None if the entry has no valid one and none can be computed."""
    if entry.get("area") is not None:
        return entry["area"] if _is_size(entry["area"]) else None
    shape, box = entry.get("segmentation"), entry.get("bbox")
    counts = shape.get("counts") if isinstance(shape, Mapping) else None
    if isinstance(shape, list) and shape and all(map(_is_polygon, shape)):
        return sum(map(_polygon_area, shape))
    if isinstance(counts, list) and counts and all(map(_is_size, counts)):
        return float(sum(counts[1::2]))  # run lengths: background and object in turn
    if isinstance(box, list) and len(box) == 4 and all(map(_is_size, box[2:])):
        return float(box[2] * box[3])
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_size(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_polygon(value: object) -> bool:
    return isinstance(value, list) and len(value) >= 6 and len(value) % 2 == 0 and all(map(_is_number, value))


def _polygon_area(points: list[float]) -> float:
    """The area of the polygon `[x0, y0, x1, y1, ...]`, by the shoelace formula."""
    x, y = points[::2], points[1::2]
    return abs(sum(x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(len(x)))) / 2
