def picture_files():
    """What the report's gallery, map and noise ladder show: tables of all images and weights, and features."""
    first = f"<results>/{{dataset}}/{LADDER_CELL}"  # the cell on the map
    files = cells(f"{CELL}/shots.csv") + cells(
        f"{CELL}/synthetic/{{generator}}/manifest.csv", generator=USED["generators"]
    )
    for generator, weighting in CONFIG.weighted_sets():
        files += cells(f"{CELL}/synthetic/{generator}/weights/{weighting}.csv")
    files += expand("<results>/{dataset}/{table}", dataset=CONFIG.datasets, table=["images.csv", "features.npy"])
    files += expand(
        f"{first}/synthetic/{{generator}}/features.npy", dataset=CONFIG.datasets, generator=USED["generators"]
    )
    return files + noise_ladders() if USED["generators"] else []
