"""How long an answer is: as recorded where the prompt is known, else drawn from what the model was recorded to say.

A prompt is known by its task (the last user message before the first reply) and its stage (the number of replies in
it), as the replay sends them.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from chimera_bench.engine.prompts import Prompt
from chimera_training.data import PromptOutcome, Workflow, read_prompt_outcomes, read_workflows

# Characters of a message that the recordings keep; a longer task is known by its beginning.
RECORDED_CHARACTERS = 2000


class Recording:
    """What one model was recorded to answer.

    Args:
        tokens_of: Output tokens by task and stage.
        lengths: Output tokens of answers like those of the model: what an unknown prompt draws from, at least one.
        seed: Of the draws; the same prompt draws the same length every time.
    """

    def __init__(self, tokens_of: Mapping[tuple[str, int], int], lengths: Iterable[int], *, seed: int) -> None:
        self._tokens_of = tokens_of
        self._lengths = sorted(lengths)
        self._seed = seed

    def output_tokens(self, prompt: Prompt) -> int:
        """Return the tokens of the answer."""
        recorded = self._tokens_of.get((prompt.task[:RECORDED_CHARACTERS], prompt.stage))
        return self._drawn(prompt) if recorded is None else recorded

    def _drawn(self, prompt: Prompt) -> int:
        digest = sha256(f"{self._seed} {prompt.seed}".encode()).digest()
        return self._lengths[int.from_bytes(digest[:8]) % len(self._lengths)]


def recorded_tokens(
    workflows: Iterable[Workflow], outcomes: Iterable[PromptOutcome] = ()
) -> dict[tuple[str, int], int]:
    """Return output tokens by task and stage; a workflow's first trial goes before later ones and before outcomes."""
    runs = sorted(workflows, key=lambda run: run.trial)
    stages = (((run.stages[0].text, i), stage.output_tokens) for run in runs for i, stage in enumerate(run.stages))
    answers = (((outcome.text, 0), outcome.output_tokens) for outcome in outcomes)
    tokens_of: dict[tuple[str, int], int] = {}
    for (task, stage), tokens in (*stages, *answers):
        tokens_of.setdefault((task[:RECORDED_CHARACTERS], stage), max(1, tokens))
    return tokens_of


def read_recording(folder: Path, model: str, *, seed: int) -> Recording:
    """Read what a model was recorded to answer; of a model that nobody recorded, what all the others did.

    Raises:
        DataError: A file of the folder is missing or breaks a rule.
    """
    tokens_of = recorded_tokens(read_workflows(folder, models={model}), read_prompt_outcomes(folder, models={model}))
    lengths = tokens_of.values() or recorded_tokens(read_workflows(folder)).values()
    return Recording(tokens_of, lengths, seed=seed)
