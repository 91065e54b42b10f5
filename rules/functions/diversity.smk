def equal_size():
    """The sizes of the variant `equal_size`: the synthetic images per class that all cells and generators have."""
    names = CONFIG.used_blocks()["generators"] or CONFIG.generators
    fewest = min(CONFIG.generators[name].images_per_guide for name in names)
    return {"images_per_class": min(CONFIG.shot_counts) * fewest, "draws": CONFIG.diversity.draws}
