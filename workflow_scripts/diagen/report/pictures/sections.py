"""The sections of the report that show images, which share one set of thumbnails."""

from dataclasses import replace
from pathlib import Path

from diagen.report.page.templates import compact_json
from diagen.report.pictures.collection import collect
from diagen.report.pictures.feature_map.section import feature_map_section
from diagen.report.pictures.gallery.section import gallery_section
from diagen.report.pictures.noise_ladder import noise_ladder_section
from diagen.report.pictures.settings import PicturesSettings
from diagen.report.pictures.sheets import Album, pack
from diagen.report.section import Section


def picture_sections(settings: PicturesSettings, results: Path, store: Path) -> list[Section]:
    """The sections `gallery`, `feature-map` and, with a ladder, `noise-ladder` of the experiment in `results`.

    Reads, in `results/<experiment>`, the tables of all cells, features of real and synthetic images, and the images in
    the folder `store` and of the datasets. The first section holds the thumbnails of all. Equal files give equal
    sections, on one type of machine. Without generators there is no section. Raises `InputError`.
    """
    if not settings.generators:
        return []
    pictures = collect(settings, results)
    album = Album()
    sections = [
        gallery_section(pictures, settings, store, album),
        feature_map_section(settings, results, store, album),
    ]
    if settings.ladder:
        sections.append(noise_ladder_section(settings, results, store))
    sheets = pack(list(album.numbers))
    shared = {"pictures-layout": compact_json(sheets.layout())}
    shared |= {f"sheet{number}": image for number, image in enumerate(sheets.images)}
    sections[0] = replace(sections[0], data={**sections[0].data, **shared})
    return sections
