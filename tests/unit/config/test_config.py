"""The configuration: valid ones load, and every error is reported with key and remedy, all together."""

import copy
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from diagen.config import Config, ConfigError, load_config
from tests.empty_models import write_empty_models

ROOT = Path(__file__).parents[3]
DEMO = yaml.safe_load((ROOT / "config/demo.yaml").read_text(encoding="utf-8"))
FILE = "config/some.yaml"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module", autouse=True)
def in_a_folder_with_the_named_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Configurations name files relative to the working directory: here all of them exist, as empty stand-ins."""
    folder = tmp_path_factory.mktemp("project")
    write_empty_models(folder, DEMO["models"])
    for block in DEMO["prompts"].values():
        path = folder / block["instruction"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ROOT / block["instruction"]).read_bytes())
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def demo() -> dict[str, Any]:
    return copy.deepcopy(DEMO)


def changed(key: str, value: object) -> dict[str, Any]:
    """The demo's configuration with the entry at the dotted `key` set to `value`."""
    mapping = demo()
    block = mapping
    *parents, last = key.split(".")
    for parent in parents:
        block = block[parent]
    block[last] = value
    return mapping


def without(key: str) -> dict[str, Any]:
    mapping = demo()
    block = mapping
    *parents, last = key.split(".")
    for parent in parents:
        block = block[parent]
    del block[last]
    return mapping


def problems(mapping: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(mapping, FILE)
    assert FILE in str(caught.value)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def only_problem(mapping: object) -> str:
    (problem,) = problems(mapping)
    return problem


@pytest.mark.parametrize("name", ["demo", "demo_full"])
def test_shipped_configurations_are_valid(name: str) -> None:
    mapping = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text(encoding="utf-8"))
    config = load_config(mapping, name)
    assert list(config.methods) == ["standard", "da_fusion", "da_fusion_tuned", "noise", "llm", "noise_llm", "diagen"]
    assert Config.model_validate(config.model_dump(mode="json")) == config


def test_own_photos_are_an_example_of_few_lines() -> None:
    text = (ROOT / "config/own_photos.yaml").read_text(encoding="utf-8")
    mapping = yaml.safe_load(text)
    (dataset,) = mapping["datasets"].values()
    assert text.count("\n", text.index("datasets:"), text.index("seeds:")) <= 5
    assert f"no folder {dataset['root']}; give its path relative to the folder where Snakemake starts" in only_problem(
        mapping
    )
    Path(dataset["root"]).mkdir(parents=True)
    assert load_config(mapping, "own_photos").datasets["my_photos"].adapter == "image_folder"


