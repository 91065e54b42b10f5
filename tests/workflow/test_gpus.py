"""How many GPUs, or shares of them, the jobs of a run request, and what preflight is given to compare with."""

import re

import pytest

from tests.workflow.project import SHARING

WHOLE = {"learn_embeddings", "find_noise_ceilings", "draw_noise_ladder", "generate_images"}
REQUEST = re.compile(r"^(?:local)?rule (\w+):\n(?:    (?!resources:).*\n)*    resources: (.*)$", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs_per_gpu", "shards", "limit", "share", "whole", "sharded"),
    [
        (1, 1, 2, 1, 1, 1),
        (4, 1, 2, 1, 4, 4),
        (4, 2, 3, 1, 4, 8),
        (4, 3, 2, 1, 4, 8),  # lowered to the limit
        (4, 2, None, 1, 1, 2),  # as for a cluster, where each job has GPUs of its own
    ],
)
def test_jobs_request_shares_of_limited_gpus(fresh, jobs_per_gpu, shards, limit, share, whole, sharded):
    fresh.configure(lambda config: config["execution"].update(device="auto", jobs_per_gpu=jobs_per_gpu, shards=shards))
    options = ["--workflow-profile", "none", *(["--resources", f"gpu={limit}"] if limit else [])]
    requests: dict[str, set[int]] = {}
    for target in ("all", "preflight"):
        result = fresh.snakemake(*options, "--dry-run", "--printshellcmds", target)
        assert result.returncode == 0, result.stdout
        for rule, resources in REQUEST.findall(result.stdout):
            found = re.search(r"\bgpu=(\d+)", resources)
            requests.setdefault(rule, set()).add(int(found[1]) if found else 0)
    assert f" --gpus {limit or -1} " in result.stdout
    expected = {rule: share for rule in SHARING} | {rule: whole for rule in WHOLE}
    expected |= {"learn_embeddings": sharded, "generate_images": sharded}
    assert {rule: numbers for rule, numbers in requests.items() if numbers != {0}} == {
        rule: {number} for rule, number in expected.items() if rule in requests
    }
    assert requests.keys() >= SHARING | {"learn_embeddings", "generate_images"}
