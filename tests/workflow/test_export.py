"""`export_dataset` by the real Snakemake: a dataset for each method with images, and only what was asked for."""

import csv

from datasets import load_dataset

EXPORT = "results/tiny/export/world/seed7/shots2"


def test_each_method_with_images_becomes_a_dataset(changeable, tmp_path):
    changeable.make("--cores", "2", "export_dataset")
    assert {path.name for path in (changeable.folder / EXPORT).iterdir()} == {"da_fusion", "diagen"}
    with open(changeable.folder / "results/tiny/world/seed7/shots2/synthetic/diagen/weights/paper.csv") as file:
        weights = sorted(float(row["weight"]) for row in csv.DictReader(file))
    folder = changeable.folder / EXPORT / "diagen"
    images = load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache"), split="train")
    assert set(images["label"]) == {"car", "pine_tree", "sail_boat", "star"}
    assert sum(not synthetic for synthetic in images["synthetic"]) == 4 * 2
    assert sorted(weight for weight in images["weight"] if weight is not None) == weights
    assert images[0]["image"].mode == "RGB"
    assert "stable_diffusion" in (folder / "README.md").read_text("utf-8")
    assert changeable.plan("export_dataset") == set()
    changeable.configure(lambda config: config["methods"]["diagen"].update(synthetic_probability=0.5))
    assert {str(job) for job in changeable.plan("export_dataset")} == {"export_dataset", "export_cell diagen"}


def test_one_export_is_made_alone(changeable):
    changeable.make("--cores", "2", f"{EXPORT}/da_fusion/metadata.csv")
    assert [path.name for path in (changeable.folder / EXPORT).iterdir()] == ["da_fusion"]
