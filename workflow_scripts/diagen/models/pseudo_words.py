"""How a class is called: in words for a language model, as a pseudo-word in Stable Diffusion's prompts."""

INSIDE = str.maketrans(" <>", "_‹›")


def class_words(class_name: str) -> str:
    """The class name as a language model sees it: `pine_tree` as `pine tree`."""
    return " ".join(class_name.replace("_", " ").split())


def pseudo_word(class_name: str) -> str:
    """The learned word of a class in a prompt: `<pine_tree>`, and `<a‹b›>` for `a<b>`, so that none holds another."""
    return f"<{class_words(class_name).translate(INSIDE)}>"
