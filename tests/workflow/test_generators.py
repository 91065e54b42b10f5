"""Generators beyond the paper's own, through the real workflow: plain names, tables of prompts, ceilings, options."""

import csv
from pathlib import Path

CELL = "results/tiny/world/seed7/shots2"
CLASSES = ("car", "pine_tree", "sail_boat", "star")
COMMON = {"strength": 0.7, "guidance_scale": 4, "images_per_guide": 2, "inference_steps": 4}
GENERATORS = {
    "real_guidance": COMMON,
    "by_hand": {**COMMON, "prompts": "mine", "negative_prompt": "a drawing", "resize_to_guide": True},
    "published": {
        **COMMON,
        "embedding": "long",
        "prompts": "composed",
        "noise_levels": [0, 0.005, 0.01, 0.025],
        "noise_draw": "class",
        "turns": "number",
        "word_match": "substring",
    },
    "fitted": {**COMMON, "embedding": "long", "noise_levels": [0.01, 0.02], "noise_ceiling": "own"},
}


def extend(config: dict) -> None:
    config["embeddings"]["long"] = {"steps": 2, "batch": 2, "vectors": 4, "initializer": "{class_name}"}
    config["prompts"]["mine"] = {"source": "table", "file": "config/mine.csv"}
    folder = "config/instructions/composed"
    asked = {
        "adjectives": f"{folder}/adjectives.txt",
        "settings": f"{folder}/settings.txt",
        "max_tokens": 8,
        "attempts": 200,
    }
    config["prompts"]["composed"] = {"source": "composed", "per_class": 2, **asked}
    steps = {"images_per_level": 2, "guidance_scale": 4, "inference_steps": 4}
    config["noise_ceilings"] = {
        "own": {"embedding": "long", "guide_classifier": "paper", "levels": [0.01, 0.1, 1], **steps}
    }
    config["generators"].update(GENERATORS)
    for name in GENERATORS:
        config["methods"][name] = {"generator": name, "synthetic_probability": 0.5}


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_way_to_generate_ends_in_a_manifest(changeable):
    changeable.configure(extend)
    prompts = [f"{name},a {name.replace('_', ' ')} {place}" for name in CLASSES for place in ("at sea", "in snow")]
    (changeable.folder / "config/mine.csv").write_text("\n".join(["class,prompt", *prompts, "\n"]))
    changeable.make("--cores", "2", *(f"{CELL}/synthetic/{name}/manifest.csv" for name in GENERATORS))
    sets = {name: table(changeable.folder / CELL / f"synthetic/{name}/manifest.csv") for name in GENERATORS}
    assert {len(rows) for rows in sets.values()} == {len(CLASSES) * 2 * 2}

    assert {row["prompt"] for row in sets["real_guidance"]} == {
        f"a photo of a {name.replace('_', ' ')}" for name in CLASSES
    }
    assert {row["prompt"] for row in sets["by_hand"]} == {line.split(",")[1] for line in prompts}
    for name in CLASSES:
        published = [row for row in sets["published"] if row["class"] == name]
        assert {float(row["noise_level"]) for row in published} == {0.0, 0.005}
        assert len({row["noise_seed"] for row in published}) == 2
        assert all(f"<{name}> in a" in row["prompt"] for row in published)

    trials = table(changeable.folder / CELL / "noise_ceilings/own.csv")
    ceilings = {row["class"]: float(row["level"]) for row in trials if row["ceiling"] == "true"}
    assert set(ceilings) == set(CLASSES)
    for row in sets["fitted"]:
        ceiling = ceilings[row["class"]]
        assert float(row["noise_level"]) in (ceiling / 2, ceiling)
    assert changeable.plan(*(f"{CELL}/synthetic/{name}/manifest.csv" for name in GENERATORS)) == set()


def test_problems_of_a_table_stop_the_job_with_all_of_them(changeable):
    changeable.configure(extend)
    (changeable.folder / "config/mine.csv").write_text("class,prompt\ncar,a truck\nstars,a star\n")
    result = changeable.snakemake("--cores", "1", "results/tiny/world/prompts/mine.csv")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    for part in ("line 2: the prompt `a truck`", "did you mean `star`?", "class `pine_tree` has no prompt"):
        assert part in result.stdout
