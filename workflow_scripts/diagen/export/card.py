"""The card (README.md) of an exported dataset: its content, how it was made, and what decides its license."""

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

{real} real images and {synthetic} synthetic ones of {classes} classes: the training set of the method `{method}` in one
few-shot cell (seed {seed}, {shots} real images per class) of DIAGen,
[arXiv 2408.14584](https://arxiv.org/abs/2408.14584). Validation and test images are not included.

```python
from datasets import load_dataset

dataset = load_dataset("imagefolder", data_dir="path/to/this/folder", split="train")
```

## Columns of `metadata.csv`

| column | meaning |
|---|---|
| `file_name` | the image, relative to this folder |
| `label` | name of the class; many programs read a name such as `None`, `NA` or `null` as a missing value |
| `synthetic` | `True` for a generated image |
| `source_guide` | the guide image from which image-to-image diffusion generated it; for a real image, itself |
| `prompt` | the prompt; the word in angle brackets is the learned word of the class |
| `noise_level` | standard deviation of the noise added to the learned word |
| `weight` | share of a synthetic image: {weighting} |
| `probability` | probability that one draw in training selects this image; sums to 1 |

Real images have no prompt, noise level or weight. Their files are unchanged copies of the photos, including the EXIF
orientation.

## Classes

| class | real | synthetic |
|---|---|---|
{counts}

## How it was made

{models}

Full configuration:

```json
{configuration}
```

## License

The workflow does not know the license of the photos or the terms of the models. Look up both before you share this
dataset, and state the result here. The real images remain under their own license. The synthetic ones are derived from
them by the models above, whose licenses may restrict the use of generated images: that of Stable Diffusion v1-4,
CreativeML OpenRAIL-M, forbids certain uses. Synthetic images can show false content, reproduce the models' biases and
resemble their training images.
"""


def dataset_card(rows: Sequence[ExportRow], settings: ExportDatasetSettings, cell: Cell) -> str:
    """The card in Markdown, with front matter for the Hugging Face hub."""
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
        weighting="computed by `weighting` below" if settings.weighting else "equal for all images of a guide image",
        counts="\n".join(table),
        models="\n".join(_models(settings)),
        configuration=json.dumps(settings.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False),
    )


def _models(settings: ExportDatasetSettings) -> list[str]:
    """A line for each model: its purpose, its name or path, and the revision or hash of its weights."""
    parts = {
        "Stable Diffusion, which generated the images": settings.diffusion,
        "language model, which wrote the prompts": settings.llama,
        "backbone of the classifier that weighted the images": settings.backbone,
    }
    return [
        f"- {part}: {_code(str(model.path or model.repository))}, "
        + (f"revision `{model.revision}`" if model.revision else f"SHA-256 `{model.sha256}`")
        for part, model in parts.items()
        if model is not None
    ]


def _code(text: str) -> str:
    """The text as inline code, fenced by more backticks than it contains in a row."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _escaped(text: str) -> str:
    """The text for a Markdown table: all characters but letters, digits and spaces as numeric references."""
    return "".join(letter if letter.isalnum() or letter == " " else f"&#{ord(letter)};" for letter in text)
