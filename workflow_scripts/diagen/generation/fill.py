"""Generation fills in the plan: each image once, by name, into the store, and then the manifest."""

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from diagen.config.programs import GenerateImagesSettings
from diagen.errors import InputError
from diagen.files.atomic import atomic_path
from diagen.files.made_with import MadeWith, from_text, to_text
from diagen.files.store_layout import image_file_name
from diagen.generation import img2img
from diagen.generation.img2img import Posterior, Word, encode_guides, generate_batch
from diagen.generation.manifest_file import ManifestRow
from diagen.generation.plan_file import PlanRow
from diagen.models.diffusion import Diffusion
from diagen.models.pseudo_words import pseudo_word
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.gpu_memory import halve_when_full
from diagen.runtime.made_with import torch_record
from diagen.runtime.progress import progress
from diagen.seeds import stable_hash

MADE_WITH = "made_with"  # the key of that text in an image's file
WRITERS = 2  # threads that encode PNGs beside the next forward pass


def image_names(rows: Sequence[PlanRow], words: Mapping[str, Tensor], settings: GenerateImagesSettings) -> list[str]:
    """The file name in the store of each planned image; `words` holds the clean vectors of each class."""
    code = fingerprint(Path(img2img.__file__))
    return [image_name(row, word_of(row, words), settings, code) for row in rows]


def image_name(row: PlanRow, word: Word | None, settings: GenerateImagesSettings, code: str) -> str:
    """The file name of a planned image: a hash of everything that decides its pixels.

    `word` is that in the prompt and `code` the fingerprint of `img2img`. The model's hash or revision stands for its
    scheduler too. The micro-batch is not part of the name: it only changes rounding.
    """
    model = settings.diffusion
    digest = stable_hash(
        code,
        model.sha256 or f"{model.repository}@{model.revision}/{model.variant}",
        model.dtype,
        model.image_size,
        hashlib.sha256(word.vectors.numpy().tobytes()).hexdigest() if word else None,
        row.guide_sha256,
        row.prompt,
        row.noise_level,
        row.noise_seed,
        row.image_seed,
        settings.strength,
        settings.guidance_scale,
        settings.inference_steps,
        settings.negative_prompt,
        settings.resize_to_guide,
    )
    return image_file_name(digest)


def word_of(row: PlanRow, words: Mapping[str, Tensor]) -> Word | None:
    """The word in the row's prompt, out of `words` by class; none where the prompt holds the plain class name.

    It is the word of the row's own class, unless the plan names another. Raises `InputError` when it is missing.
    """
    for name in (row.class_name, *sorted(words)):
        token = pseudo_word(name)
        if token in row.prompt:
            if name not in words:
                raise InputError(
                    f"plan.csv: class `{row.class_name}` needs the word {token}, which the file of words lacks. Delete "
                    "that file and run Snakemake again"
                )
            return Word(token, words[name])
    return None


def missing_rows(rows: Sequence[PlanRow], names: Sequence[str], store: Path) -> list[tuple[PlanRow, str]]:
    """The planned images that the store lacks, with their names, each name once."""
    missing = {name: row for row, name in zip(rows, names, strict=True) if not (store / name).is_file()}
    return [(row, name) for name, row in missing.items()]


def generate(
    diffusion: Diffusion,
    rows: Sequence[tuple[PlanRow, str]],
    words: Mapping[str, Tensor],
    settings: GenerateImagesSettings,
    store: Path,
    micro_batch: int,
) -> None:
    """Generate the images of `rows` (plan row, file name) into `store`, each written whole or not at all.

    `words` holds the clean word [vectors, width] of each class, where words were learned. Rows of different guides and
    classes share passes of the fixed size `micro_batch`; what an image draws depends on its own seeds alone. When the
    GPU's memory runs out, the remaining images are made with half of it; each file records its own.
    """
    width = diffusion.text_encoder.config.hidden_size
    if others := [name for name, word in words.items() if word.shape[1] != width]:
        raise InputError(
            f"the word of `{others[0]}` has {words[others[0]].shape[1]} values, but the model's have {width}: another "
            "model learned it. Delete the file of words and run Snakemake again"
        )

    def fill(size: int) -> None:
        left = [(row, name) for row, name in rows if not (store / name).is_file()]
        made = to_text(torch_record(("torch", "diffusers", "transformers"), diffusion.device, micro_batch=size))
        images = _images(diffusion, [row for row, _ in left], words, settings, size)
        _write_all(images, [store / name for _, name in left], made, ahead=size)

    halve_when_full(micro_batch, fill)


