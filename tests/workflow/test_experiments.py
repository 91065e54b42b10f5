"""The experiments that come with the project, planned to the last job without any of their photos being here."""

import re

import pytest
import yaml

from tests.workflow.project import ROOT

PAGE = ROOT.joinpath("docs/own_photos.md").read_text("utf-8")


def planned(project, file: str) -> dict[str, int]:
    """The number of jobs of each rule that Snakemake would run."""
    for dataset in yaml.safe_load((project.folder / file).read_text("utf-8"))["datasets"].values():
        (project.folder / dataset["root"]).mkdir(parents=True)
    (project.folder / "demo/models").symlink_to(ROOT / "demo/models")
    result = project.snakemake("--dry-run", "--configfile", file)
    assert result.returncode == 0, result.stdout
    table = result.stdout.split("Job stats:")[1].split("\n\n")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    ["config/paper.yaml", "config/published_code.yaml", "config/demo_experiments.yaml", "config/demo_rare.yaml"],
)
def test_every_cell_of_every_method_is_planned(fresh, file):
    config = yaml.safe_load((fresh.folder / file).read_text("utf-8"))
    jobs = planned(fresh, file)
    cells = len(config["datasets"]) * len(config["seeds"]) * len(config["shots"])
    used = {method.get("generator") for method in config["methods"].values()} - {None}
    assert used == set(config["generators"]), "a generator is of no use"
    assert jobs["train_downstream"] == cells * len(config["methods"])
    assert jobs["generate_images"] == jobs["plan_generation"] == cells * len(config["generators"])
    assert jobs["learn_embeddings"] == cells * len(config["embeddings"])
    assert jobs["write_prompts"] == len(config["datasets"]) * len(config["prompts"])
    assert f"| `{file}` | {jobs['total']:,} |" in PAGE
