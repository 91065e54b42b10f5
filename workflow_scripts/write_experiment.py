"""Look at a folder of photos and write a commented configuration for it, config/NAME.yaml.

With --images-only the configuration makes synthetic images and no experiment; one that exists for these photos is kept.
"""

import argparse
import sys

from diagen.runtime.program import run


def main() -> None:
    """Run the program. With --images-only, standard output has the path of the configuration alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", metavar="PHOTOS", help="folder of photos, with one folder per class")
    parser.add_argument("--name", default="", help="name of the experiment (default: that of the folder)")
    parser.add_argument("--overwrite", action="store_true", help="replace a configuration that this program wrote")
    parser.add_argument("--images-only", action="store_true", help="make images, and no experiment")
    arguments = parser.parse_args()

    from diagen.experiments import write
    from diagen.experiments.summary import summary_text

    photos = write.photo_folder(arguments.photos)
    name = arguments.name or write.name_from(photos) + "_images" * arguments.images_only
    file = write.configuration_file(name)
    if not (arguments.images_only and not arguments.overwrite and write.is_for(file, photos)):
        write.require_free(file, overwrite=arguments.overwrite)
        order, cost = write.write_configuration(photos, name, images_only=arguments.images_only)
        print(summary_text(order, cost), file=sys.stderr if arguments.images_only else sys.stdout)
    if arguments.images_only:
        print(file)


if __name__ == "__main__":
    run(main)
