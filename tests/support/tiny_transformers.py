"""Transformers of a few thousand random weights, saved as real ones are."""

from pathlib import Path

import torch
from recordings import prompt_rows, workflow_rows
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel

from chimera_training.features import normalise
from chimera_training.tokens import Tokens
from chimera_training.transformer import TextTransformer
from chimera_training.weights import load

# Matrices of 16 columns are no work for two threads, which only wait for each other.
torch.set_num_threads(1)

KINDS = ("bert", "modernbert")
TEXTS = sorted(
    {normalise(row.text) for row in prompt_rows()} | {normalise(row.stages[0].text) for row in workflow_rows()}
)

_SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def save_tiny(folder: Path, kind: str) -> Path:
    """Write config.json, model.safetensors and tokenizer.json."""
    tokenizer = _tokenizer()
    torch.manual_seed(0)
    if kind == "bert":
        body = BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=512, **_SIZES))
    else:
        marks = {name: tokenizer.token_to_id(f"[{name[:3].upper()}]") for name in ("pad_token_id", "cls_token_id")}
        ends = {"sep_token_id": tokenizer.token_to_id("[SEP]"), "bos_token_id": None, "eos_token_id": None}
        body = ModernBertModel(
            ModernBertConfig(
                vocab_size=tokenizer.get_vocab_size(),
                local_attention=8,
                global_attn_every_n_layers=2,
                **_SIZES,
                **marks,
                **ends,
            )
        )
    body.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def load_tiny(folder: Path, kind: str, *, limit: int = 32) -> tuple[TextTransformer, Tokens]:
    return load(str(save_tiny(folder, kind)), limit=limit)


def tokenizer_json() -> bytes:
    return str(_tokenizer().to_str()).encode()


def _tokenizer() -> Tokenizer:
    words = sorted({word for text in TEXTS for word in text.split()})
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate([*marks, *words])}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # As the files on the hub have it, and nobody here may follow it.
    tokenizer.enable_padding(length=64)
    tokenizer.enable_truncation(8)
    return tokenizer
