"""The schedules of generators and noise ceilings on the noise schedule of a local model."""

import json
from collections.abc import Iterator

from diagen.config import Config
from diagen.config.relations import schedule_problems
from diagen.schedules import TRAINED_TIMESTEPS


def model_schedule_problems(config: Config) -> Iterator[str]:
    """Problems of schedules if the model's folder is present and has another number of timesteps than usual.

    With the usual number, the configuration was checked when it was read. A damaged file is reported with the model.
    """
    file = config.models.diffusion.location / "scheduler" / "scheduler_config.json"
    try:
        trained = json.loads(file.read_text("utf-8")).get("num_train_timesteps", TRAINED_TIMESTEPS)
    except (OSError, ValueError, AttributeError):
        return
    if trained == TRAINED_TIMESTEPS or not isinstance(trained, int):
        return
    for section, blocks in (("generators", config.generators), ("noise_ceilings", config.noise_ceilings)):
        for name, block in blocks.items():
            for key, problem in schedule_problems(block, trained):
                yield f"`{section}.{name}.{key}`: {problem} ({file})"
