"""Work and hours: the paper's arithmetic for its models, and rates from completed jobs."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from diagen.config import Config, Evaluation, load_config
from diagen.preflight.estimate import ImageCounts, all_work, estimate, measured_seconds, synthetic_images
from diagen.preflight.operations import PAPER
from diagen.preflight.rates import AUGMENT_SECONDS, Rates, assumed_rates

COUNTS = {"photos": ImageCounts(23, {"train_val": 600, "test": 368, "test_uncommon": 294})}
NOT_OF_CELLS = ("write_prompts", "extract_real_features", "draw_noise_ladder")
ASSUMED = Rates({"half": 100.0, "single": 25.0, "text": 5.0}, threads=2)


@pytest.fixture(scope="module")
def config() -> Config:
    mapping: dict[str, Any] = yaml.safe_load(Path("config/demo.yaml").read_text(encoding="utf-8"))
    mapping |= {
        "datasets": {"photos": {"adapter": "image_folder", "root": "photos"}},
        "seeds": [0, 1],
        "shots": [2, 4],
        "embeddings": {"paper": {"dtype": "bfloat16"}},
        "downstream": {},
        "guide_classifiers": {"paper": {}},
    }
    mapping["models"]["diffusion"] |= {"dtype": "float16", "image_size": 512}
    for generator in mapping["generators"].values():
        generator |= {"inference_steps": 50, "images_per_guide": 10}
    return load_config(mapping, "some.yaml", check_files=False)


def job(config: Config, rule: str, **wildcards: str) -> float:
    (found,) = [
        work.tflop
        for work in all_work(config, COUNTS, PAPER)
        if work.rule == rule and work.wildcards.items() >= wildcards.items()
    ]
    return found


def test_operations_of_the_papers_stages(config: Config) -> None:
    cell = {"seed": "0", "shots": "4"}
    images = 23 * 4 * 10
    # 60.4 TFLOP an image, 7.3 a step of batch 4, 3.4 PFLOP a classifier's training images (performance notes)
    assert job(config, "generate_images", **cell, generator="noise_llm") == pytest.approx(images * 60.4, rel=0.01)
    assert job(config, "learn_embeddings", **cell) == pytest.approx(23 * 1000 * 7.3, rel=0.03)
    assert job(config, "train_downstream", **cell, method="diagen") == pytest.approx(3400, rel=0.02)
    assert job(config, "score_images", **cell) == pytest.approx(images * 0.0107)
    assert job(config, "extract_features", **cell, generator="llm") == pytest.approx(images * 0.162)
    assert job(config, "extract_real_features") == pytest.approx((600 + 368) * 0.162)
    # Without noise, at three levels, and at 2, 4 and 8 times the largest.
    assert job(config, "draw_noise_ladder") == pytest.approx(7 * 60.4, rel=0.01)
    assert synthetic_images(config, COUNTS) == 2 * (23 * 2 + 23 * 4) * 10 * 5


def test_cached_views_pass_the_backbone_once(config: Config) -> None:
    cached = config.model_copy(update={"downstream": config.downstream.model_copy(update={"cached_views": 12})})
    images, evaluated = 23 * 4 * (1 + 10), (600 - 23 * 8) + 368 + 294
    found = job(cached, "train_downstream", seed="0", shots="4", method="diagen")
    assert found == pytest.approx((12 * images + evaluated) * 0.0107)


@pytest.mark.parametrize(("steps", "evaluations"), [(50, 36), (60, 44), (300, 234), (2, 2)])
def test_evaluations_are_those_of_the_schedule(config: Config, steps: int, evaluations: int) -> None:
    llm = config.generators["llm"].model_copy(update={"inference_steps": steps})
    changed = config.model_copy(update={"generators": config.generators | {"llm": llm}})
    of_an_image = 2 * evaluations * PAPER.unet + PAPER.decode + 2 * PAPER.text
    tflop = 23 * 4 * (10 * of_an_image + PAPER.encode)
    assert job(changed, "generate_images", seed="0", shots="4", generator="llm") == pytest.approx(tflop)


def test_each_job_of_a_model_s_stages_is_listed_once(config: Config) -> None:
    work = list(all_work(config, COUNTS, PAPER))
    assert len({job.key for job in work}) == len(work)
    rules = [job.rule for job in work]
    assert list(dict.fromkeys(rules)) == [
        "write_prompts",
        "learn_embeddings",
        "generate_images",
        "train_guide_classifier",
        "score_images",
        "train_downstream",
        "fit_baselines",
        "extract_features",
        "draw_noise_ladder",
        "extract_real_features",
    ]
    cells = 4
    assert rules.count("generate_images") == rules.count("extract_features") == 5 * cells
    assert rules.count("train_downstream") == 7 * cells
    assert rules.count("fit_baselines") == cells
    assert rules.count("score_images") == rules.count("train_guide_classifier") == cells
    assert rules.count("extract_real_features") == 1


def test_hours_without_and_with_measured_jobs(config: Config, tmp_path: Path) -> None:
    work = list(all_work(config, COUNTS, PAPER))
    jobs = {"generate_images": 20, "train_downstream": 28, "plan_generation": 20}
    images = synthetic_images(config, COUNTS)
    plain = {stage.rule: stage for stage in estimate(work, jobs, {}, ASSUMED)}
    assert set(plain) == {"generate_images", "train_downstream"}, "what computes nothing isn't estimated"
    views = 50 * 200 * 32  # of which two threads make one in half the time
    assert plain["train_downstream"].hours == pytest.approx(
        28 * (3435 / 25 + views * AUGMENT_SECONDS / 2) / 3600, rel=0.02
    )
    assert 0.5 * images * 0.6 / 3600 < plain["generate_images"].hours < images * 0.63 / 3600  # 0.6 s an image at most

    # Two of twenty jobs ran, at 2 s an image; the others have their own sizes.
    for seed in ("0", "1"):
        path = tmp_path / f"generate_images/photos/seed{seed}/shots2/llm.jsonl"
        path.parent.mkdir(parents=True)
        wildcards = {"dataset": "photos", "seed": seed, "shots": "2", "generator": "llm"}
        path.write_text(
            json.dumps({"rule_name": "generate_images", "wildcards": wildcards, "s": 23 * 2 * 10 * 2}) + "\n"
        )
    stages = estimate(work, jobs | {"generate_images": 18}, measured_seconds(tmp_path), ASSUMED)
    (stage,) = [stage for stage in stages if stage.rule == "generate_images"]
    assert stage.measured == 2
    remaining = images - 2 * 23 * 2 * 10
    # da_fusion's strength is lower, the others' the same as that of the jobs that ran
    assert 0.9 * remaining * 2 / 3600 < stage.hours < remaining * 2 / 3600


def test_every_stage_of_the_papers_other_experiments_is_estimated() -> None:
    mapping: dict[str, Any] = yaml.safe_load(Path("config/published_code.yaml").read_text(encoding="utf-8"))
    mapping["generators"]["real_guidance"] = {"strength": 0.5, "guidance_scale": 7.5}
    mapping["generators"]["diagen"]["noise_ceiling"] = "own"
    mapping["noise_ceilings"] = {"own": {"embedding": "paper", "guide_classifier": "resampled", "images_per_level": 8}}
    mapping["methods"]["real_guidance"] = {"generator": "real_guidance", "synthetic_probability": 0.5}
    config = load_config(mapping, "some.yaml", check_files=False)
    cell = {"seed": "0", "shots": "4"}
    # The binary search of seven levels takes three steps, after the images without noise.
    assert job(config, "find_noise_ceilings", **cell) == pytest.approx(23 * 8 * 4 * 60.4, rel=0.01)
    assert job(config, "learn_embeddings", **cell, embedding="paper") > 0
    plain, views = (
        job(config, "score_images", **cell, generator="diagen", weighting=name) for name in ("paper", "views")
    )
    assert views == 5 * plain
    assert job(config, "train_downstream", **cell, method="batch_16") < 0.6 * job(
        config, "train_downstream", **cell, method="diagen"
    )


@pytest.mark.parametrize(
    ("rule", "wildcards", "measured_seconds", "within"),
    [
        # One H100, models of full size (bench/results/h100.json): 3.5 images/s in float16, 0.39 in float32; 3.5
        # word-steps/s in float32, 19.5 in bfloat16; 347 views/s on two CPU threads
        ("generate_images", {"generator": "noise_llm"}, 23 * 4 * 10 / 3.5, 2.5),
        ("learn_embeddings", {}, 23 * 1000 / 19.5, 2.0),
        ("train_downstream", {"method": "diagen"}, 50 * 6400 / 347, 1.6),
    ],
)
def test_assumed_rates_are_near_those_of_a_measured_gpu(
    config: Config, rule: str, wildcards: dict[str, str], measured_seconds: float, within: float
) -> None:
    cell = {"seed": "0", "shots": "4"} | wildcards
    (found,) = [
        work for work in all_work(config, COUNTS, PAPER) if work.rule == rule and work.wildcards.items() >= cell.items()
    ]
    assert measured_seconds / within < found.seconds(assumed_rates("cuda", 2)) < measured_seconds * within


def test_words_in_single_precision_are_estimated_at_its_rate(config: Config) -> None:
    mapping = config.model_dump(mode="json", exclude_defaults=True)
    mapping["embeddings"]["paper"]["dtype"] = "float32"
    single = load_config(mapping, "some.yaml", check_files=False)
    seconds = [
        work.seconds(assumed_rates("cuda", 2))
        for each in (config, single)
        for work in all_work(each, COUNTS, PAPER)
        if work.rule == "learn_embeddings" and (work.wildcards["seed"], work.wildcards["shots"]) == ("0", "4")
    ]
    assert seconds[1] > 4 * seconds[0]
    assert seconds[1] == pytest.approx(23 * 1000 / 3.5, rel=0.4)  # 3.5 word-steps/s on the H100


def test_cpu_threads_shorten_the_time_of_every_job(config: Config) -> None:
    for work in all_work(config, COUNTS, PAPER):
        one, two = (work.seconds(assumed_rates("cpu", threads)) for threads in (1, 2))
        assert two == pytest.approx(one / 2)
        if work.kind != "text":
            assert work.seconds(assumed_rates("cuda", 2)) < two


def test_prompts_are_estimated_on_the_gpu_only_if_llama_cpp_uses_it(config: Config) -> None:
    (work,) = [work for work in all_work(config, COUNTS, PAPER) if work.rule == "write_prompts"]
    assert work.seconds(assumed_rates("cuda", 2)) == work.seconds(assumed_rates("cpu", 2)) > 23 * 10 * 5
    assert work.seconds(assumed_rates("cuda", 2, text_device="cuda")) < 23 * 10


def test_every_fold_is_a_cell_with_its_own_words_and_images(config: Config) -> None:
    evaluation = Evaluation(folds=5)
    folded = config.model_copy(update={"evaluation": evaluation})
    counts = {"photos": ImageCounts(23, {"train_val": 230})}

    def rules(config: Config) -> Counter[str]:
        return Counter(work.rule for work in all_work(config, counts, PAPER))

    once, five = rules(config), rules(folded)
    assert five == {rule: count * (1 if rule in NOT_OF_CELLS else 5) for rule, count in once.items()}
    assert synthetic_images(folded, counts) == 5 * synthetic_images(config, counts)
    found = [work for work in all_work(folded, counts, PAPER) if work.wildcards.get("method") == "standard"]
    assert {work.read for work in found if work.wildcards["shots"] == "4"} == {23 * 4 + 23 + 46}
    taken = folded.model_copy(update={"shots": "all", "guide_pool": 20})
    assert synthetic_images(taken, counts) == 2 * 5 * (230 - 46) * 10 * 5, "no more guide images than there are"
