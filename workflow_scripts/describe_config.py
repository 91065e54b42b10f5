"""Write config/schema.json and the tables of keys in config/README.md from the models of the configuration."""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diagen.config import Config
from diagen.errors import InputError
from diagen.files.atomic import atomic_path
from diagen.runtime.program import run

START, END = "<!-- keys: written by describe_config.py -->", "<!-- end of keys -->"
BLOCKS = {
    "Models": "models",
    "DiffusionModel": "models.diffusion",
    "LlamaModel": "models.llama",
    "FeatureModel": "models.features",
    "BackboneModel": "models.backbone",
    "ImageFolder": "datasets.<name>, adapter image_folder",
    "CustomCoco": "datasets.<name>, adapter custom_coco",
    "Focus": "datasets.<name>, adapter focus",
    "Coco": "datasets.<name>, adapter coco",
    "DrawnWorld": "datasets.<name>, adapter drawn_world",
    "Embedding": "embeddings.<name>",
    "LlamaPrompts": "prompts.<name>, source llama",
    "ComposedPrompts": "prompts.<name>, source composed",
    "EndpointPrompts": "prompts.<name>, source endpoint",
    "PromptTable": "prompts.<name>, source table",
    "NoiseCeiling": "noise_ceilings.<name>",
    "Generator": "generators.<name>",
    "GuideClassifier": "guide_classifiers.<name>",
    "Weighting": "weightings.<name>",
    "Method": "methods.<name>",
    "Downstream": "downstream, recipes.<name>",
    "Diversity": "diversity",
    "Evaluation": "evaluation",
    "Leakage": "leakage",
    "Execution": "execution",
}


def schema_text() -> str:
    """The JSON schema (draft 2020-12) of a configuration file."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def keys_text() -> str:
    """Markdown: one table of keys for the top level and for each block, in the order of `BLOCKS`."""
    schema = Config.model_json_schema()
    definitions = schema["$defs"]
    missing = set(definitions) - set(BLOCKS)
    if missing:
        raise ValueError(
            f"workflow_scripts/describe_config.py: BLOCKS lacks {', '.join(sorted(missing))}; add a heading"
        )
    sections = [("Top level", schema)] + [(f"`{place}`", definitions[name]) for name, place in BLOCKS.items()]
    return "\n".join(line for heading, block in sections for line in _section(heading, block))


def _section(heading: str, block: dict[str, Any]) -> Iterator[str]:
    yield f"### {heading}\n"
    if heading != "Top level":
        yield _summary(block) + "\n"
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in block["properties"].items():
        default = "required" if key in block.get("required", []) else _default(field)
        cells = (f"`{key}`", _type(field), default, field.get("description", "see below"))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _summary(block: dict[str, Any]) -> str:
    return block["description"].split("\n\n")[0].replace("\n", " ")


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None:
        return "none"
    return "see below" if isinstance(value, dict) and value else f"`{json.dumps(value)}`"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "block"
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if kinds := field.get("anyOf", field.get("oneOf")):
        return " or ".join(_type(kind) for kind in kinds if kind.get("type") != "null")
    if field["type"] == "array":
        return "list of " + _type(field["items"])
    if field["type"] == "object":
        return "named blocks"
    return field["type"] + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    names = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
        "multipleOf": "multiple of",
    }
    return ",".join(f" {sign} {field[name]:.10g}" for name, sign in names.items() if name in field)


def with_keys(readme: str) -> str:
    """The text of config/README.md with new tables of keys between the two marks. Raises `InputError` without marks."""
    if START not in readme or END not in readme:
        raise InputError(
            f"config/README.md: lacks the marks `{START}` and `{END}`; insert them where the tables belong"
        )
    return re.sub(f"{START}.*{END}", lambda _: f"{START}\n\n{keys_text()}\n{END}", readme, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("config"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is outdated")
    arguments = parser.parse_args()

    readme = arguments.folder / "README.md"
    texts = {readme: with_keys(readme.read_text(encoding="utf-8")), arguments.folder / "schema.json": schema_text()}
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if arguments.check:
        if stale:
            sys.exit(
                f"{', '.join(map(str, stale))}: outdated. Write the current state: "
                ".venv/bin/python workflow_scripts/describe_config.py"
            )
        return
    for path in stale:
        with atomic_path(path) as temporary:
            temporary.write_text(texts[path], encoding="utf-8")


if __name__ == "__main__":
    run(main)
