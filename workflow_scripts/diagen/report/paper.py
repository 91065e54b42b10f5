"""What the paper (arXiv 2408.14584) reports, to show beside an experiment's own figures."""

PAPER_DATASETS = {"focus": "FOCUS", "custom_coco": "Custom COCO", "coco": "MS COCO"}
"""The paper's datasets by the adapter that reads them."""
PAPER_SHOTS = (2, 4, 8)
TABLE_1 = {
    ("FOCUS", "DA-Fusion"): {"precision": (98.67, 97.67, 93.67), "recall": (8.00, 9.33, 7.00)},
    ("FOCUS", "DIAGen"): {"precision": (99.33, 96.00, 95.33), "recall": (25.67, 26.00, 20.00)},
    ("Custom COCO", "DA-Fusion"): {"precision": (89.33, 78.00, 82.67), "recall": (20.67, 21.67, 47.33)},
    ("Custom COCO", "DIAGen"): {"precision": (71.33, 60.67, 58.00), "recall": (58.00, 57.67, 59.67)},
    ("MS COCO", "DA-Fusion"): {"precision": (89.31, 89.69, 86.08), "recall": (3.69, 8.03, 15.19)},
    ("MS COCO", "DIAGen"): {"precision": (83.75, 81.56, 81.03), "recall": (36.06, 39.25, 41.39)},
}
"""Table 1: precision and recall in percent, for the numbers of shots `PAPER_SHOTS`, means over 3 seeds."""
