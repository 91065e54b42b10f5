"""What is asked for: an experiment, or images alone, for photos that were looked at, on a machine."""

from dataclasses import dataclass

from diagen.experiments.machine import Machine
from diagen.experiments.plan import Plan
from diagen.experiments.survey import Survey


@dataclass(frozen=True)
class Order:
    """An experiment to write: for which photos, divided how, on which machine.

    `name` is that of the experiment and of its dataset, `file` the path of the configuration in commands. With
    `images_only` there is no experiment, only images.
    """

    survey: Survey
    plan: Plan
    machine: Machine
    name: str
    file: str
    images_only: bool = False

    @property
    def full(self) -> bool:
        """Whether the machine can run models of full size."""
        return self.machine.learns_words

    @property
    def result(self) -> str:
        """Where the result will be."""
        return f"results/{self.name}/{'export/' if self.images_only else 'report.html'}"

    def commands(self) -> list[tuple[str, str]]:
        """The steps from the configuration to the result, each with its command."""
        run = f".venv/bin/snakemake --cores {{cores}} {{target}} --configfile {self.file}"
        gpus = f" --resources gpu={self.machine.gpus}" if self.machine.gpus > 1 else ""
        target = "export_dataset" if self.images_only else ""
        steps = [("models", run.format(cores=1, target="download_models"))] if self.full else []
        steps.append(("check", run.format(cores=1, target="preflight")))
        return [*steps, ("run", run.format(cores="all", target=target).replace("  ", " ") + gpus)]
