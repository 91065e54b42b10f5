def export_settings(wildcards):
    """The method, and the blocks and models of its images: they are on the card, so a change must export again."""
    method = CONFIG.methods[wildcards.method]
    generator = CONFIG.generators[method.generator]
    prompt_set = CONFIG.prompts[generator.prompts] if generator.prompts else None
    weighting = CONFIG.weightings[method.weighting] if method.weighting else None
    return settings(
        "ExportDataset",
        method=wildcards.method,
        synthetic_probability=method.synthetic_probability,
        generator=generator,
        embedding=CONFIG.embeddings[generator.embedding] if generator.embedding else None,
        prompts=prompt_set,
        weighting=weighting,
        guide_classifier=CONFIG.guide_classifiers[weighting.guide_classifier] if weighting else None,
        diffusion=CONFIG.models.diffusion,
        llama=CONFIG.models.llama if prompt_set is not None and asks_llama(prompt_set) else None,
        backbone=CONFIG.models.backbone if weighting else None,
    )
