import pytest

from chimera_training.families import family_of


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Meta-Llama-3-8B-Instruct", "llama-3"),
        ("Meta-Llama-3.1-70B-Instruct", "llama-3.1"),
        ("Llama-3.1-405B-Instruct", "llama-3.1"),
        ("Llama-2-13b-chat-hf", "llama-2"),
        ("Qwen2.5-7B-Instruct", "qwen2.5"),
        ("CodeQwen1.5-7B-Chat", "codeqwen1.5"),
        ("Mixtral-8x7B-Instruct-v0.1", "mixtral"),
        ("Mistral-7B-Instruct-v0.2", "mistral"),
        ("gemma-2-27b-it", "gemma-2"),
        ("OpenCodeInterpreter-DS-6.7B", "opencodeinterpreter-ds"),
        ("mathstral-7B", "mathstral"),
        ("gpt-4o-2024-05-13", "gpt-4o"),
        ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet"),
        ("deepseek-v2-chat-0628", "deepseek-v2"),
        ("command-r-plus", "command-r-plus"),
        ("claude-2", "claude-2"),
    ],
)
def test_the_family_is_the_name_without_size_tuning_and_date(name: str, family: str) -> None:
    """A pool's descriptor can name the family without knowing how the source spelt the model."""
    assert family_of(name) == family
