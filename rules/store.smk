localrules:
    prune_images,
    remove_unneeded,
    verify_results,


HELD = []  # open files, whose locks the kernel gives back when Snakemake ends, by whatever end


def hold_results():
    """Take the locks of all folders that this run writes to; of the store, one that other runs may take as well."""
    if all(job.rule.name in ASIDE for job in workflow.dag.needrun_jobs()):
        return
    worlds = [world.root for world in CONFIG.datasets.values() if isinstance(world, DrawnWorld)]
    results = Path("results") / CONFIG.experiment
    try:
        HELD.append(run_lock.hold(results))
        HELD.extend(run_lock.hold(Path(root)) for root in worlds)
        HELD.append(run_lock.hold(Path(STORE), shared=True))
    except run_lock.LockHeld as error:
        raise WorkflowError(f"{error}; wait for it to end, or end it, then start again. Nothing was changed.") from None
    except OSError as error:
        raise WorkflowError(f"{error.filename or results} can't be written to: {error.strerror}") from None
    # Jobs of this machine end with the run. Those of a cluster go on, and their results count.
    if workflow.local_exec and HELD[0] is not None:
        os.environ[run_lock.VARIABLE] = os.path.abspath(HELD[0].name)


rule prune_images:
    log:
        "<logs>/prune_images.log",
    conda:
        "../envs/vision.yaml"
    resources:
        mem_mb=2_000,
        runtime=60,
    params:
        store=STORE,
        how="",
    shell:
        'python "$DIAGEN"/workflow_scripts/prune_images.py --results results --store {params.store} {params.how}'
        " 2>&1 | tee {log}"


use rule prune_images as remove_unneeded with:
    log:
        "<logs>/remove_unneeded.log",
    params:
        store=STORE,
        how="--remove",


rule verify_results:
    log:
        "<logs>/verify_results.log",
    conda:
        "../envs/vision.yaml"
    resources:
        mem_mb=2_000,
        runtime=600,
    params:
        results=f"results/{CONFIG.experiment}",
        store=STORE,
        configfile=[os.path.relpath(file) for file in workflow.configfiles],
    shell:
        'python "$DIAGEN"/workflow_scripts/verify_results.py {params.results} --store {params.store}'
        " --configfile {params.configfile:q} 2>&1 | tee {log}"