def test_paper_s_numbers_are_the_defaults() -> None:
    mapping = without("seeds")
    for key in ("shots", "guide_pool", "downstream", "diversity"):
        del mapping[key]
    mapping["embeddings"]["paper"] = {}
    mapping["guide_classifiers"]["paper"] = {}
    config = load_config(mapping, FILE)
    assert (config.seeds, config.shots, config.guide_pool) == ((0, 1, 2), (2, 4, 8), 8)
    word = config.embeddings["paper"]
    assert (word.steps, word.batch, word.learning_rate, word.initializer, word.vectors) == (1000, 4, 5e-4, "the", 1)
    down = config.downstream
    assert (down.epochs, down.iterations, down.batch, down.learning_rate, down.image_size) == (50, 200, 32, 1e-4, 256)
    guide = config.guide_classifiers["paper"]
    assert (guide.epochs, guide.iterations, guide.patience, guide.weight_decay) == (50, 200, 6, 0.01)
    assert config.diversity.k == (3, 5)


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("generators.diagon", None),
        ("seed", "`seeds`"),
        ("generators.llm.strenght", "`strength`"),
        ("models.difusion", "`diffusion`"),
        ("models.llama.contxt", "`context`"),
        ("datasets.world.train_val_per_clas", "`train_val_per_class`"),
        ("datasets.world.train_val", "train_val_per_class"),
        ("downstream.color", "known here: augmentation, batch"),
    ],
)
def test_unknown_keys(key: str, remedy: str | None) -> None:
    if remedy is None:
        assert any(f"`{key}.strength`: missing" in problem for problem in problems(changed(key, {})))
        return
    problem = only_problem(changed(key, 1))
    assert f"`{key}`: unknown key" in problem and remedy in problem


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("experiment", "no/slashes"),
        ("methods", {1: {}}),
        ("methods", {"na" * 20: {}}),
        ("methods", {"a\nb": {}}),
        ("experiment", None),
        ("seeds", [-1]),
        ("seeds", []),
        ("shots", [0]),
        ("shots", "two"),
        ("guide_pool", 2.5),
        ("datasets.world.seed", "x"),
        ("datasets.world.classes", ["car"]),
        ("datasets.world.root", 3),
        ("datasets.world.root", ""),
        ("datasets.world.root", "worlds/{seed}"),
        ("datasets.world.root", "<results>/world"),
        ("datasets.world.root", "a\0b"),
        ("datasets.world.root", "\ud800"),
        ("prompts.paper.instruction", "config/{class}.txt"),
        ("prompts.paper.per_class", 2001),
        ("shots", [10**30]),
        ("execution.micro_batch", 10**30),
        ("generators.llm.guidance_scale", float("inf")),
        ("generators.noise.noise_levels", [float("nan")]),
        ("embeddings.paper.learning_rate", float("inf")),
        ("models.diffusion.image_size", -64),
        ("models.diffusion.dtype", "float8"),
        ("embeddings.paper.steps", 0),
        ("embeddings.paper.crop", "stretch"),
        ("prompts.paper.top_p", 1.5),
        ("generators.llm.strength", 1.2),
        ("generators.llm.guidance_scale", 0.5),
        ("generators.noise.noise_levels", [-0.1]),
        ("guide_classifiers.paper.augmentation", "none"),
        ("weightings.paper.normalize", "all"),
        ("weightings.paper.views", -1),
        ("weightings.paper.threshold", 2),
        ("guide_classifiers.paper.augmentation", "cutmix"),
        ("recipes", {"bad": {"batch": 0}}),
        ("recipes", {"bad": {None: 1}}),
        ("methods.llm.synthetic_probability", 1.5),
        ("downstream.learning_rate", 0),
        ("downstream.weight_decay", -1),
        ("downstream.decay", "l1"),
        ("guide_classifiers.paper.temperature_prior", 0),
        ("diversity.draws", 0),
        ("diversity.k", [0]),
        ("execution.device", "gpu"),
        ("downstream.cached_views", 1001),
        ("execution.jobs_per_gpu", 5),
        ("prompts.paper.source", ["llama"]),
        ("prompts.mine", {"source": "table"}),
        ("prompts.gpt4", {"source": "endpoint", "base_url": "api.openai.com/v1", "model": "gpt-4", "instruction": "x"}),
        ("generators.llm.turns", "random"),
        ("noise_ceilings", {"paper": {"embedding": "paper", "guide_classifier": "paper", "levels": []}}),
    ],
)
def test_wrong_values_name_their_key(key: str, value: object) -> None:
    assert any(problem.startswith(f"`{key}") for problem in problems(changed(key, value)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("downstream.epochs", True),
        ("seeds", [0, True]),
        ("generators.llm.strength", True),
        ("generators.llm.noise_levels", [False, 0.1]),
        ("execution.shards", True),
        ("leakage", {"near_distance": False}),
        ("models.diffusion.image_size", True),
        ("guide_pool", True),
        ("prompts.paper.temperature", True),
    ],
)
def test_booleans_are_no_numbers(key: str, value: object) -> None:
    problem = only_problem(changed(key, value))
    assert problem.startswith(f"`{key}") and "expected a number, got a boolean" in problem


