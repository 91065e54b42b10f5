"""Generation fills in the plan: img2img from each guide image with its class's word, noise and prompt (section 3)."""

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
from diagen.generation.img2img import Posterior, Word, generate_batch
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.generation.plan_file import PlanRow
from diagen.images import load_image
from diagen.models.diffusion import Diffusion, encode_posteriors, image_to_tensor
from diagen.models.pseudo_words import pseudo_word
from diagen.runtime.gpu_memory import halve_when_full
from diagen.runtime.progress import progress
from diagen.seeds import stable_hash

MICRO_BATCH = "micro_batch"  # the key of that text in the images' files
WRITERS = 2  # threads that encode PNGs beside the next forward pass


def word_of(row: PlanRow, words: Mapping[str, Tensor]) -> Word | None:
    """The word in the row's prompt, out of `words` by class; none where the prompt holds the plain class name.

    It is the word of the row's own class, unless the plan says otherwise. Raises `InputError` when it wasn't learned.
    """
    for name in (row.class_name, *sorted(words)):
        token = pseudo_word(name)
        if token in row.prompt:
            if name not in words:
                raise InputError(f"the plan has the word {token}, which wasn't learned; run learn_embeddings again")
            return Word(token, words[name])
    return None


def image_name(row: PlanRow, word: Word | None, settings: GenerateImagesSettings, code: str) -> str:
    """The file name in the store of a planned image: a hash of everything that decides its pixels.

    `word` is that in the prompt and `code` the fingerprint of the code that generates. The model's hash or revision
    stands for its scheduler too. The micro-batch isn't among them: it only rounds.
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
    return f"images/{digest[:2]}/{digest}.png"


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
    GPU's memory runs out, the images that are left are made with half of it; each tells its own.
    """
    width = diffusion.text_encoder.config.hidden_size
    if others := [name for name, word in words.items() if word.shape[1] != width]:
        raise InputError(
            f"the word of `{others[0]}` has {words[others[0]].shape[1]} values, and the model's have {width}: it was "
            "learned with another model; run learn_embeddings again"
        )
    halve_when_full(
        micro_batch,
        lambda size: _generate(
            diffusion, [(row, name) for row, name in rows if not (store / name).is_file()], words, settings, store, size
        ),
    )


def _generate(
    diffusion: Diffusion,
    rows: Sequence[tuple[PlanRow, str]],
    words: Mapping[str, Tensor],
    settings: GenerateImagesSettings,
    store: Path,
    micro_batch: int,
) -> None:
    posteriors = _guide_posteriors(diffusion, [row for row, _ in rows], micro_batch)
    writes: deque[Future[None]] = deque()
    with ThreadPoolExecutor(WRITERS) as writers:
        images = _images(diffusion, [row for row, _ in rows], posteriors, words, settings, micro_batch)
        counted = progress(images, total=len(rows), label="generating", unit="images")
        for image, (_, name) in zip(counted, rows, strict=True):
            writes.append(writers.submit(_write_png, image, store / name, micro_batch))
            if len(writes) > micro_batch:  # a full disk is told now, and not when all images have been computed
                writes.popleft().result()
    for write in writes:
        write.result()


def _images(
    diffusion: Diffusion,
    rows: Sequence[PlanRow],
    posteriors: Mapping[str, Posterior],
    words: Mapping[str, Tensor],
    settings: GenerateImagesSettings,
    micro_batch: int,
) -> Iterator[Image.Image]:
    for start in range(0, len(rows), micro_batch):
        chunk = list(rows[start : start + micro_batch])
        padded = chunk + [chunk[-1]] * (micro_batch - len(chunk))
        guides = [posteriors[row.guide_sha256] for row in padded]
        images = generate_batch(diffusion, padded, guides, [word_of(row, words) for row in padded], settings)
        for image, guide in zip(images[: len(chunk)], guides, strict=False):
            yield image.resize(guide.size, Image.Resampling.BILINEAR) if settings.resize_to_guide else image


def _guide_posteriors(diffusion: Diffusion, rows: Sequence[PlanRow], micro_batch: int) -> dict[str, Posterior]:
    """The posterior of each guide image among `rows`, by its hash. Guides are squashed to the model's size."""
    paths = {row.guide_sha256: Path(row.guide_path) for row in rows}
    tensors, sizes = [], []
    for digest, path in paths.items():
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise InputError(f"{path} isn't the image that was planned with: its hash differs; run index_dataset again")
        guide = load_image(path)
        tensors.append(image_to_tensor(guide, diffusion.image_size, Image.Resampling.BILINEAR))
        sizes.append(guide.size)
    if not tensors:
        return {}
    means, deviations = encode_posteriors(diffusion, tensors, micro_batch)
    return {digest: Posterior(*parts) for digest, *parts in zip(paths, means, deviations, sizes, strict=True)}


def _write_png(image: Image.Image, path: Path, micro_batch: int) -> None:
    """Write an image, with the micro-batch that it was made in as a text in its file."""
    told = PngInfo()
    told.add_text(MICRO_BATCH, str(micro_batch))
    with atomic_path(path) as temporary:
        # Level 1 is three times as fast as the default and as lossless.
        image.save(temporary, format="PNG", compress_level=1, pnginfo=told)


def _read_micro_batch(content: bytes, path: Path) -> int:
    """The micro-batch that an image's file tells."""
    try:
        with Image.open(BytesIO(content), formats=["PNG"]) as image:
            return int(image.info[MICRO_BATCH])
    except (OSError, KeyError, ValueError):
        raise InputError(f"{path} isn't as generate_images wrote it; remove it and run again") from None


def write_manifest_of(rows: Sequence[PlanRow], names: Sequence[str], store: Path, path: Path) -> None:
    """Write the manifest of the planned images, all of which lie in `store`.

    Raises `InputError` when a file there isn't one that `generate` wrote.
    """
    manifest = []
    for row, name in zip(rows, names, strict=True):
        content = (store / name).read_bytes()
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
                micro_batch=_read_micro_batch(content, store / name),
            )
        )
    write_manifest(manifest, path)
