"""Generate each planned image once into the store, and compose the manifest."""

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from diagen.config.programs import GenerateImagesSettings
from diagen.config.relations import schedule_problems
from diagen.errors import InputError, delete_and_rerun, wider_dtype
from diagen.files.atomic import atomic_path
from diagen.files.made_with import MadeWith, from_text, to_text
from diagen.files.store_layout import image_file_name
from diagen.generation import img2img
from diagen.generation.img2img import Posterior, Word, encode_guides, generate_batch
from diagen.generation.manifest_file import ManifestRow
from diagen.generation.plan_file import PlanRow
from diagen.images import require_indexed
from diagen.models.diffusion import Diffusion
from diagen.models.pseudo_words import pseudo_word
from diagen.runtime.execution import compiled
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.gpu_memory import halve_when_full
from diagen.runtime.made_with import torch_record
from diagen.runtime.progress import progress
from diagen.seeds import stable_hash

IMAGE_SOURCES = (Path(img2img.__file__),)
"""The modules that decide pixels: a change of their code renames every image."""
PACKAGES = ("torch", "diffusers", "transformers")  # whose versions are recorded
MADE_WITH = "made_with"  # key of the record among the texts of a PNG file
FAILURES = 20  # images that are not finite: so many are listed in an error, and end generation if no other is finite
WRITERS = 2  # threads that encode PNGs during the next forward pass


def image_names(rows: Sequence[PlanRow], words: Mapping[str, Tensor], settings: GenerateImagesSettings) -> list[str]:
    """Return the file name in the store of each planned image; `words` has the vectors of each class, without noise."""
    code = fingerprint(*IMAGE_SOURCES)
    return [image_name(row, word_of(row, words), settings, code) for row in rows]


