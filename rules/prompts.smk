from diagen.config.prompt_sets import prompt_files
from diagen.prompts.sources import source_file
from diagen.runtime.llama_device import built_for_gpu


rule write_prompts:
    input:
        images="<results>/{dataset}/images.csv",
        files=lambda wildcards: list(prompt_files(CONFIG.prompts[wildcards.prompt_set]).values()),
    output:
        prompts="<results>/{dataset}/prompts/{prompt_set}.csv",
        lines="<results>/{dataset}/prompts/{prompt_set}.lines.csv",
        made_with="<results>/{dataset}/prompts/{prompt_set}.made_with.json",
    log:
        "<logs>/write_prompts/{dataset}/{prompt_set}.log",
    benchmark:
        "<benchmarks>/write_prompts/{dataset}/{prompt_set}.jsonl"
    conda:
        "../envs/language.yaml"
    threads: EXECUTION.torch_threads
    resources:
        # Without a build for GPUs, prompts are written on the CPU and leave the GPUs to other jobs.
        gpu=lambda wildcards: WHOLE_GPU * (asks_llama(CONFIG.prompts[wildcards.prompt_set]) and built_for_gpu()),
        mem_mb=megabytes("write_prompts"),
        runtime=minutes("write_prompts"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
    params:
        settings=lambda wildcards: settings(
            "WritePrompts",
            prompts=CONFIG.prompts[wildcards.prompt_set],
            llama=CONFIG.models.llama if asks_llama(CONFIG.prompts[wildcards.prompt_set]) else None,
        ),
        code=lambda wildcards: fingerprint(source_file(CONFIG.prompts[wildcards.prompt_set].source)),
    shell:
        'python "$DIAGEN"/workflow_scripts/write_prompts.py --settings {params.settings:q}'
        " --device {resources.device} --torch-threads {resources.torch_threads} --output {output.prompts}"
        " -- {input.images} {input.files:q} 2>&1 | tee {log}"
