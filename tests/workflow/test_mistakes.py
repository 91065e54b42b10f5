"""Mistakes in a configuration are told by the real Snakemake at once, all of them, and without a traceback."""

import pytest


def complaint(project, change=None):
    if change:
        project.configure(change)
    result = project.snakemake("--dry-run")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    assert "config/tiny.yaml" in result.stdout
    return result.stdout


def test_all_problems_are_told_together(fresh):
    def spoil(config):
        config["sheds"] = [1]
        config["shots"] = ["two"]
        config["generators"]["diagen"]["strenght"] = 0.7
        config["methods"]["diagen"]["weighting"] = "none_such"
        config["embeddings"]["paper"]["steps"] = 0

    text = complaint(fresh, spoil)
    for problem in (
        "`sheds`: unknown key",
        "`shots.0`",
        "did you mean `strength`",
        "none_such",
        "embeddings.paper.steps",
    ):
        assert problem in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda config: config["models"]["llama"].update(path="nowhere.gguf"), "nowhere.gguf"),
        (lambda config: config["methods"]["standard"].update(weighting="paper"), "without a generator"),
        (lambda config: config.update(guide_pool=1), "guide_pool"),
    ],
    ids=["missing model", "impossible combination", "too small a pool"],
)
def test_each_problem_names_its_key(fresh, change, problem):
    assert problem in complaint(fresh, change)


def test_a_key_that_stands_twice_is_told_with_the_other_problems(fresh):
    with open(fresh.folder / "config/tiny.yaml", "a") as file:
        file.write("shots: [2]\nsheds: 1\n")
    text = complaint(fresh)
    assert (
        "`shots`: stands in the lines" in text
        and "of config/tiny.yaml; keep one" in text
        and "`sheds`: unknown key" in text
    )
