"""Make two tiny models of random weights: `PYTHON_OF_VLLM tiny_models.py FOLDER`.

A file of its own, run by path: only vLLM's environment has torch and transformers. The folder becomes a cache of the
Hugging Face hub, so that the models are found by the names of repositories, as any others.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HEAD = 64  # the smallest size of a head that vLLM's attention on CPUs takes
CONTEXT = 2048  # tokens
VOCABULARY = 512  # all bytes, and some of their pairs
BEGIN, END = "<s>", "</s>"  # the first two of the vocabulary
REVISION = "0" * 40  # of a repository that nobody committed to

TEXTS = ("The quick brown fox jumps over the lazy dog.", "What is 17 times 23?", "Count from one to ten, please.")
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make(cache: Path, name: str, *, layers: int, heads: int, seed: int) -> None:
    """Put a model into a cache of the hub, as the repository `chimera/NAME`."""
    repository = cache / f"models--chimera--{name}"
    folder = repository / "snapshots" / REVISION
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    _tokenizer().save_pretrained(folder)
    _weights(layers=layers, heads=heads, seed=seed).save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[BEGIN, END], initial_alphabet=alphabet)
    pairs.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pairs, bos_token=BEGIN, eos_token=END)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _weights(*, layers: int, heads: int, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=heads * HEAD,
            intermediate_size=2 * heads * HEAD,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=CONTEXT,
            bos_token_id=0,  # BEGIN
            eos_token_id=1,  # END
            dtype=torch.float32,
        )
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]), "tiny", layers=1, heads=2, seed=1)
    make(Path(sys.argv[1]), "less-tiny", layers=2, heads=4, seed=2)