def image_name(row: PlanRow, word: Word | None, settings: GenerateImagesSettings, code: str) -> str:
    """Return the file name of a planned image: a hash of everything that decides its pixels.

    `word` is the word in the prompt, `code` the fingerprint of `img2img`. The model's identity covers its
    scheduler. The micro-batch is not part of the name, since it only changes rounding.
    """
    model = settings.diffusion
    digest = stable_hash(
        code,
        model.identity,
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
    """Find the word in the row's prompt among `words` by class; `None` if the prompt has the plain class name.

    This is the word of the row's class, unless the prompt has another class's token. Raises `InputError` when `words`
    lacks it.
    """
    # Sorting hundreds of names for each of thousands of rows would dominate the naming of images.
    for name in [row.class_name] if pseudo_word(row.class_name) in row.prompt else sorted(words):
        token = pseudo_word(name)
        if token in row.prompt:
            if name not in words:
                raise InputError(
                    f"plan.csv: class `{row.class_name}` needs the word {token}, which the file of words lacks. Delete "
                    "this file, embeddings/<name>.safetensors in the cell's folder, and run Snakemake again"
                )
            return Word(token, words[name])
    return None


def missing_rows(rows: Sequence[PlanRow], names: Sequence[str], store: Path) -> list[tuple[PlanRow, str]]:
    """List the planned images that are not in the store, with their names, each name once."""
    missing = {name: row for row, name in zip(rows, names, strict=True) if not (store / name).is_file()}
    return [(row, name) for name, row in missing.items()]


def generate(
    diffusion: Diffusion,
    rows: Sequence[tuple[PlanRow, str]],
    words: Mapping[str, Tensor],
    settings: GenerateImagesSettings,
    store: Path,
    micro_batch: int,
    *,
    compile_unet: bool = False,
) -> None:
    """Generate the images of `rows` (plan row, file name) into `store`; each write is atomic.

    `words` has the learned word [vectors, width] of each class, without noise. Rows of different guide images and
    classes share passes of the fixed batch size `micro_batch`; the random numbers of an image depend only on its own
    seeds. When the GPU runs out of memory, the micro-batch is halved for the remaining images. Each file records its
    micro-batch and `compile_unet`, whether passes run through a UNet that torch compiles first.
    Raises `InputError` when the words have another width than the model's, when the model's schedule does not have the
    timestep of the strength, when torch cannot compile, and, after all other images are in the store, for images that
    are not finite.
    """
    trained = diffusion.scheduler.config.num_train_timesteps
    if problems := list(schedule_problems(settings, trained)):
        raise InputError("; ".join(f"`{key}`: {problem}" for key, problem in problems))
    width = diffusion.text_encoder.config.hidden_size
    if others := [name for name, word in words.items() if word.shape[1] != width]:
        raise InputError(
            f"the word of `{others[0]}` has {words[others[0]].shape[1]} values, but those of `models.diffusion` have "
            f"{width}: another model learned it. Delete the file of words, embeddings/<name>.safetensors in the cell's "
            "folder, and run Snakemake again"
        )

    def fill(size: int) -> None:
        left = [(row, store / name) for row, name in rows if not (store / name).is_file()]
        made = to_text(torch_record(PACKAGES, diffusion.device, micro_batch=size, compiled=compile_unet))
        _write_all(_images(used, left, words, settings, size), len(left), made, ahead=size)

    unet = compiled(diffusion.unet, diffusion.device) if compile_unet else diffusion.unet
    used = replace(diffusion, unet=unet)
    halve_when_full(micro_batch, fill)


def _images(
    diffusion: Diffusion,
    rows: Sequence[tuple[PlanRow, Path]],
    words: Mapping[str, Tensor],
    settings: GenerateImagesSettings,
    micro_batch: int,
) -> Iterator[tuple[Image.Image, Path]]:
    """Yield the images of `rows` with their paths, from passes of one fixed shape: a short last pass is padded.

    Images that are not finite are left out. Raises `InputError` with them after the last image, or as soon as there are
    `FAILURES` of them and no other image.
    """
    posteriors = _guide_posteriors(diffusion, [row for row, _ in rows], micro_batch)
    failed: list[PlanRow] = []
    tried = 0
    for start in range(0, len(rows), micro_batch):
        chunk = rows[start : start + micro_batch]
        plan = [row for row, _ in chunk]
        plan += [plan[-1]] * (micro_batch - len(chunk))
        guides = [posteriors[row.guide_sha256] for row in plan]
        images = generate_batch(diffusion, plan, guides, [word_of(row, words) for row in plan], settings)
        for (row, path), image in zip(chunk, images[: len(chunk)], strict=True):
            if image is None:
                failed.append(row)
            else:
                yield image, path
        tried += len(chunk)
        if len(failed) == tried >= FAILURES:
            break
    if failed:
        raise InputError(
            f"models.diffusion: in {settings.diffusion.dtype}, these images are not finite and were not written: "
            f"{_listed(failed, untried=len(rows) - tried)}. {wider_dtype(settings.diffusion.dtype)}"
        )


def _listed(failed: Sequence[PlanRow], untried: int) -> str:
    """List the first `FAILURES` planned images, and the numbers of others."""
    shown = [
        f"class `{row.class_name}`, guide image {row.guide} ({row.guide_path}), number {row.number}"
        for row in failed[:FAILURES]
    ]
    hidden = len(failed) - len(shown)
    others = [f"and {hidden} more"] * (hidden > 0) + [f"{untried} others were not tried"] * (untried > 0)
    return "; ".join([*shown, *others])


def _guide_posteriors(diffusion: Diffusion, rows: Sequence[PlanRow], micro_batch: int) -> dict[str, Posterior]:
    """Encode each guide image of `rows`; the posteriors are keyed by its hash.

    Raises `InputError` if a photo changed, and for the photos of the first pass that is not finite.
    """
    guides = {row.guide_sha256: row for row in rows}
    paths = [Path(row.guide_path) for row in guides.values()]
    require_indexed(paths, guides)
    class_names = [row.class_name for row in guides.values()]
    posteriors: list[Posterior] = []
    # Pass by pass, because a decoded photo of 12 megapixels takes 36 MB and a cell may have hundreds of them.
    for start in range(0, len(paths), micro_batch):
        chunk = slice(start, start + micro_batch)
        posteriors += encode_guides(diffusion, paths[chunk], class_names[chunk], micro_batch)
    return dict(zip(guides, posteriors, strict=True))


def _write_all(images: Iterator[tuple[Image.Image, Path]], total: int, made: str, *, ahead: int) -> None:
    """Write images in threads, during the next pass; an error (full disk) is raised at most `ahead` images later."""
    writes: deque[Future[None]] = deque()
    with ThreadPoolExecutor(WRITERS) as writers:
        for image, path in progress(images, total=total, progress_label="generating", unit="images"):
            writes.append(writers.submit(_write_png, image, path, made))
            if len(writes) > ahead:
                writes.popleft().result()
    for write in writes:
        write.result()


def _write_png(image: Image.Image, path: Path, made: str) -> None:
    """Write an image atomically as PNG, with its record as a text in the file."""
    texts = PngInfo()
    texts.add_text(MADE_WITH, made)
    with atomic_path(path) as temporary:
        # Level 1 is three times as fast as the default; PNG is lossless at every level.
        image.save(temporary, format="PNG", compress_level=1, pnginfo=texts)


def manifest_of(rows: Sequence[PlanRow], names: Sequence[str], store: Path) -> tuple[list[ManifestRow], list[MadeWith]]:
    """Compose the manifest of the planned images, all of which are in `store`, and the record of each image.

    Raises `InputError` for a file that `generate` did not write.
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
    """Read the record of an image from its file. Raises `InputError` when it is missing or damaged."""
    try:
        with Image.open(BytesIO(content), formats=["PNG"]) as image:
            record = from_text(image.info[MADE_WITH])
            int(dict(record)["micro_batch"])
            return record
    except (OSError, KeyError, ValueError):
        raise InputError(f"{path}: corrupt image. {delete_and_rerun(path)}") from None
