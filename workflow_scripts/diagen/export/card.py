"""The card (README.md) of an exported dataset: what is in it, how it was made, and what its license hangs on."""

import json
import re
from collections import Counter
from collections.abc import Sequence

from diagen.cells import Cell
from diagen.config.programs import ExportDatasetSettings
from diagen.export.image_folder import ExportRow
from diagen.report.labels import label

_CARD = """---
pretty_name: {title_json}
license: unknown
task_categories: [image-classification]
tags: [synthetic, few-shot, image-augmentation]
---

# {title}

{real} real images and {synthetic} synthetic ones of {classes} classes: what the classifier of the method `{method}` is
trained on in one few-shot cell (seed {seed}, {shots} real images per class) of DIAGen,
[arXiv 2408.14584](https://arxiv.org/abs/2408.14584). Images for validation and tests are no part of it.

```python
from datasets import load_dataset

dataset = load_dataset("imagefolder", data_dir="path/to/this/folder", split="train")
```

## Columns of `metadata.csv`

| column | meaning |
|---|---|
| `file_name` | the image, relative to this folder |
| `label` | name of the class; a name such as `None`, `NA` or `null` reads as missing in many programs |
| `synthetic` | `True` for an image that was generated |
| `source_guide` | the real image that it was made from by image-to-image diffusion; of a real image, itself |
| `prompt` | the prompt; what stands in angle brackets is the word that was learned for the class |
| `noise_level` | standard deviation of the noise that was added to that word |
| `weight` | share of a synthetic image: {weighting} |
| `probability` | how likely each draw of the training takes this image; sums to 1 |

Real images have neither prompt nor noise level nor weight. Their files are the photos as they were, EXIF orientation
included.

## Classes

| class | real | synthetic |
|---|---|---|
{counts}

## How it was made

{models}

The configuration in full:

```json
{configuration}
```

## License

The workflow doesn't know the license of the photos, nor the terms of the models; look both up before you pass this
dataset on, and write the outcome here. The real images stay under the license that they came with. The synthetic ones
are made from them and by the models above, whose licenses may bind what is made with them: that of Stable Diffusion
v1-4, CreativeML OpenRAIL-M, forbids certain uses. Synthetic images can show what is untrue, carry the models' biases
and resemble images that the models were trained on.
"""


def dataset_card(rows: Sequence[ExportRow], settings: ExportDatasetSettings, cell: Cell) -> str:
    """The card in Markdown, with the front matter that the Hugging Face hub reads."""
    title = f"{cell.dataset}, seed {cell.seed}, {cell.shots} shots: {label(settings.method)}"
    counts = Counter((row.label, row.synthetic) for row in rows)
    classes = sorted({row.label for row in rows})
    table = [f"| {_escaped(name)} | {counts[name, False]} | {counts[name, True]} |" for name in classes]
    return _CARD.format(
        title=title,
        title_json=json.dumps(title),
        real=sum(not row.synthetic for row in rows),
        synthetic=sum(row.synthetic for row in rows),
        classes=len(classes),
        method=settings.method,
        seed=cell.seed,
        shots=cell.shots,
        weighting="as `weighting` below gives it" if settings.weighting else "equal for all of a guide image",
        counts="\n".join(table),
        models="\n".join(_models(settings)),
        configuration=json.dumps(settings.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False),
    )


def _models(settings: ExportDatasetSettings) -> list[str]:
    """A line for each model that had a part: its name or path, and which weights exactly."""
    parts = {
        "Stable Diffusion, which made the images": settings.diffusion,
        "language model, which wrote the prompts": settings.llama,
        "backbone of the classifier that weighed the images": settings.backbone,
    }
    return [
        f"- {part}: {_code(model.path or model.repository)}, "
        + (f"revision `{model.revision}`" if model.revision else f"SHA-256 `{model.sha256}`")
        for part, model in parts.items()
        if model is not None
    ]


def _code(text: str) -> str:
    """A text between so many backticks that none of its own ends it."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _escaped(text: str) -> str:
    """A text as a table's cell shows it, whatever letters it holds: all marks are written by their number."""
    return "".join(letter if letter.isalnum() or letter == " " else f"&#{ord(letter)};" for letter in text)
