"""Predictors fitted once on made-up recordings: a second's work that every module of this folder looks at."""

from pathlib import Path

import pytest
from recordings import prompt_rows, workflow_rows, write_recordings

from chimera_training.examples import Examples, examples
from chimera_training.split import Split, split


@pytest.fixture(scope="session")
def small_examples() -> Examples:
    return examples(prompt_rows(), workflow_rows())


@pytest.fixture(scope="session")
def small_split(small_examples: Examples) -> Split:
    return split(small_examples.tasks.ids, small_examples.tasks.texts)


@pytest.fixture(scope="session")
def small_recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings"))