@pytest.mark.parametrize("value", [None, 3, "maybe", []])
def test_a_switch_names_its_two_values(value: object) -> None:
    assert only_problem(changed("execution.compile", value)).startswith("`execution.compile`: expected true or false")


@pytest.mark.parametrize("key", ["guide_pol", "embeddings.paper.scale_learning_rat", "execution.shard"])
def test_a_mistyped_key_is_unknown_whatever_its_value(key: str) -> None:
    problem = only_problem(changed(key, True))
    assert problem.startswith(f"`{key}`: unknown key; did you mean")


@pytest.mark.parametrize("path", ["a b", "it's", '"', "$(touch pwned)", "`x`;", "[x]*?", "-x", "é", "😀", "x" * 300])
def test_paths_may_contain_shell_characters(path: str) -> None:
    assert load_config(changed("datasets.world.root", path), FILE).datasets["world"].root == path
    assert only_problem(changed("datasets.photos", {"adapter": "image_folder", "root": f"nowhere {path}"}))


def test_folders_with_two_uses() -> None:
    assert "`results/store`" in only_problem(changed("experiment", "store"))
    world = DEMO["datasets"]["world"]
    again = {**world, "root": f"./{world['root']}/"}
    assert "`datasets.again.root`: `world` is drawn into" in only_problem(changed("datasets.again", again))


def test_the_ceilings_name_is_no_generators() -> None:
    problem = only_problem(changed("generators.real", DEMO["generators"]["llm"]))
    assert problem == "`generators.real`: names real images in the tables of diversity; choose another name"


def test_a_configuration_that_is_too_long_for_a_command_line() -> None:
    assert load_config(changed("generators.llm.negative_prompt", "x" * 50_000), FILE)
    assert "can be passed to jobs" in only_problem(changed("generators.llm.negative_prompt", "é" * 50_000))


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        (
            {"datasets.world": {"root": "x"}},
            "`datasets.world.adapter`: missing or unknown; choose one of `image_folder`",
        ),
        ({"datasets": [1]}, "`datasets`: this must be a block of keys and values (given: [1])"),
        ({"shots": 2}, "`shots`: this must be a list, such as [1, 2], or `all` (given: 2)"),
        ({"datasets.world.root": 2024}, "`datasets.world.root`: this must be text; put what looks like a number"),
        ({"embeddings.paper.steps": {"a": 1}}, "(given: a block)"),
        ({"embeddings.paper.dtype": "float16"}, "input should be 'auto', 'float32' or 'bfloat16' (given: 'float16')"),
        ({"shots": [0]}, "`shots.0`: input should be greater than or equal to 1 (given: 0)"),
    ],
)
def test_messages_use_terms_of_yaml(mapping: dict[str, object], sentence: str) -> None:
    assert sentence in only_problem(changed(*mapping.popitem()))


@pytest.mark.parametrize("key", ["\ud800", "a\nb", "\x1b[2J", "\u202egnorw"])
def test_problems_are_printable_lines(key: str) -> None:
    problem = only_problem(changed(key, 1))
    assert problem.isprintable() and ascii(key)[1:-1] in problem


def test_unknown_adapter() -> None:
    problem = only_problem(changed("datasets.world.adapter", "zip_file"))
    assert "`datasets.world" in problem and "image_folder" in problem


