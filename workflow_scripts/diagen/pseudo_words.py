"""The pseudo-word that stands for a class in a prompt."""


def pseudo_word(class_name: str) -> str:
    """The token of a class: its name with underscores for spaces, in angle brackets."""
    return f"<{class_name.replace(' ', '_')}>"
