"""What must hold inside generators and noise ceilings, and between them and the blocks that they refer to."""

from collections.abc import Iterator, Mapping
from typing import Any

from diagen.config.blocks import Generator, NoiseCeiling


def generator_problems(sections: Mapping[str, Any]) -> set[str]:
    """Problems of the generators and noise ceilings that parsed."""
    ceilings = sections["noise_ceilings"] or {}
    problems = set()
    for name, ceiling in ceilings.items():
        key = f"`noise_ceilings.{name}"
        problems |= {f"{key}.{problem}" for problem in (*_step_problems(ceiling), *_level_problems(ceiling, "levels"))}
    for name, generator in (sections["generators"] or {}).items():
        found = (
            *_step_problems(generator),
            *_level_problems(generator, "noise_levels"),
            *_noise_problems(generator),
            *_ceiling_problems(generator, ceilings),
        )
        problems |= {f"`generators.{name}.{problem}" for problem in found}
    return problems


def _step_problems(block: Generator | NoiseCeiling) -> Iterator[str]:
    kept = min(int(block.inference_steps * block.strength), block.inference_steps)
    if kept < 1:
        yield (
            f"strength`: {block.strength} of {block.inference_steps} steps leaves no step to do; raise `strength` or "
            "`inference_steps`"
        )


def _level_problems(block: Generator | NoiseCeiling, field: str) -> Iterator[str]:
    levels = getattr(block, field)
    if len(set(levels)) != len(levels):
        yield f"{field}`: a level stands there twice; name each once"


def _noise_problems(generator: Generator) -> Iterator[str]:
    """What means nothing without something else, and the way out."""
    if generator.embedding is None and any(generator.noise_levels):
        yield "noise_levels`: noise is added to learned words; name an `embedding` or leave it out"
    if not generator.noise_levels:
        for field, default in (("noise_draw", "image"), ("word_match", "exact")):
            if getattr(generator, field) != default:
                yield f"{field}`: means nothing without noise; name `noise_levels` or leave it out"
    if generator.negative_prompt and generator.guidance_scale == 1:
        yield "negative_prompt`: does nothing at guidance scale 1; raise `guidance_scale` or leave it out"


def _ceiling_problems(generator: Generator, ceilings: Mapping[str, NoiseCeiling]) -> Iterator[str]:
    if generator.noise_ceiling is None:
        if generator.ceiling_use != "scale":
            yield "ceiling_use`: means nothing without a ceiling; name a `noise_ceiling` or leave it out"
        return
    if not any(generator.noise_levels):
        yield "noise_ceiling`: there is no noise to fit; give `noise_levels` above 0 or leave it out"
    ceiling = ceilings.get(generator.noise_ceiling)
    if ceiling is not None and generator.embedding is not None and ceiling.embedding != generator.embedding:
        yield (
            f"noise_ceiling`: `{generator.noise_ceiling}` was found for the words of `{ceiling.embedding}`; name one "
            f"for those of `{generator.embedding}`"
        )
