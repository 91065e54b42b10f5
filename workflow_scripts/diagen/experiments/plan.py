"""Decides how the photos of a folder are divided: shots or all photos, a test split or folds."""

from dataclasses import dataclass

from diagen.data.images_needed import ENOUGH_VALIDATION
from diagen.errors import InputError
from diagen.experiments.survey import Survey
from diagen.letters import shortened

SHOTS = (2, 4, 8)  # of the paper
FOLDS = 5
MOST = 16
"""Photos of a class that folds learn from at most: words and images grow with them."""
MOST_EXPORTED = 50
"""Photos of a class from which images are made at most, without an experiment."""
CLASSES_SHOWN = 10


@dataclass(frozen=True)
class Plan:
    """How the photos are divided.

    `shots` is a list or `all`, of at most `guide_pool` photos of a class. `folds` is 0 without cross-validation.
    `test_per_class` photos of each class are drawn for testing, if it is set. `keeps_best` says whether there are
    enough photos to choose an epoch by validation.
    """

    shots: tuple[int, ...] | None
    guide_pool: int
    seeds: tuple[int, ...]
    folds: int = 0
    test_per_class: int | None = None
    keeps_best: bool = False

    @property
    def cells(self) -> int:
        """Cells of the experiment: seeds x folds x numbers of shots."""
        return len(self.seeds) * max(1, self.folds) * len(self.shots or (0,))


def plan_experiment(survey: Survey) -> Plan:
    """Divide the photos for an experiment. Raises `InputError` if a class has too few."""
    smallest, largest = min(survey.learned.values()), max(survey.learned.values())
    seeds = (0, 1, 2)
    if survey.tested:
        apart = survey.counts.get("val")
        validation = smallest - max(SHOTS) if apart is None else min(apart[name] for name in survey.classes)
        return _shots(smallest, largest, seeds, keeps_best=validation >= ENOUGH_VALIDATION)
    if smallest // 2 >= max(SHOTS) + ENOUGH_VALIDATION:
        return Plan(SHOTS, max(SHOTS), seeds, test_per_class=smallest // 2, keeps_best=True)
    if single := [name for name, count in sorted(survey.learned.items()) if count < 2]:
        names = shortened([f"`{name}`" for name in single], CLASSES_SHOWN)
        raise InputError(
            f"{survey.dataset.root}: one photo of {names}: without a test folder, a class needs two, one to learn "
            "from and one to test; add photos, or move these classes out of the folder"
        )
    folds = min(FOLDS, largest)
    trained = largest - largest // folds
    return Plan(None, min(MOST, trained), seeds, folds=folds)


def plan_images(survey: Survey) -> Plan:
    """Use all photos to make images, without an experiment."""
    return Plan(None, min(MOST_EXPORTED, max(survey.learned.values())), (0,))


def _shots(smallest: int, largest: int, seeds: tuple[int, ...], *, keeps_best: bool) -> Plan:
    """The paper's numbers of shots that every class has, or all photos if classes are small and unequal."""
    fitting = tuple(shots for shots in SHOTS if shots <= smallest)
    if not fitting or (smallest < max(SHOTS) and largest >= 2 * smallest):
        return Plan(None, min(MOST, largest), seeds, keeps_best=False)
    return Plan(fitting, max(fitting), seeds, keeps_best=keeps_best)
