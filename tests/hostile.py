"""Names and texts that cause harm if anything interprets them, for hypothesis and for complete runs."""

from hypothesis import strategies as st

from diagen.data.names import class_label, class_problems

CLASSES = (
    "<script>alert(1)<",
    "<img src=x onerror=alert(1)>",
    '$(touch pwned); `touch pwned` & it\'s "quoted"',
    "{x} {class_name} %s <|endoftext|>",
    "كتاب 😀 שלום",
    "-rf --output " + "ü" * 60,
)
"""Names of class folders."""
PIECES = (
    "<script>", "</h2>", "<img onerror=alert(1)>", "&amp;", "$(touch pwned)", "`", "'", '"', '""', ";", "|", "&", "\\",
    "\\n", "{", "}", "{{", "{class_name}", "{num_prompts}", "{0}", "%s", "$x$", "^", "_", "__metadata__", ",", "=1+1",
    "#", "/", "..", "~", "*", "[a]", "root ::=", "<|endoftext|>", "<|im_end|>", "</s>", "[INST]", "\u200c", "\u200d",
    "שלום", "كتاب", "😀", "e\u0301", "ﬁ", "İ", "None", "NA", " ", "\n", "\r", "\t", "\v", "\x00", "\x1b[2J", "\x85",
    "\u2028", "\u202e", "\ufeff", "\ud800", "car", "A", "ü" * 50,
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), min_size=1, max_size=5).map("".join)


def is_allowed(name: str) -> bool:
    """Whether a class may have this label."""
    return not class_problems({name: "it"})


LABELS = TEXTS.map(class_label).filter(is_allowed)
"""Valid class labels."""
