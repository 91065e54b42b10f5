"""How photos are divided: shots, a test split or folds, by the sizes of the classes."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagen.config.datasets import ImageFolder
from diagen.errors import InputError
from diagen.experiments.plan import MOST, Plan, plan_experiment, plan_images
from diagen.experiments.survey import Survey

SEEDS = (0, 1, 2)
SIZES = st.lists(st.integers(1, 60), min_size=2, max_size=5)


def survey(sizes: list[int], **splits: int) -> Survey:
    """A survey of classes with these numbers of photos to learn from, and so many of each class in other splits."""
    counts = {"train_val": Counter({f"class{number}": size for number, size in enumerate(sizes)})}
    counts |= {split: Counter(dict.fromkeys(counts["train_val"], number)) for split, number in splits.items()}
    dataset = ImageFolder(adapter="image_folder", root="photos", **({} if "test" in splits else {"test": None}))
    return Survey(dataset, "", counts, {}, [])


@pytest.mark.parametrize(
    ("sizes", "splits", "expected"),
    [
        # With test photos: the paper's shots that every class has.
        ([20, 30], {"test": 5}, Plan((2, 4, 8), 8, SEEDS, keeps_best=True)),
        ([12, 12], {"test": 5}, Plan((2, 4, 8), 8, SEEDS)),
        ([7, 7], {"test": 5}, Plan((2, 4), 4, SEEDS)),
        ([3, 5], {"test": 5}, Plan((2,), 2, SEEDS)),
        ([9, 9], {"test": 5, "val": 5}, Plan((2, 4, 8), 8, SEEDS, keeps_best=True)),
        ([9, 9], {"test": 5, "val": 4}, Plan((2, 4, 8), 8, SEEDS)),
        # Few and unequal photos: all of them.
        ([3, 7], {"test": 5}, Plan(None, 7, SEEDS)),
        ([1, 40], {"test": 5}, Plan(None, MOST, SEEDS)),
        # Without test photos: some are drawn if there are enough, else folds.
        ([26, 90], {}, Plan((2, 4, 8), 8, SEEDS, test_per_class=13, keeps_best=True)),
        ([25, 25], {}, Plan(None, MOST, SEEDS, folds=5)),
        ([5, 5], {}, Plan(None, 4, SEEDS, folds=5)),
        ([3, 3], {}, Plan(None, 2, SEEDS, folds=3)),
        ([2, 2], {}, Plan(None, 1, SEEDS, folds=2)),
        ([2, 90], {}, Plan(None, MOST, SEEDS, folds=5)),
    ],
)
def test_the_plan_follows_the_sizes_of_the_classes(sizes: list[int], splits: dict[str, int], expected: Plan) -> None:
    assert plan_experiment(survey(sizes, **splits)) == expected


def test_a_single_photo_cannot_be_tested_by_folds() -> None:
    with pytest.raises(InputError) as error:
        plan_experiment(survey([1, 5, 1]))
    assert "photos: one photo of `class0`, `class2`" in str(error.value) and "add photos" in str(error.value)


@given(SIZES, st.booleans(), st.integers(0, 9))
def test_every_class_has_what_the_plan_takes(sizes: list[int], tested: bool, validation: int) -> None:
    splits = {"test": 3} if tested else {}
    photos = survey(sizes, **splits | ({"val": validation} if tested and validation else {}))
    if not tested and min(sizes) == 1:
        return
    plan = plan_experiment(photos)
    rest = min(sizes) - (plan.test_per_class or 0)
    assert plan.shots is None or max(plan.shots) <= min(rest, plan.guide_pool)
    assert bool(plan.folds) + bool(plan.test_per_class) == (not tested)
    if plan.folds:
        assert 2 <= plan.folds <= max(sizes) and plan.cells == 3 * plan.folds
        assert plan.guide_pool <= max(sizes) - max(sizes) // plan.folds
    if plan.keeps_best and "val" not in photos.counts:
        assert rest - plan.guide_pool >= 5


def test_images_alone_use_all_photos() -> None:
    assert plan_images(survey([3, 9])) == Plan(None, 9, (0,))
    assert plan_images(survey([3, 900])).guide_pool == 50
