"""How a class is called: in words for a language model, as a pseudo-word in Stable Diffusion's prompts."""


def class_words(class_name: str) -> str:
    """The class name as a language model sees it: `pine_tree` as `pine tree`."""
    return " ".join(class_name.replace("_", " ").split())


def pseudo_word(class_name: str) -> str:
    """The learned word of a class in a prompt: `<pine_tree>`."""
    return f"<{class_words(class_name).replace(' ', '_')}>"
