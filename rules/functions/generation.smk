def planned_prompts(wildcards):
    """The prompts of the generator, if any; otherwise each prompt is `a photo of a <class>`."""
    prompt_set = CONFIG.generators[wildcards.generator].prompts
    return f"<results>/{wildcards.dataset}/prompts/{prompt_set}.csv" if prompt_set else []


def learned_words(wildcards):
    """The learned words of the generator, if any; otherwise prompts contain plain class names."""
    embedding = CONFIG.generators[wildcards.generator].embedding
    return f"{CELL}/embeddings/{embedding}.safetensors" if embedding else []


def noise_ceilings(wildcards):
    """The noise ceilings of the generator, if any."""
    ceiling = CONFIG.generators[wildcards.generator].noise_ceiling
    return f"{CELL}/noise_ceilings/{ceiling}.csv" if ceiling else []


def noise_ladders():
    """The noise ladders of all datasets, if a generator that a method uses has noise."""
    return expand("<results>/{dataset}/noise_ladder.csv", dataset=CONFIG.datasets) if LADDER else []
