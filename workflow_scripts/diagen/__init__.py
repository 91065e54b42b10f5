"""DIAGen: semantically diverse image augmentation for few-shot learning (arXiv 2408.14584), as a library."""
