def index_inputs(dataset):
    """Input of the index: the drawn scenes of a world, or the split table."""
    block = CONFIG.datasets[dataset]
    if isinstance(block, DrawnWorld):
        return [f"{block.root}/scenes.csv"]
    return [block.split_table] if isinstance(block, ImageFolder) and block.split_table else []