@pytest.mark.parametrize("key", ["experiment", "datasets", "models", "models.diffusion", "generators.llm.strength"])
def test_missing_keys(key: str) -> None:
    assert any(re.match(f"`{key}`: missing", problem) for problem in problems(without(key)))


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("generators.llm.embedding", "fine", "known: paper"),
        ("generators.llm.prompts", "fine", "known: paper"),
        ("weightings.paper.guide_classifier", "fine", "known: paper"),
        ("methods.diagen.generator", "fine", "noise_llm"),
        ("methods.diagen.weighting", "fine", "known: paper"),
        ("methods.standard.weighting", "paper", "only valid with a generator"),
        ("methods.standard.synthetic_probability", 0.5, "only valid with a generator"),
        ("methods.diagen.synthetic_probability", None, "missing"),
        ("methods.diagen.recipe", "fine", "add a section `recipes`"),
        ("weightings.paper.transform", "threshold", "`weightings.paper.threshold`: missing"),
        ("weightings.paper.threshold", 0.5, "only valid with `transform: threshold`, not with `confidence`"),
        ("shots", [2, 9], "raise it to at least 9"),
        ("shots", [2, 2], "twice"),
        ("generators.noise.noise_levels", [0.1, 0.1], "twice"),
        ("generators.llm.strength", 0.01, "no step"),
        (
            "generators.llm.inference_steps",
            600,
            "600 steps, 1 of 1000 timesteps apart, cannot start at timestep 700, where strength 0.7 starts; set 500",
        ),
        ("models.llama", None, "language model"),
        ("models.llama", {"repository": "a/b", "revision": "c"}, "`models.llama.file`"),
        ("models.features", {"repository": "a/b"}, "revision"),
        ("models.features", {}, "path"),
        ("models.features", {"path": "demo/models/dinov2", "repository": "a/b", "revision": "c"}, "not both"),
        ("models.features", {"repository": "a/b", "revision": "main"}, "`main` is not a commit"),
        ("models.features", {"repository": "a/b", "revision": COMMIT, "weights": "x.pth"}, "x.pth is not a URL"),
        ("models.features.weights", "https://example.org/x.pth", "put the file into demo/models/dinov2"),
        ("models.backbone", {"repository": "https://a/b", "revision": COMMIT}, "`owner/name`"),
        (
            "models.backbone",
            {"repository": "a/b", "revision": COMMIT, "file": "../x"},
            "../x is outside the repository",
        ),
        ("models.backbone.file", "model.safetensors", "remove it and let `path` name the file"),
        ("models.backbone.path", "nowhere", "no file or folder nowhere"),
        ("models.diffusion.path", "/", "/ is not a folder in the layout of diffusers"),
        ("models.features.path", "config", "config is not a folder with a hubconf.py"),
        ("models.backbone.path", "config", "config is neither a folder of transformers"),
        ("models.llama.path", "config", "config is not a GGUF file"),
        ("prompts.paper.instruction", "nowhere.txt", "nowhere.txt"),
        ("datasets.photos", {"adapter": "image_folder", "root": "nowhere"}, "no folder nowhere"),
        ("prompts.mine", {"source": "table", "file": "nowhere.csv"}, "`prompts.mine.file`: no file nowhere.csv"),
        ("prompts.two", {"source": "composed", "adjectives": "a.txt", "settings": "s.txt"}, "`prompts.two.settings`"),
        ("generators.noise.embedding", None, "noise is added to learned words"),
        ("generators.llm.noise_draw", "class", "`generators.llm.noise_draw`: only valid with noise"),
        ("generators.llm.word_match", "substring", "`generators.llm.word_match`: only valid with noise"),
        ("generators.llm.ceiling_use", "cap", "set `noise_ceiling`"),
        ("generators.llm.noise_ceiling", "fine", "add a section `noise_ceilings`"),
        (
            "noise_ceilings",
            {"own": {"embedding": "fine", "guide_classifier": "paper"}},
            "`noise_ceilings.own.embedding`",
        ),
        ("noise_ceilings", {"own": {"embedding": "paper", "guide_classifier": "paper", "levels": [1, 1]}}, "twice"),
        ("noise_ceilings", {"own": {"embedding": "paper", "guide_classifier": "paper", "strength": 0.01}}, "no step"),
        (
            "noise_ceilings",
            {"own": {"embedding": "paper", "guide_classifier": "paper", "strength": 1, "inference_steps": 1000}},
            "set 500",
        ),
        ("datasets.photos", {"adapter": "coco", "root": "nowhere"}, "no folder nowhere"),
        (
            "datasets.photos",
            {"adapter": "image_folder", "root": "demo", "split_table": "nowhere.csv"},
            "`datasets.photos.split_table`: no file nowhere.csv",
        ),
        (
            "datasets.photos",
            {"adapter": "image_folder", "root": "demo", "test_per_class": 4, "test": "tests"},
            "`datasets.photos`: split folders cannot be combined with `test_per_class`",
        ),
    ],
)
def test_invalid_combinations(key: str, value: object, part: str) -> None:
    assert any(part in problem for problem in problems(changed(key, value)))


