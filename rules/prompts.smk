rule write_prompts:
    input:
        images="<results>/{dataset}/images.csv",
        files=lambda wildcards: list(prompt_files(CONFIG.prompts[wildcards.prompt_set]).values()),
    output:
        "<results>/{dataset}/prompts/{prompt_set}.csv",
    log:
        "<logs>/write_prompts/{dataset}/{prompt_set}.log",
    benchmark:
        "<benchmarks>/write_prompts/{dataset}/{prompt_set}.jsonl"
    conda:
        "../envs/language.yaml"
    threads: EXECUTION.torch_threads
    resources:
        mem_mb=megabytes("write_prompts"),
        runtime=minutes("write_prompts"),
        torch_threads=EXECUTION.torch_threads,
    params:
        settings=lambda wildcards: settings(
            "WritePrompts",
            prompts=CONFIG.prompts[wildcards.prompt_set],
            llama=CONFIG.models.llama if asks_llama(CONFIG.prompts[wildcards.prompt_set]) else None,
        ),
        code=code("write_prompts"),
    shell:
        'python "$DIAGEN"/workflow_scripts/write_prompts.py --settings {params.settings:q}'
        " --torch-threads {resources.torch_threads} --output {output} -- {input.images} {input.files:q} 2>&1 | tee {log}"
