"""Architectures and file formats of the small models, for the training programs and the stand-in models."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import regex
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, ResNetConfig, ResNetForImageClassification

MODELS = Path(__file__).resolve().parents[1] / "models"


def byte_letters() -> list[str]:
    """GPT-2's printable character for each of the 256 bytes, in the order of the bytes."""
    spare = iter(range(256, 512))
    return [
        chr(byte) if chr(byte).isprintable() and byte not in (0x20, 0xA0, 0xAD) else chr(next(spare))
        for byte in range(256)
    ]


def as_byte_letters(text: str) -> str:
    """The text's UTF-8 bytes, each written as its printable letter (a space becomes "Ġ")."""
    letters = byte_letters()
    return "".join(letters[byte] for byte in text.encode("utf-8"))


# ---------------------------------------------------------------- CLIP's tokenizer


def merge_pieces(pieces: Sequence[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Byte-pair encoding: merges all occurrences of the pair with the lowest rank, until no known pair is left."""
    pieces = list(pieces)
    while known := [pair for pair in zip(pieces, pieces[1:], strict=False) if pair in ranks]:
        best, joined, index = min(known, key=ranks.__getitem__), [], 0
        while index < len(pieces):
            step = 2 if tuple(pieces[index : index + 2]) == best else 1
            joined.append("".join(pieces[index : index + step]))
            index += step
        pieces = joined
    return pieces


def clip_vocabulary(words: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a CLIP tokenizer in which each word is one token and other text falls back to letters.

    New merges have higher ranks than all earlier ones, so they only extend what those produce and split no word.
    """
    ranks: dict[tuple[str, str], int] = {}
    for word in dict.fromkeys(words):
        letters = list(as_byte_letters(word.lower()))
        letters[-1] += "</w>"
        while len(pieces := merge_pieces(letters, ranks)) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
    return clip_tokens(ranks), list(ranks)


def clip_tokens(merges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """CLIP's vocabulary: letters, the results of `merges`, and the two special tokens, in this order."""
    letters = byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in merges)]
    tokens = [*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}


def write_clip_tokenizer(folder: Path, words: Iterable[str], max_length: int) -> int:
    """Writes a tokenizer in which each word is one token; returns the number of tokens."""
    return write_clip_merges(folder, clip_vocabulary(words)[1], max_length)


def write_clip_merges(folder: Path, merges: Sequence[tuple[str, str]], max_length: int) -> int:
    """Writes the tokenizer's files as Stable Diffusion v1-4 lays them out; returns the number of tokens."""
    vocabulary = clip_tokens(merges)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    special |= {"pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    write_json(folder / "special_tokens_map.json", special)
    config = {**special, "model_max_length": max_length, "do_lower_case": True, "tokenizer_class": "CLIPTokenizer"}
    write_json(folder / "tokenizer_config.json", config)
    return len(vocabulary)


# ---------------------------------------------------------------- Llama

LLAMA_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LLAMA_CONTEXT = 1024
CHAT_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
    "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# The pre-tokenizer of Llama 3, "llama-bpe" in llama.cpp: a piece in the vocabulary is one token regardless of the
# merges, so that words need no intermediate merges.
LLAMA_SPLIT = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class LlamaVocabulary:
    """Whole words (with the preceding space) and, for all other text, bytes, as llama.cpp tokenizes it."""

    def __init__(self, texts: Iterable[str]) -> None:
        pieces = dict.fromkeys(piece for text in texts for piece in LLAMA_SPLIT.findall(text))
        words = (as_byte_letters(piece) for piece in sorted(pieces) if regex.search(r"\p{L}", piece))
        self.tokens = list(dict.fromkeys([*byte_letters(), *LLAMA_SPECIAL, *words]))
        self.numbers = {token: number for number, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """Token numbers of a text; names of special tokens become these tokens."""
        numbers: list[int] = []
        for part in regex.split("(" + "|".join(regex.escape(name) for name in LLAMA_SPECIAL) + ")", text):
            if part in LLAMA_SPECIAL:
                numbers.append(self.numbers[part])
                continue
            for piece in LLAMA_SPLIT.findall(part):
                letters = as_byte_letters(piece)
                whole = self.numbers.get(letters)
                numbers += [whole] if whole is not None else [self.numbers[letter] for letter in letters]
        return numbers

    def chat(self, instruction: str) -> list[int]:
        """Tokens of the instruction in the chat template, up to the start of the answer."""
        text = f"<|im_start|>user\n{instruction}<|im_end|>\n<|im_start|>assistant\n"
        return self.encode(text)


def llama_model(vocabulary_size: int, width: int, layers: int, heads: int, inner: int) -> LlamaForCausalLM:
    """An untrained Llama with tied input and output embeddings and a context of `LLAMA_CONTEXT` tokens."""
    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=LLAMA_CONTEXT,
        rms_norm_eps=1e-5,
        initializer_range=0.06,  # about 1/sqrt(width): smaller values delay copying by hundreds of steps
        tie_word_embeddings=True,
        bos_token_id=256,
        eos_token_id=258,
    )
    return LlamaForCausalLM(config)


def interleave_rotary(weight: Tensor, heads: int) -> Tensor:
    """Reorders query or key rows from transformers' rotary halves to the interleaved pairs of GGUF's llama."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).reshape(weight.shape)


def write_llama_gguf(path: Path, model: LlamaForCausalLM, vocabulary: LlamaVocabulary, name: str) -> None:
    """Writes model, vocabulary and chat template as one GGUF file: matrices in float16, norms in float32."""
    import gguf  # the benchmarks use this module without it

    config = model.config
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_suffix(".partial")
    writer = gguf.GGUFWriter(partial_path, "llama")
    writer.add_name(name)
    writer.add_vocab_size(len(vocabulary))
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(vocabulary.tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token in LLAMA_SPECIAL else normal for token in vocabulary.tokens])
    # llama.cpp requires a list of merges; this one joins two bytes that never occur in UTF-8 text.
    writer.add_token_merges([" ".join(byte_letters()[-2:])])
    writer.add_bos_token_id(vocabulary.numbers["<|endoftext|>"])
    writer.add_eos_token_id(vocabulary.numbers["<|im_end|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for tensor_name, array in llama_tensors(model):
        writer.add_tensor(tensor_name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial_path.replace(path)


def llama_tensors(model: LlamaForCausalLM) -> Iterable[tuple[str, np.ndarray]]:
    """Yields names and values of the model's tensors in GGUF's architecture `llama`."""
    weights = {name.removeprefix("model."): tensor.detach().float().cpu() for name, tensor in model.named_parameters()}
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    heads = model.config.num_attention_heads
    yield "token_embd.weight", weights["embed_tokens.weight"].half().numpy()
    yield "output_norm.weight", weights["norm.weight"].numpy()
    for layer in range(model.config.num_hidden_layers):
        for source, target in parts.items():
            tensor = weights[f"layers.{layer}.{source}.weight"]
            if target in ("attn_q", "attn_k"):
                tensor = interleave_rotary(tensor, heads)
            yield f"blk.{layer}.{target}.weight", (tensor.half() if tensor.ndim == 2 else tensor).numpy()


# ---------------------------------------------------------------- DINOv2 and ResNet


def dinov2_source() -> ModuleType:
    """The module `hubconf` of the shipped torch.hub repository, which defines the architecture."""
    spec = spec_from_file_location("hubconf", MODELS / "dinov2" / "hubconf.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_dinov2(folder: Path, shape: dict[str, int], weights: dict[str, Tensor]) -> None:
    """Writes a torch.hub repository with the entry point `dinov2_demo`: source, shape and float16 weights."""
    folder.mkdir(parents=True, exist_ok=True)
    source = MODELS / "dinov2" / "hubconf.py"
    if folder.resolve() != source.parent:
        shutil.copyfile(source, folder / "hubconf.py")
    write_json(folder / "dinov2_demo.json", shape)
    save_half(weights, folder / "dinov2_demo.safetensors")


def resnet_model(
    embedding: int, hidden: Sequence[int], depths: Sequence[int], labels: Sequence[str]
) -> ResNetForImageClassification:
    """An untrained ResNet of basic layers (He et al. 2016) that classifies into `labels`."""
    config = ResNetConfig(
        embedding_size=embedding,
        hidden_sizes=list(hidden),
        depths=list(depths),
        layer_type="basic",
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    return ResNetForImageClassification(config)


def write_resnet(folder: Path, model: ResNetForImageClassification, image_size: int) -> None:
    """Writes a transformers folder with float16 weights; images are normalized with mean 0.5 and deviation 0.5."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.architectures = ["ResNetForImageClassification"]
    model.config.dtype = torch.float16
    model.config.save_pretrained(folder)
    save_half(model.state_dict(), folder / "model.safetensors")
    processor = {
        "image_processor_type": "ConvNextImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": image_size},
        "crop_pct": 1.0,
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    write_json(folder / "preprocessor_config.json", processor)


# ---------------------------------------------------------------- files


def write_json(path: Path, content: object) -> None:
    """Writes indented JSON with a final newline."""
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def save_half(weights: dict[str, Tensor], path: Path) -> None:
    """Writes tensors as safetensors: floating-point ones in float16, integer ones (BatchNorm's counters) unchanged."""
    half = {name: (t.half() if t.is_floating_point() else t).cpu().contiguous() for name, t in weights.items()}
    save_file(half, path, metadata={"format": "pt"})


def write_checksums(folder: Path) -> None:
    """Writes `SHA256SUMS`: a line "<sha256>  <relative path>" for every other file except caches."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    lines = []
    for path in files:
        if path.name != "SHA256SUMS":
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8")
