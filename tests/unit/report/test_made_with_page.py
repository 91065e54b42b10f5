"""The report shows what results were made with, and points out mixtures."""

from diagen.files.made_with import Share, record_files
from diagen.report.made_with_page import made_with_page

BLOCKS = {"prompts": ["paper"], "manifest": ["diagen"], "weights": ["diagen/paper"], "diversity": ["diagen/paper"]}


def record(parts: int = 1, **values: str) -> list[Share]:
    return [{"parts": parts, "made_with": {"torch": "2.13.0", "device": "cpu x86_64", **values}}]


def test_every_record_of_the_experiment_is_looked_for() -> None:
    assert dict((path, kind) for kind, path in record_files(["photos"], [(0, 2), (1, 2)], BLOCKS)) == {
        "photos/features.made_with.json": "features",
        "photos/ceiling.made_with.json": "diversity",
        "photos/prompts/paper.made_with.json": "prompts",
        **{
            f"photos/seed{seed}/shots2/{place}.made_with.json": kind
            for seed in (0, 1)
            for kind, place in (
                ("manifest", "synthetic/diagen/manifest"),
                ("weights", "synthetic/diagen/weights/paper"),
                ("diversity", "diversity/diagen/paper"),
            )
        },
    }


def test_results_made_alike_are_counted_together() -> None:
    page = made_with_page([("manifest", record(24)), ("manifest", record(8)), ("embeddings", record(2))])
    assert "All results were made with the same versions" in page and "mixed" not in page.partition("<body>")[2]
    assert page.index("learned words") < page.index("synthetic images")
    assert "<td>32</td>" in page


def test_mixed_versions_are_pointed_out() -> None:
    records = [("manifest", record()), ("downstream", record(torch="2.14.1")), ("manifest", record(micro_batch="8"))]
    page = made_with_page(records)
    assert "These results are mixed: torch 2.13.0, 2.14.1" in page


def test_stages_may_divide_their_work_differently() -> None:
    page = made_with_page([("manifest", record(micro_batch="8")), ("features", record(micro_batch="16"))])
    assert "All results were made with the same versions" in page
    mixed = made_with_page([("manifest", record(micro_batch="8")), ("manifest", record(micro_batch="4"))])
    assert "micro_batch of synthetic images 4, 8" in mixed


def test_words_of_cells_with_other_numbers_of_classes_are_no_mixture_but_those_in_two_precisions_are() -> None:
    alike = [("embeddings", record(micro_batch=rows, dtype="bfloat16")) for rows in ("20", "32")]
    page = made_with_page(alike)
    assert "All results were made with the same versions" in page and "<td>20</td>" in page
    page = made_with_page([*alike, ("embeddings", record(micro_batch="32", dtype="float32"))])
    assert "dtype of learned words bfloat16, float32" in page


def test_images_of_a_compiled_unet_and_others_are_a_mixture() -> None:
    page = made_with_page([("manifest", record(compiled="no")), ("features", record())])
    assert "All results were made with the same versions" in page
    page = made_with_page([("manifest", record(compiled="no")), ("manifest", record(compiled="yes"))])
    assert "compiled of synthetic images no, yes" in page
