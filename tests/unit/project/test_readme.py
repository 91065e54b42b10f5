"""What README.md claims about files, targets, commands and configurations is so."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from diagen.config import load_config

README = Path("README.md").read_text(encoding="utf-8")
PAGES = {path: Path(path).read_text(encoding="utf-8") for path in ("README.md", "config/README.md")}


def code_blocks(text: str, language: str = "") -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in fenced if name == language]


@pytest.fixture
def readers_folder(tmp_path, monkeypatch):
    """A working directory in which the photos and models of the pages' examples lie."""
    for path in re.findall(r"(?:path|root): ([\w./-]+)", "".join(PAGES.values())):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
    shutil.copytree("config/instructions", tmp_path / "config" / "instructions")
    for table in re.findall(r"file: (config/[\w./-]+\.csv)", PAGES["config/README.md"]):
        (tmp_path / table).write_text("class,prompt\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", PAGES[page])
    missing = [link for link in links if not (Path(page).parent / link).exists()]
    assert not missing


def test_files_named_in_the_text_exist():
    paths = re.findall(r"`(?:python )?((?:workflow_scripts|rules|config|demo|tests)/[\w./-]*)[^`<]*`", README)
    made_by_the_reader = {"config/mine.yaml"}
    missing = [path for path in set(paths) - made_by_the_reader if not Path(path).exists()]
    assert paths and not missing


def test_the_picture_is_a_small_png():
    picture = Path("docs/gallery.png")
    with Image.open(picture) as image:
        assert image.format == "PNG" and image.width >= 600
    assert picture.stat().st_size < 1_000_000


def test_make_targets_exist():
    targets = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(re.findall(r"`[^`]*`|^make .*$", README, re.MULTILINE))))
    rules = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {"demo", "test", "lint"} <= targets <= rules


def test_the_example_configuration_is_valid(readers_folder):
    (example,) = code_blocks(README, "yaml")
    config = load_config(yaml.safe_load(example), "config/mine.yaml")
    assert f"results/{config.experiment}/report.html" in README


def test_the_configuration_pages_blocks_are_valid_in_the_example(readers_folder):
    (example,) = code_blocks(README, "yaml")
    config = yaml.safe_load(example)
    for block in code_blocks(PAGES["config/README.md"], "yaml"):
        for key, entries in yaml.safe_load(block).items():
            config[key] = {**config.get(key, {}), **entries}
    load_config(config, "config/mine.yaml")


@pytest.mark.parametrize("page", PAGES)
def test_commands_use_options_that_snakemake_has(page):
    from snakemake.cli import get_argument_parser

    known = {option for action in get_argument_parser()._actions for option in action.option_strings}
    lines = [line for block in code_blocks(PAGES[page]) for line in block.splitlines() if "snakemake" in line]
    used = {word for line in lines for word in line.split() if word.startswith("--")}
    assert used and used <= known


@pytest.mark.parametrize("page", PAGES)
def test_targets_stand_before_configuration_files(page):
    """`--configfile` takes all that follows it up to the next option."""
    lines = [line for block in code_blocks(PAGES[page]) for line in block.splitlines() if "--configfile" in line]
    assert all(re.search(r"--configfile [^ ]+( --|$)", line) for line in lines)