def test_models_of_a_hub_may_be_missing() -> None:
    model = {"repository": "some/resnet", "revision": COMMIT}
    config = load_config(changed("models.backbone", model), FILE)
    assert config.models.backbone.location == Path("models/some--resnet--0123456789ab")
    assert set(config.models.sources()) == {"diffusion", "llama", "features", "backbone"}


def test_missing_files_are_reported_only_on_request() -> None:
    mapping = changed("models.backbone.path", "nowhere")
    assert load_config(mapping, FILE, check_files=False).models.backbone.path == "nowhere"
    mapping["shots"] = [2, 90]
    with pytest.raises(ConfigError) as caught:
        load_config(mapping, FILE, check_files=False)
    assert len(caught.value.problems) == 1


def test_recipes_inherit_from_downstream() -> None:
    mapping = demo()
    mapping["recipes"] = {"cutmix": {"augmentation": "cutmix"}, "published_code": {"batch": 16, "selection": "last"}}
    mapping["methods"]["cutmix"] = {"recipe": "cutmix"}
    mapping["methods"]["published_code"] = {"recipe": "published_code"}
    config = load_config(mapping, FILE)
    common = config.downstream
    assert config.recipe_of("standard") == config.recipe_of("diagen") == common
    assert config.recipe_of("cutmix") == common.model_copy(update={"augmentation": "cutmix"})
    assert config.recipe_of("published_code") == common.model_copy(update={"batch": 16, "selection": "last"})
    assert common.learning_rate != 1e-4 and common.epochs != 50, "not the defaults, so that the above says something"
    again = Config.model_validate(config.model_dump(mode="json"))
    assert again.recipe_of("cutmix") == config.recipe_of("cutmix")


@pytest.mark.parametrize(
    ("other", "option"),
    [
        ({"augmentation": "cutmix"}, "`augmentation: cutmix`;"),
        ({"batch_norm": "training"}, "`batch_norm: training`;"),
        ({"augmentation": "cutmix", "batch_norm": "training"}, "`augmentation: cutmix` and `batch_norm: training`;"),
    ],
)
def test_cached_views_need_views_of_single_images(other: dict[str, str], option: str) -> None:
    mapping = changed("downstream.cached_views", 12)
    assert load_config(mapping, FILE).downstream.cached_views == 12
    mapping["recipes"] = {"other": other}
    assert only_problem(mapping).startswith("`recipes.other`: `cached_views` needs views") and option in only_problem(
        mapping
    )
    mapping["recipes"]["other"] = other | {"cached_views": None}
    assert load_config(mapping, FILE).recipes["other"].cached_views is None


def test_published_code_is_off_by_default() -> None:
    config = load_config(demo(), FILE)
    guide, weighting, down = config.guide_classifiers["paper"], config.weightings["paper"], config.downstream
    assert (guide.batch_norm, guide.selection, guide.validation, guide.decay) == ("frozen", "best", "whole", "l2")
    assert (guide.temperature_prior, down.weight_decay, down.decay) == (0.5, 0, "l2")
    assert (weighting.views, weighting.transform, weighting.normalize) == (0, "confidence", "guide_image")
    assert (down.batch_norm, down.selection, down.augmentation) == ("frozen", "best", "standard")
    assert down.cached_views is None


