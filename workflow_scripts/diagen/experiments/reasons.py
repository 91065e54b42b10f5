"""The comments of a written configuration: why each choice was made, and what else could be chosen."""

import math

from diagen.data.images_needed import ENOUGH_VALIDATION
from diagen.experiments.machine import Machine, needed_gb
from diagen.experiments.plan import FOLDS, Plan
from diagen.experiments.survey import Survey
from diagen.letters import shortened
from diagen.preflight.needs import DOWNLOAD_MB

BESIDE = {
    "train_val": "the folder with photos to learn from",
    "val": "the folder with photos for validation",
    "test": "the folder with photos for testing",
    "test_uncommon": "the folder with test photos in unusual places",
    "test_per_class": "so many photos of each class are drawn for testing",
}
"""Comments beside the keys of a dataset."""


IMAGES_PER_GUIDE = {True: 10, False: 4}
"""Images of each photo, with the models of full size and with the small ones."""


def texts(survey: Survey, plan: Plan, machine: Machine, *, images_only: bool) -> dict[str, object]:
    """The comments by their names in the template: texts of one paragraph, and lists of them."""
    guide = "" if plan.keeps_best else " `selection: last` needs no photos for validation."
    return {
        "heading": _heading(survey, images_only),
        "notes": [*map(_sentence, survey.notes), *unreadable(survey)],
        "division": _images_division(plan, machine) if images_only else _division(survey, plan),
        "pool_why": _pool(survey, plan, images_only),
        "models_why": _full_size(machine, images_only) if machine.learns_words else _small(machine, images_only),
        "full_size_why": "To use them, delete the section above and remove the first `# ` of the lines below.",
        "words_why": "A word is learned for each class from its photos, and a language model writes prompts around it.",
        "generators_why": _generators(images_only),
        "weights_why": "A classifier that is trained on the photos alone weights each image by how certain it is that "
        f"the image shows its class.{guide}",
        "methods_why": "The export holds the photos and the images of this method, each with the probability of being "
        "drawn in training."
        if images_only
        else "What is compared: training on the photos alone, and on photos and images. The report's verdict compares "
        "the last method with `standard`.",
        "selection_why": f"With fewer than {ENOUGH_VALIDATION} photos per class for validation, choosing the best "
        "epoch by them is a matter of chance: the last one counts, and weight decay keeps it from fitting few photos "
        "too well.",
    }


def no_test(plan: Plan) -> str:
    """The comment beside `test: none`."""
    return "the folds below test each photo once" if plan.folds else "nothing is tested"


def _heading(survey: Survey, images_only: bool) -> str:
    root = survey.dataset.root
    if images_only:
        return (
            f"Synthetic images of the classes in {root}, without an experiment. Written by `make images`. Edit what "
            "you like: config/README.md explains every key."
        )
    return (
        f"Does DIAGen help on the photos in {root}? Written by `make experiment`. Edit what you like: "
        "config/README.md explains every key."
    )


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."


def unreadable(survey: Survey) -> list[str]:
    """A sentence for each reason to leave out files."""
    sentences = []
    for reason, paths in survey.unreadable.items():
        files = shortened([path.name for path in paths], 3)
        sentences.append(f"Left out, {reason}: {files}.")
    return sentences


def _division(survey: Survey, plan: Plan) -> str:
    """How the photos are divided for an experiment, and why so."""
    smallest, largest = min(survey.learned.values()), max(survey.learned.values())
    if plan.folds:
        least = max(1, smallest - math.ceil(smallest / plan.folds))
        numbers = f"{least} to {plan.guide_pool}" if least < plan.guide_pool else f"{plan.guide_pool}"
        return (
            "No photos are set apart for testing. So each of the three seeds divides the photos of each class into "
            f"{plan.folds} parts, and each part is tested by what was learned from the others: "
            f"{plan.cells} rounds, each with words and images of its own. Every photo is tested, and never by "
            f"anything that saw it. `shots: all` learns from all photos of the other parts, {numbers} per class. More "
            "seeds make the verdict surer, and cost in proportion; `seeds: [0]` is a first look at a third of the cost."
        )
    sizes = f"the smallest class has {smallest}" if smallest < largest else f"every class has {smallest}"
    if plan.shots is None:
        return (
            f"Classes are small and unequal ({smallest} to {largest} photos), so each gives all photos that it has "
            "(`shots: all`). Each of the three seeds trains anew. To see how the gain depends on their number, add "
            "photos to the smallest classes, and set `shots: [2, 4, 8]`."
        )
    shots = " and ".join(filter(None, [", ".join(map(str, plan.shots[:-1])), str(plan.shots[-1])]))
    learned = (
        f"Classifiers learn from {shots} photos of each class, drawn anew by each of the three seeds"
        f"{'; the rest validates' if plan.keeps_best and 'val' not in survey.counts else ''}."
    )
    if plan.test_per_class:
        return (
            f"There is no folder of test photos, but there are enough photos to draw some: {sizes}. {learned} To test "
            f"every photo instead, at about {FOLDS} times the cost, replace `test_per_class` above by `test: none`, "
            f"and add `evaluation: {{folds: {FOLDS}}}`."
        )
    curve = " The curve over these numbers shows what more photos would gain." if len(plan.shots) > 1 else ""
    return f"{learned[:-1]} ({sizes}). All are tested on the same photos.{curve}"


def _images_division(plan: Plan, machine: Machine) -> str:
    number = IMAGES_PER_GUIDE[machine.learns_words]
    return (
        f"All photos of a class become guide images, at most {plan.guide_pool} (`guide_pool`): each gives {number} "
        "synthetic images (`images_per_guide`). One seed is enough, because nothing is compared."
    )


def _pool(survey: Survey, plan: Plan, images_only: bool) -> str:
    """The comment beside `guide_pool`."""
    if plan.shots is None:
        return "" if images_only else "at most so many photos of a class; words and images grow with it"
    if plan.keeps_best and "val" not in survey.counts:
        return "photos of each class to draw from; the others validate"
    return "photos of each class to draw from"


def _full_size(machine: Machine, images_only: bool) -> str:
    gigabytes = sum(DOWNLOAD_MB.values()) / 1000 - (DOWNLOAD_MB["features"] / 1000 if images_only else 0)
    llama = (
        ""
        if machine.runs_llama
        else f" This machine has {machine.memory_gb:.0f} GB of memory, too little for Llama 2 7B: name a smaller GGUF "
        "file in `llama`."
    )
    return (
        f"For this machine: {machine}. The paper's models; `download_models` fetches them once, {gigabytes:.0f} GB "
        f"together. Generating in float16 takes half the memory of float32.{llama}"
    )


def _small(machine: Machine, images_only: bool) -> str:
    found = "has no NVIDIA GPU" if not machine.gpus else f"has a GPU with {machine.gpu_gb:.0f} GB"
    needed = f"Models of full size need a GPU with {needed_gb(True):.0f} GB or more, and this machine {found}."
    useless = (
        "the images that they make of photos are of no use."
        if images_only
        else "the images that they make of photos are of no use, and the verdict is about these images, not about "
        "DIAGen."
    )
    return (
        f"{needed} These models run anywhere and show the whole way, but {useless} For real results, use the section "
        f"below on a machine with such a GPU, or run `make {'images' if images_only else 'experiment'}` there."
    )


def _generators(images_only: bool) -> str:
    diagen = "DIAGen varies word, prompt and noise, so that objects and places differ"
    if images_only:
        return f"How images are made of each photo: {diagen}."
    return f"How images are made of each photo. DA-Fusion, the baseline, stays close to the photo; {diagen}."
