"""From a folder of photos to a configuration file for it."""

import os
import re
import shlex
import unicodedata
from pathlib import Path

import yaml

from diagen.config import ConfigError
from diagen.errors import InputError
from diagen.experiments.cost import Cost, cost_of
from diagen.experiments.document import MARK, document
from diagen.experiments.layout import find_layout
from diagen.experiments.machine import this_machine
from diagen.experiments.order import Order
from diagen.experiments.plan import plan_experiment, plan_images
from diagen.experiments.survey import look_at
from diagen.files.atomic import atomic_path

FOLDER = Path("config")
LONGEST = 40  # characters of a name that is taken from a folder
UNNAMED = "my_photos"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}")


def photo_folder(text: str) -> Path:
    """The folder that a user names: relative to the working directory if it is inside, absolute otherwise.

    Raises `InputError` if there is no name.
    """
    if not text.strip():
        raise InputError("no folder of photos is named; name one: make experiment PHOTOS=~/photos")
    path = Path(os.path.abspath(Path(text).expanduser()))
    here = Path(os.path.abspath("."))
    return path.relative_to(here) if path.is_relative_to(here) else path


def name_from(folder: Path) -> str:
    """A name for the experiment: that of the folder in ASCII letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", os.path.abspath(folder).rpartition("/")[2]).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_").lower()[:LONGEST].strip("_") or UNNAMED


def configuration_file(name: str) -> Path:
    """The path of the configuration of the experiment `name`. Raises `InputError` if the name cannot be used."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"NAME={shlex.quote(name)}: a name has letters, digits and underscores, 64 at most, and does not begin "
            "with an underscore; choose another one: NAME=my_photos"
        )
    return FOLDER / f"{name}.yaml"


def require_free(file: Path, *, overwrite: bool) -> None:
    """Raise `InputError` if the configuration exists, unless it was written by this module and may be overwritten."""
    if not os.path.lexists(file):
        return
    if not written_here(file):
        raise InputError(f"{file}: exists and is not a configuration of `make experiment`; choose another NAME=...")
    if not overwrite:
        raise InputError(f"{file}: exists. Run it, replace it by adding OVERWRITE=1, or choose another NAME=...")


def written_here(file: Path) -> bool:
    """Whether the head of the file says that this module wrote it."""
    try:
        return MARK in file.read_text("utf-8").partition("\nexperiment:")[0].replace("\n# ", " ")
    except (OSError, UnicodeDecodeError):
        return False


def is_for(file: Path, photos: Path) -> bool:
    """Whether the file is a configuration that this module wrote for these photos.

    Raises `InputError` if the folder holds no photos in a known layout.
    """
    if not (file.is_file() and written_here(file)):
        return False
    root = find_layout(photos).dataset.root
    try:
        datasets = yaml.safe_load(file.read_text("utf-8"))["datasets"].values()
        return [dataset["root"] for dataset in datasets] == [root]
    except (yaml.YAMLError, LookupError, TypeError, AttributeError):
        return False


def write_configuration(photos: Path, name: str, *, images_only: bool) -> tuple[Order, Cost]:
    """Look at the photos, write the configuration, and return what it orders and costs.

    Raises `InputError`, which lists all problems of the photos.
    """
    file = configuration_file(name)
    survey = look_at(photos)
    plan = plan_images(survey) if images_only else plan_experiment(survey)
    order = Order(survey, plan, this_machine(), name, file.as_posix(), images_only)
    text = document(order)
    try:
        cost = cost_of(order, yaml.safe_load(text))
    except ConfigError as error:
        raise InputError(str(error)) from None
    with atomic_path(file) as temporary:
        temporary.write_text(text, "utf-8")
    return order, cost
