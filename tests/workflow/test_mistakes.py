"""The real Snakemake reports all errors of a configuration together, without a traceback."""

import pytest


def error_message(project, change=None):
    if change:
        project.configure(change)
    result = project.snakemake("--dry-run")
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    assert "config/tiny.yaml" in result.stdout
    return result.stdout


def test_all_problems_are_reported_together(fresh):
    def spoil(config):
        config["sheds"] = [1]
        config["shots"] = ["two"]
        config["generators"]["diagen"]["strenght"] = 0.7
        config["methods"]["diagen"]["weighting"] = "none_such"
        config["embeddings"]["paper"]["steps"] = 0

    text = error_message(fresh, spoil)
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
        (lambda config: config["methods"]["standard"].update(weighting="paper"), "only valid with a generator"),
        (lambda config: config.update(guide_pool=1), "guide_pool"),
    ],
    ids=["missing model", "invalid combination", "too small a pool"],
)
def test_each_problem_names_its_key(fresh, change, problem):
    assert problem in error_message(fresh, change)


def test_a_repeated_key_is_reported_with_the_other_problems(fresh):
    with open(fresh.folder / "config/tiny.yaml", "a") as file:
        file.write("shots: [2]\nsheds: 1\n")
    text = error_message(fresh)
    assert (
        "`shots`: repeated in lines" in text
        and "of config/tiny.yaml; remove all but one" in text
        and "`sheds`: unknown key" in text
    )