def _images(
    diffusion: Diffusion,
    rows: Sequence[PlanRow],
    words: Mapping[str, Tensor],
    settings: GenerateImagesSettings,
    micro_batch: int,
) -> Iterator[Image.Image]:
    """The images of `rows` in their order, from passes of one fixed shape: a last one that is short is padded."""
    posteriors = _guide_posteriors(diffusion, rows, micro_batch)
    for start in range(0, len(rows), micro_batch):
        chunk = list(rows[start : start + micro_batch])
        padded = chunk + [chunk[-1]] * (micro_batch - len(chunk))
        guides = [posteriors[row.guide_sha256] for row in padded]
        images = generate_batch(diffusion, padded, guides, [word_of(row, words) for row in padded], settings)
        yield from images[: len(chunk)]


def _guide_posteriors(diffusion: Diffusion, rows: Sequence[PlanRow], micro_batch: int) -> dict[str, Posterior]:
    """The posterior of each guide image among `rows`, by its hash."""
    paths = {row.guide_sha256: Path(row.guide_path) for row in rows}
    for digest, path in paths.items():
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise InputError(
                f"{path}: the photo changed since it was indexed. Restore it, or delete the dataset's images.csv and "
                "run Snakemake again"
            )
    if not paths:
        return {}
    return dict(zip(paths, encode_guides(diffusion, list(paths.values()), micro_batch), strict=True))


def _write_all(images: Iterator[Image.Image], paths: Sequence[Path], made: str, *, ahead: int) -> None:
    """Write each image as it comes, beside the next pass; a full disk is reported at most `ahead` images later."""
    writes: deque[Future[None]] = deque()
    with ThreadPoolExecutor(WRITERS) as writers:
        counted = progress(images, total=len(paths), progress_label="generating", unit="images")
        for image, path in zip(counted, paths, strict=True):
            writes.append(writers.submit(_write_png, image, path, made))
            if len(writes) > ahead:
                writes.popleft().result()
    for write in writes:
        write.result()


def _write_png(image: Image.Image, path: Path, made: str) -> None:
    """Write an image, with what it was made with as a text in its file."""
    texts = PngInfo()
    texts.add_text(MADE_WITH, made)
    with atomic_path(path) as temporary:
        # Level 1 is three times as fast as the default and as lossless.
        image.save(temporary, format="PNG", compress_level=1, pnginfo=texts)


def manifest_of(rows: Sequence[PlanRow], names: Sequence[str], store: Path) -> tuple[list[ManifestRow], list[MadeWith]]:
    """The manifest of the planned images, all of which lie in `store`, and what each of them was made with.

    Raises `InputError` naming a file there that `generate` did not write.
    """
    manifest, records = [], []
    for row, name in zip(rows, names, strict=True):
        content = (store / name).read_bytes()
        record = _read_made_with(content, store / name)
        records.append(record)
        manifest.append(
            ManifestRow(
                file_name=name,
                class_name=row.class_name,
                guide=row.guide,
                number=row.number,
                prompt=row.prompt,
                noise_level=row.noise_level,
                noise_seed=row.noise_seed,
                image_seed=row.image_seed,
                sha256=hashlib.sha256(content).hexdigest(),
                micro_batch=int(dict(record)["micro_batch"]),
            )
        )
    return manifest, records


def _read_made_with(content: bytes, path: Path) -> MadeWith:
    """What an image was made with, as its file records it."""
    try:
        with Image.open(BytesIO(content), formats=["PNG"]) as image:
            record = from_text(image.info[MADE_WITH])
            int(dict(record)["micro_batch"])
            return record
    except (OSError, KeyError, ValueError):
        raise InputError(f"{path}: corrupt image. Delete it and run Snakemake again: rm {path}") from None