def with_ceiling(**changes: Any) -> dict[str, Any]:
    """The demo with a noise ceiling, and a generator that names it."""
    mapping = changed("noise_ceilings", {"own": {"embedding": "paper", "guide_classifier": "paper"}})
    mapping["embeddings"]["other"] = {}
    mapping["generators"]["noise_llm"].update({"noise_ceiling": "own", **changes})
    return mapping


def test_ceilings_belong_to_the_words_and_the_noise_of_their_generator() -> None:
    assert load_config(with_ceiling(), FILE).generators["noise_llm"].noise_ceiling == "own"
    assert "belongs to the words of `paper`; name a noise ceiling of `other`" in only_problem(
        with_ceiling(embedding="other")
    )
    assert "no noise to fit" in only_problem(with_ceiling(noise_levels=[0]))


def test_a_negative_prompt_needs_guidance() -> None:
    mapping = changed("generators.llm.negative_prompt", "a drawing")
    load_config(mapping, FILE)
    mapping["generators"]["llm"]["guidance_scale"] = 1
    assert "has no effect" in only_problem(mapping)


ENDPOINT = {"source": "endpoint", "base_url": "https://api.openai.com/v1", "model": "gpt-4-0613"}


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"base_url": "https://me:sk-123@host/v1"}, "environment"),
        ({"base_url": "https://host/v1?api_key=sk-123"}, "environment"),
        ({"source": "gpt", "api_key": "sk-123"}, "unknown `source`"),
        ({"api_key": "sk-123"}, "`prompts.gpt4.api_key`: unknown key"),
        ({"base_url": "https://[/v1"}, "not a URL"),
        ({"key_variable": "sk-123"}, "`prompts.gpt4.key_variable`"),
        ({"top_k": 10}, "`prompts.gpt4.top_k`: unknown key"),
        ({"model": ""}, "`prompts.gpt4.model`"),
    ],
)
def test_messages_do_not_repeat_possible_secrets(block: dict[str, object], problem: str) -> None:
    instruction = {"instruction": DEMO["prompts"]["paper"]["instruction"]}
    load_config(changed("prompts.gpt4", ENDPOINT | instruction), FILE)
    message = only_problem(changed("prompts.gpt4", ENDPOINT | instruction | block))
    assert problem in message and "sk-123" not in message


def test_only_sources_that_use_the_local_model_need_it() -> None:
    Path("mine.csv").write_text("class,prompt\n")
    mapping = without("models.llama")
    mapping["prompts"] = {"paper": {"source": "table", "file": "mine.csv"}}
    assert load_config(mapping, FILE).models.llama is None
    mapping["prompts"]["paper"] = ENDPOINT | {"instruction": DEMO["prompts"]["paper"]["instruction"]}
    assert load_config(mapping, FILE).prompts["paper"].source == "endpoint"


def test_unknown_source() -> None:
    problem = only_problem(changed("prompts.paper.source", "gpt"))
    assert problem.startswith("`prompts.paper`") and "llama, composed, endpoint and table" in problem


def test_prompt_sets_without_a_source_use_the_local_model() -> None:
    assert load_config(demo(), FILE).prompts["paper"].source == "llama"


def test_instruction_without_placeholder() -> None:
    Path("bare.txt").write_text("Write about {class_name}.")
    problem = only_problem(changed("prompts.paper.instruction", "bare.txt"))
    assert "bare.txt" in problem and "{num_prompts}" in problem and "{class_name}" not in problem


def test_numbers_beyond_all_bounds() -> None:
    assert any("generators.llm" in problem for problem in problems(changed("generators.llm.inference_steps", 10**400)))


def test_an_instruction_that_cannot_be_read_for_another_reason_than_its_permissions() -> None:
    Path("odd.txt").symlink_to("/proc/self/mem")  # a file whose first byte cannot be read
    problem = only_problem(changed("prompts.paper.instruction", "odd.txt"))
    assert "odd.txt cannot be read (Input/output error); give the path of a text file" in problem


