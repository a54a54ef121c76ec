"""The conformance kit through the real Envoy: what a wrong picker does to clients is seen from outside too."""

from pathlib import Path

import pytest
import wrong_pickers as wrong
import wrong_streams as streams
from examined import examined_through_envoy, failed
from wrong_pickers import Fault

from chimera_conformance.through import GATEWAY_CASES
from chimera_conformance.verdicts import Verdict

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

WHOLE = {
    "envoy.small-body-arrives-whole",
    "envoy.body-of-3-mb-arrives-whole",
    "envoy.slow-body-arrives-whole",
    "envoy.http2-client-is-served",
    "envoy-buffered.request-is-served",
}
BUFFERED = {
    "envoy-buffered.request-is-served",
    "envoy-buffered.forged-destination-is-replaced",
    "envoy-buffered.answers-pass-unchanged",
}
GET = {"envoy.get-is-answered", "envoy-buffered.get-is-answered"}
TABLE: list[tuple[Fault, set[str]]] = [
    (wrong.sets_other_metadata, {"envoy-override.metadata-is-followed"}),
    (wrong.appends, {"envoy.forged-destination-is-replaced", "envoy-buffered.forged-destination-is-replaced"}),
    (
        wrong.IgnoresTheSubset,
        {
            "envoy.subset-binds",
            "envoy.subset-of-nobody-is-503",
            "envoy-failures.dead-engine-is-a-gateway-error",
        },
    ),
    (wrong.says_429_for_503, {"envoy.subset-of-nobody-is-503"}),
    (wrong.answers_trailers_before_the_body, {"envoy.trailers-of-the-request-arrive"}),
    (wrong.AnswersTheBodyOfAGet, GET),
    (wrong.NeedsALength, {"envoy.slow-body-arrives-whole", "envoy.trailers-of-the-request-arrive"}),
    (wrong.LosesLaterPieces, WHOLE),
    (
        streams.HoldsTheAnswer,
        {
            "envoy.events-pass-at-once",
            "envoy.trailers-of-the-answer-pass",
            "envoy.client-may-leave",
            "envoy-failures.engine-that-dies-in-the-middle",
        },
    ),
    (
        streams.changes_the_answer,
        {
            "envoy.http2-client-is-served",
            "envoy.answer-passes-unchanged",
            "envoy.broken-json-passes-unchanged",
            "envoy.large-answer-passes-unchanged",
            "envoy.events-pass-at-once",
            "envoy.events-pass-unchanged",
            "envoy.trailers-of-the-answer-pass",
            "envoy-failures.engines-error-passes",
            "envoy-failures.engines-refusal-passes",
        },
    ),
    (streams.EndsTheAnswerBeforeTrailers, {"envoy.trailers-of-the-answer-pass"}),
    (
        streams.DiesOfErrors,
        {"envoy-failures.dead-engine-is-a-gateway-error", "envoy-failures.engines-error-passes"},
    ),
    (streams.KeepsTheOldLength, BUFFERED),
    (
        streams.DefersTheHead,
        BUFFERED | {"envoy-buffered.length-is-that-of-the-body", "envoy-buffered.invalid-json-is-400"},
    ),
    (wrong.RoutesAnything, {"envoy.invalid-json-is-400", "envoy-buffered.invalid-json-is-400"}),
    (wrong.KeepsQuietWhoServed, {"envoy-override.served-endpoint-is-told"}),
    (
        wrong.answers_the_body_first,
        {
            "envoy.request-reaches-its-endpoint",
            "envoy.forged-destination-is-replaced",
            "envoy.body-of-70-kb-arrives-whole",
            "envoy.trailers-of-the-request-arrive",
            "envoy.events-pass-at-once",
            "envoy.trailers-of-the-answer-pass",
            "envoy.requests-are-independent",
            "envoy.client-may-leave",
            "envoy-override.metadata-is-followed",
            "envoy-failures.engine-that-is-back-is-chosen",
            "envoy-failures.dead-engine-is-a-gateway-error",
            "envoy-failures.engines-error-passes",
            "envoy-failures.engines-refusal-passes",
            *WHOLE - {"envoy-buffered.request-is-served"},
        },
    ),
]


@pytest.mark.parametrize(("fault", "caught_by"), TABLE, ids=[fault.__name__ for fault, _ in TABLE])
async def test_fault_is_seen_by_clients(tmp_path: Path, fault: Fault, caught_by: set[str]) -> None:
    """Each wrong picker fails exactly the cases whose rule it breaks for clients or engines."""
    outcomes = await examined_through_envoy(fault, tmp_path)

    assert failed(outcomes) == caught_by


@pytest.mark.parametrize("several", [False, True], ids=["one endpoint", "several endpoints"])
async def test_correct_picker_passes(tmp_path: Path, several: bool) -> None:  # noqa: FBT001 - pytest passes it
    """A correct picker of a few lines passes through every kind of gateway."""
    outcomes = await examined_through_envoy(None, tmp_path, several=several)

    beside = {outcome.case for outcome in outcomes if outcome.verdict is not Verdict.PASSED}
    assert beside == ({"envoy-failures.dead-engine-is-a-gateway-error"} if several else set())


def test_every_case_is_shown_to_fail() -> None:
    """There is no case through Envoy that no wrong picker fails, but for the one about lists, which is next."""
    shown = set().union(*(caught_by for _, caught_by in TABLE))

    assert {case.name for case in GATEWAY_CASES} - shown == {"envoy-override.first-endpoint-may-be-dead"}


async def test_list_of_one_is_caught(tmp_path: Path) -> None:
    """A picker that was set up to name several and names one fails where the gateway has to try the next."""
    outcomes = await examined_through_envoy(wrong.NamesTheFirstOnly, tmp_path, several=True)

    assert failed(outcomes) == {"envoy-override.first-endpoint-may-be-dead"}
