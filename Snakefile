# DIAGen (arXiv 2408.14584) as a workflow: from photos to learned words, prompts, synthetic images, their weights,
# classifiers and diversity metrics. The configuration defines the experiment; see config/README.md.

from snakemake.utils import min_version

min_version("9.27.1")

if not workflow.configfiles:

    configfile: "config/demo.yaml"


include: "rules/common.smk"
include: "rules/start.smk"
include: "rules/finish.smk"


report: "report/workflow.rst"


pathvars:
    results=f"results/{CONFIG.experiment}",
    logs=f"results/{CONFIG.experiment}/logs",
    benchmarks=f"results/{CONFIG.experiment}/benchmarks",


include: "rules/models.smk"
include: "rules/data.smk"
include: "rules/embeddings.smk"
include: "rules/prompts.smk"
include: "rules/noise_ceilings.smk"
include: "rules/generation.smk"
include: "rules/weighting.smk"
include: "rules/downstream.smk"
include: "rules/diversity.smk"
include: "rules/report.smk"
include: "rules/export.smk"
include: "rules/store.smk"


rule all:
    default_target: True
    input:
        rules.summarize.output,
        report_figures(),
        noise_ladders(),