def test_instruction_that_is_not_text() -> None:
    Path("binary.txt").write_bytes(b"\xff\xfe\x00")
    assert "binary.txt" in only_problem(changed("prompts.paper.instruction", "binary.txt"))


def test_errors_of_all_kinds_are_reported_together() -> None:
    mapping = changed("generators.llm.strength", 7)
    mapping["generators"]["noise"]["embeding"] = "paper"
    mapping["methods"]["diagen"]["weighting"] = "fine"
    mapping["shots"] = [2, 90]
    mapping["models"]["backbone"]["path"] = "nowhere"
    mapping["color"] = 1
    found = problems(mapping)
    for key in (
        "generators.llm.strength",
        "generators.noise.embeding",
        "methods.diagen.weighting",
        "guide_pool",
        "models.backbone.path",
        "color",
    ):
        assert sum(problem.startswith(f"`{key}`") for problem in found) == 1, (key, found)
    assert len(found) == 6


def test_an_invalid_block_is_not_also_reported_as_missing() -> None:
    assert "methods" not in "".join(problems(changed("generators.noise_llm.strength", "high")))


def test_an_error_of_downstream_is_not_repeated_for_each_recipe() -> None:
    mapping = changed("downstream.color", 1)
    mapping["recipes"] = {"short": {"epochs": 1}, "other": {"epochs": "many"}}
    color, epochs = problems(mapping)
    assert color.startswith("`downstream.color`: unknown key") and epochs.startswith("`recipes.other.epochs`")


def test_used_blocks_are_found_through_references() -> None:
    config = load_config(
        with_ceiling() | {"generators": with_ceiling()["generators"] | {"idle": {"strength": 1, "guidance_scale": 1}}},
        FILE,
    )
    used = config.used_blocks()
    assert used["generators"] == ["da_fusion", "da_fusion_tuned", "noise", "llm", "noise_llm"]
    assert (used["embeddings"], used["prompts"], used["noise_ceilings"]) == (["paper"], ["paper"], ["own"])
    assert (used["weightings"], used["guide_classifiers"], used["recipes"]) == (["paper"], ["paper"], [])
    assert config.weighted_sets() == [("noise_llm", "paper")]


def test_configurations_are_immutable() -> None:
    config = load_config(demo(), FILE)
    with pytest.raises(Exception, match="frozen"):
        config.guide_pool = 3


@pytest.mark.parametrize("mapping", [None, [], "text", 3, {}])
def test_files_without_a_configuration(mapping: object) -> None:
    assert problems(mapping)


@pytest.mark.parametrize(
    ("change", "present"),
    [
        (lambda mapping: mapping.update(guides={}), "guide_classifiers"),
        (lambda mapping: mapping["weightings"]["paper"].update(guide="paper"), "guide_classifier"),
        (lambda mapping: mapping["weightings"]["paper"].update(normalise="class"), "normalize"),
    ],
)
def test_keys_that_were_renamed_name_their_successor(change: Callable[[dict], object], present: str) -> None:
    mapping = copy.deepcopy(DEMO)
    change(mapping)
    with pytest.raises(ConfigError) as caught:
        load_config(mapping, "mine.yaml", check_files=False)
    assert any(f"it is called `{present}` now" in problem for problem in caught.value.problems)


def folded(**changes: object) -> dict[str, Any]:
    """The demo's configuration with photos without test images, and folds."""
    mapping = demo() | {"evaluation": {"folds": 5}, **changes}
    mapping["datasets"] = {"mine": {"adapter": "image_folder", "root": ".", "test": "none"}}
    return mapping


