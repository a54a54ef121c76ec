"""The rules over several fields, as this package reads them; tests/controlplane asks the API server the same."""

from typing import Any

import pytest
from pool_rules import BROKEN, CASES, KEPT, Case

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_resource


@pytest.mark.parametrize("document", KEPT.values(), ids=KEPT)
def test_document_that_keeps_the_rule_is_read(document: dict[str, Any]) -> None:
    """What a rule allows passes all others too."""
    assert parse_resource(document).kind == "HeterogeneousModelPool"


@pytest.mark.parametrize(("case", "document"), BROKEN.values(), ids=BROKEN)
def test_document_that_breaks_the_rule_is_refused(case: Case, document: dict[str, Any]) -> None:
    """Each of them is told in one line; the first of a rule in the words that are written down beside it."""
    with pytest.raises(PoolError) as error:
        parse_resource(document)

    assert "\n" not in str(error.value)
    if document is next(iter(case.broken.values())):
        assert str(error.value) == case.line


def test_every_rule_is_shown_both_ways() -> None:
    """A rule that has only documents that keep it, or only such that break it, is not tested."""
    assert [case.sentence for case in CASES if not (case.kept and case.broken)] == []
