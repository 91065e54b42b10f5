"""Names of a class: words for a language model, a pseudo-word in the prompts of Stable Diffusion."""

INSIDE = str.maketrans(" <>", "_‹›")


def class_words(class_name: str) -> str:
    """Return the class name in words: `pine tree` for `pine_tree`."""
    return " ".join(class_name.replace("_", " ").split())


def pseudo_word(class_name: str) -> str:
    """Return the token of a class in a prompt: `<pine_tree>`; `<a‹b›>` for `a<b>`: no token contains another."""
    return f"<{class_words(class_name).translate(INSIDE)}>"
