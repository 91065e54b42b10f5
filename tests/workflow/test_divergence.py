"""A loss that is not finite stops its own job with a sentence, and with `--keep-going` no other."""

CELL = "results/tiny/world/seed7/shots2"


def diverge(config: dict) -> None:
    """A word and a classifier that can't be learned, beside others that can."""
    config["embeddings"]["wild"] = config["embeddings"]["paper"] | {"learning_rate": 1e36}
    config["generators"]["wild"] = config["generators"]["da_fusion"] | {"embedding": "wild"}
    config["recipes"] = {"wild": {"learning_rate": 1e37}, "calm": {"learning_rate": 1e-5}}
    config["methods"] |= {
        "wild_words": {"generator": "wild", "synthetic_probability": 0.5},
        "wild_layer": {"recipe": "wild"},
        "calm_layer": {"recipe": "calm"},
    }


def test_a_loss_that_isnt_finite_stops_one_job_and_the_others_go_on(changeable):
    changeable.configure(diverge)
    result = changeable.snakemake("--cores", "2", "--keep-going")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    logs = changeable.folder / "results/tiny/logs"
    words = (logs / "learn_embeddings/world/seed7/shots2/wild.log").read_text("utf-8")
    for part in ("error: the loss of ", "car", "is not finite at step ", "Lower `embeddings.<name>.learning_rate`"):
        assert part in words
    layer = (logs / "train_downstream/world/seed7/shots2/wild_layer.log").read_text("utf-8")
    for part in ("error: train_downstream wild_layer, epoch 1, step ", " is not finite. Lower the `learning_rate`"):
        assert part in layer
    made = {
        path.name for path in (changeable.folder / CELL / "downstream").iterdir() if (path / "metrics.json").exists()
    }
    baselines = {"logistic_regression", "nearest_class_mean"}
    assert made == {"standard", "da_fusion", "diagen", "calm_layer", *baselines}
    assert not (changeable.folder / CELL / "embeddings/wild.safetensors").exists()
