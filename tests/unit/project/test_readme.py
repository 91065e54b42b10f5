"""README.md and the pages of docs/ name files, targets, options and configurations that exist."""

import ast
import re
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from diagen.config import load_config
from diagen.experiments import write
from tests.unit.experiments.photos import LARGE, write_photos

README = Path("README.md").read_text(encoding="utf-8")
PAGES = {path: Path(path).read_text(encoding="utf-8") for path in ("README.md", "config/README.md")}
SITE = {str(path): path.read_text(encoding="utf-8") for path in sorted(Path("docs").glob("*.md"))}
READER_FILES = {"config/mine.yaml", "config/demo_strong.yaml", "config/photos.yaml", "config/photos_images.yaml"}


def code_blocks(text: str, language: str = "") -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in fenced if name == language]


def commands_of(page: str) -> list[str]:
    """The page's calls of Snakemake, in blocks and in the text."""
    text = (PAGES | SITE)[page]
    lines = [line for block in code_blocks(text) for line in block.splitlines()]
    return [line for line in [*lines, *re.findall(r"`(\.venv/bin/[^`]*)`", text)] if "/snakemake " in line]


@pytest.fixture
def readers_folder(tmp_path, monkeypatch):
    """A working directory with the photos and models of the pages' examples, and photos in the reader's home."""
    for path in re.findall(r"(?:path|root): ([\w./-]+)", "".join(PAGES.values())):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
    shutil.copytree("config/instructions", tmp_path / "config" / "instructions")
    for table in re.findall(r"file: (config/[\w./-]+\.csv)", PAGES["config/README.md"]):
        (tmp_path / table).write_text("class,prompt\n", encoding="utf-8")
    write_photos(tmp_path / "home" / "photos", {"pine_tree": 3, "cat": 4})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(write, "this_machine", lambda: LARGE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(images_only=False):
    """The order and the configuration that `make experiment PHOTOS=~/photos` or `make images` writes."""
    photos = write.photo_folder("~/photos")
    name = write.name_from(photos) + "_images" * images_only
    order, _ = write.write_configuration(photos, name, images_only=images_only)
    return order, yaml.safe_load(Path(order.file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES | SITE)
def test_links_and_includes_name_existing_files(page):
    text = (PAGES | SITE)[page]
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", text)
    missing = [link for link in links if not (Path(page).parent / link).exists()]
    missing += [path for path in re.findall(r'^--8<-- "([^":]+)', text, re.MULTILINE) if not Path(path).exists()]
    assert not missing


@pytest.mark.parametrize("page", ["README.md", *SITE])
def test_files_named_in_the_text_exist(page):
    text = re.sub(r"^```.*?^```$", "", (PAGES | SITE)[page], flags=re.DOTALL | re.MULTILINE)
    paths = re.findall(r"`(?:python )?((?:workflow_scripts|rules|config|demo|tests)/[\w./-]*)[^`<]*`", text)
    missing = [path for path in set(paths) - READER_FILES if not Path(path).exists()]
    assert not missing


def test_the_picture_is_a_small_png():
    picture = Path("docs/gallery.png")
    with Image.open(picture) as image:
        assert image.format == "PNG" and image.width >= 600
    assert picture.stat().st_size < 1_000_000


@pytest.mark.parametrize("page", PAGES | SITE)
def test_make_targets_exist(page):
    commands = "\n".join(re.findall(r"`make [^`]*`|^make .*$", (PAGES | SITE)[page], re.MULTILINE))
    targets = set(re.findall(r"\bmake ([a-z-]+)", commands))
    rules = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert targets <= rules
    assert page != "README.md" or {"demo", "test", "lint"} <= targets


def test_the_first_commands_are_those_of_the_written_configuration(readers_folder):
    order, config = written()
    assert "make experiment PHOTOS=~/photos" in README and f"`{order.file}`" in README
    load_config(config, order.file)
    shown = [line for block in code_blocks(README) for line in block.splitlines()]
    first = shown.index(order.commands()[0][1])
    assert shown[first : first + 3] == [command for _, command in order.commands()]
    assert f"`{order.result}`" in README


def test_the_images_are_where_the_page_says(readers_folder):
    order, config = written(images_only=True)
    assert "make images PHOTOS=~/photos" in README and f"`{order.file}`" in README
    load_config(config, order.file, check_files=False)
    assert f"`{order.result.rstrip('/')}`" in README


@pytest.mark.parametrize("page", ["config/README.md", "docs/own_photos.md", "docs/gpus.md"])
def test_the_pages_blocks_are_valid_in_a_written_configuration(page, readers_folder):
    _, with_folds = written()
    tested = {"datasets": {"my_photos": {"adapter": "image_folder", "root": "photos"}}, "shots": [2]}
    config = {key: value for key, value in with_folds.items() if key != "evaluation"} | tested
    for block in code_blocks((PAGES | SITE)[page], "yaml"):
        values = yaml.safe_load(block)
        # Folds and datasets with test photos exclude each other.
        changed = with_folds | {"datasets": {}} if "evaluation" in values else config
        for key, entries in values.items():
            changed[key] = {**changed.get(key, {}), **entries} if isinstance(entries, dict) else entries
        load_config(changed, "config/mine.yaml", check_files=page in PAGES)


@pytest.mark.parametrize("page", PAGES | SITE)
def test_commands_use_options_that_snakemake_has(page):
    from snakemake.cli import get_argument_parser

    known = {option for action in get_argument_parser()._actions for option in action.option_strings}
    used = {word for line in commands_of(page) for word in line.split() if word.startswith("--")}
    assert used <= known
    assert used or page not in PAGES


@pytest.mark.parametrize("page", PAGES | SITE)
def test_targets_precede_configuration_files(page):
    """`--configfile` takes all arguments up to the next option."""
    lines = [line for line in commands_of(page) if "--configfile" in line]
    assert all(re.search(r"--configfile [^ ]+( --|$)", line) for line in lines)


@pytest.mark.parametrize("page", PAGES | SITE)
def test_commands_use_targets_that_exist(page):
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path("rules").glob("*.smk"))
    rules = set(re.findall(r"^(?:use )?rule (\w+)(?: as (\w+) with)?:", text, flags=re.MULTILINE))
    known = {name for names in rules for name in names if name}
    targets = {word for line in commands_of(page) for word in line.split() if re.fullmatch(r"[a-z]+_[a-z_]+", word)}
    assert targets <= known


def test_the_page_of_outputs_names_every_column():
    page = SITE["docs/outputs.md"]
    lacking = []
    for module in Path("workflow_scripts/diagen").rglob("*.py"):
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "").endswith("COLUMNS"):
                lacking += [(str(module), name) for name in ast.literal_eval(node.value) if f"`{name}`" not in page]
    assert not lacking
