"""What every sample becomes, word for word."""

import pytest
from golden_manifests import FOLDER, golden, path_of
from rendered_pools import SITUATIONS


@pytest.mark.parametrize("name", SITUATIONS)
def test_sample_becomes_what_is_committed(name: str) -> None:
    """Whoever changes rendering sees and shows what changes in clusters: `python tests/support/golden_manifests.py`."""
    assert golden(name) == path_of(name).read_text()


def test_every_file_belongs_to_a_sample() -> None:
    """A sample that goes takes its file along."""
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.yaml" for name in SITUATIONS}
