"""Results are the same to the byte whatever the order, the cores, the shards and the interruptions."""

import shutil


def test_runs_from_nothing_agree_with_one_core_and_two_shards(finished, fresh):
    fresh.configure(lambda config: config["execution"].update(shards=2))
    fresh.make("--cores", "1")
    one, other = finished.results(), fresh.results()
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_an_interrupted_job_goes_on_to_the_same_bytes(finished, changeable):
    results = changeable.folder / "results"
    images = sorted((results / "store/images").rglob("*.png"))
    kept = {image: image.stat().st_mtime_ns for image in images[::2]}
    for image in images[1::2]:
        image.unlink()
    shutil.rmtree(results / "tiny/world/seed7/shots2/synthetic")
    manifests = [f"results/tiny/world/seed7/shots2/synthetic/{name}/manifest.csv" for name in ("da_fusion", "diagen")]
    changeable.make("--cores", "2", *manifests)
    assert {image: image.stat().st_mtime_ns for image in kept} == kept, "an image that was there was made again"
    whole = finished.results()
    assert all(whole[name] == content for name, content in changeable.results().items())