def test_folds_number_the_cells() -> None:
    config = load_config(folded(seeds=[0, 3], shots="all", guide_pool=6), FILE)
    assert config.folds == 5 and config.cell_seeds == (0, 1, 2, 3, 4, 15, 16, 17, 18, 19)
    assert config.shot_counts == (6,) and config.takes_all_shots and config.required_shots == 1
    plain = load_config(demo() | {"seeds": [4, 1]}, FILE)
    assert (plain.folds, plain.cell_seeds, plain.shot_counts) == (1, (4, 1), (2, 4))
    assert not plain.takes_all_shots and plain.required_shots == 4
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_datasets_with_and_without_test_images() -> None:
    untested = folded()
    del untested["evaluation"]
    assert load_config(untested, FILE).untested_datasets == ["mine"]
    assert load_config(folded(), FILE).untested_datasets == []
    null = folded()
    null["datasets"]["mine"]["test"] = None
    assert load_config(null, FILE) == load_config(folded(), FILE)
    assert load_config(demo(), FILE).untested_datasets == []


def test_validation_images_are_needed_by_used_blocks_only() -> None:
    def needs(mapping: dict[str, Any]) -> bool:
        return load_config(mapping, FILE).needs_validation

    mapping = demo()
    assert needs(mapping)
    mapping["downstream"]["selection"] = "last"
    assert needs(mapping), "the guide classifier keeps its best epoch"
    mapping["guide_classifiers"]["paper"]["selection"] = "last"
    assert not needs(mapping)
    mapping["guide_classifiers"]["unused"] = {"selection": "best"}
    mapping["recipes"] = {"unused": {"selection": "best"}}
    assert not needs(mapping)
    mapping["methods"]["other"] = {"recipe": "unused"}
    assert needs(mapping)
    untested = folded(guide_classifiers={"paper": {"selection": "last"}})
    assert needs(untested)
    del untested["evaluation"]
    assert not needs(untested), "nothing is tested, so no recipe trains"


@pytest.mark.parametrize(
    ("changes", "dataset", "expected"),
    [
        ({}, {"test": "test"}, "`evaluation`: only valid with datasets without test images, and `mine` has some"),
        ({"evaluation": {"folds": 1}}, {}, "`evaluation.folds`: input should be greater than or equal to 2"),
        ({"evaluation": {"folds": "all"}}, {}, "or `leave_one_out` (given: 'all')"),
        ({"evaluation": {"folds": True}}, {}, "`evaluation.folds`: expected a number, got a boolean"),
        ({"evaluation": {}}, {}, "`evaluation.folds`: missing; add it"),
        ({"shots": "some"}, {}, "`shots`: this must be a list, such as [1, 2], or `all` (given: 'some')"),
        ({"shots": [1, 1]}, {}, "`shots`: a value is listed twice"),
        ({"shots": [2, "x"]}, {}, "`shots.1`: input should be a valid integer"),
        ({"comparison": {"split": "test_uncommon"}}, {}, "`comparison.split`: `mine` has no images of `test_uncommon`"),
        ({"guide_classifiers": {"paper": {"temperature_prior": 1e-200}}}, {}, "greater than or equal to 0.001"),
        ({}, {"val": "v"}, "`test: none` uses one folder of images; remove `val`"),
        ({}, {"test_per_class": 3}, "split folders cannot be combined with `test_per_class`; remove `test`"),
        (
            {"downstream": {"kept_epoch": "last"}},
            {},
            "`downstream.kept_epoch`: unknown key; it is called `selection` now",
        ),
    ],
)
def test_problems_of_folds_shots_and_selection(changes: dict[str, Any], dataset: dict[str, Any], expected: str) -> None:
    mapping = folded(**changes)
    mapping["datasets"]["mine"] |= dataset
    with pytest.raises(ConfigError) as caught:
        load_config(mapping, FILE)
    assert any(expected in problem for problem in caught.value.problems), caught.value.problems


def test_one_left_out_of_several_datasets_is_a_problem() -> None:
    mapping = folded(evaluation={"folds": "leave_one_out"})
    load_config(mapping, FILE)
    mapping["datasets"]["other"] = mapping["datasets"]["mine"]
    with pytest.raises(ConfigError, match="`leave_one_out` counts the images of one dataset"):
        load_config(mapping, FILE)
