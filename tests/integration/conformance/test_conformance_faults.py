"""The conformance kit can fail: each wrong picker is caught by the cases meant for its fault, and by no others."""

from dataclasses import dataclass

import pytest
import wrong_pickers as wrong
import wrong_streams as streams
from examined import examined, failed
from wrong_pickers import Fault

from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.verdicts import Verdict

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


@dataclass(frozen=True)
class Expected:
    """A fault and the cases that catch it.

    Attributes:
        only: Patterns of the cases that are run, where a fault leaves little else to see.
        alone: Whether cases that take long are run too.
        several: Whether the picker names several endpoints.
    """

    fault: Fault
    caught_by: set[str]
    only: tuple[str, ...] = ()
    alone: bool = False
    several: bool = False


BINDING = {"subset.binds", "subset.strangers-are-passed-over", "subset.may-be-one-string", "buffered.subset-binds"}
REFUSING = {
    "subset.counts-ports",
    "subset.empty-list-is-503",
    "subset.no-match-is-503",
    "buffered.subset-of-nobody-is-503",
}
SELECTING = {"selection.by-address-and-port", "selection.by-address", "selection.by-list"}
FIRST = {
    "request.headers-come-first",
    "request.headers-come-first-in-pieces",
    "request.headers-come-first-before-trailers",
}
WHOLE = {
    "body.arrives-whole-from-two-pieces",
    "body.arrives-whole-from-single-bytes",
    "body.arrives-whole-from-one-large-piece",
    "body.arrives-whole-before-trailers",
    "buffered.body-names-a-model",
}
UNCHANGED = {
    "response.events-pass-unchanged",
    "response.json-in-pieces-passes-unchanged",
    "response.broken-json-passes-unchanged",
    "response.any-bytes-pass-unchanged",
    "response.served-endpoint-is-taken-or-left",
}
DISORDER = {
    "malformed.body-before-headers",
    "malformed.headers-twice",
    "malformed.unknown-part",
    "malformed.no-part",
    "malformed.trailers-alone",
    "malformed.response-before-request",
    "malformed.body-after-its-end",
    "malformed.undecodable-bytes",
}
READING = {
    "openai.invalid-json-is-400",
    "openai.missing-model-is-400",
    "openai.wrong-type-of-model-is-400",
    "openai.empty-body-is-400",
}
HALF_CLOSED = {
    "stream.may-end-after-the-request",
    "stream.ends-after-the-response",
    "buffered.response-may-stay-away",
}
UNENDED = {"response.body-is-ended", "response.end-may-come-with-bytes"}

TABLE = [
    # where the request goes
    Expected(
        wrong.names_a_stranger,
        {
            "destination.is-of-the-pool",
            "subset.binds-with-several",
            "buffered.destination-is-set",
            *BINDING,
            *SELECTING,
        },
    ),
    Expected(wrong.sets_no_header, {"destination.request-is-routed", "buffered.destination-is-set"}),
    Expected(wrong.sets_no_metadata, {"destination.metadata-is-set", "buffered.metadata-equals-header"}),
    Expected(wrong.sets_other_metadata, {"destination.metadata-equals-header", "buffered.metadata-equals-header"}),
    Expected(wrong.sets_value_only, {"destination.headers-are-raw"}),
    Expected(wrong.sets_both_values, {"destination.headers-have-one-value"}),
    Expected(wrong.leaves_the_action_open, {"destination.header-overwrites"}),
    Expected(wrong.appends, {"destination.header-is-not-appended"}),
    Expected(wrong.writes_ipv6_bare, {"destination.ipv6-stands-in-brackets"}),
    Expected(wrong.keeps_the_route_cache, {"destination.route-cache-is-cleared"}),
    Expected(wrong.NamesAll, {"destination.is-one-endpoint"}),
    Expected(wrong.FollowsTheClient, {"destination.forged-header-is-replaced"}),
    # the subset hint
    Expected(wrong.IgnoresTheSubset, BINDING | REFUSING),
    Expected(wrong.IgnoresPorts, {"subset.binds", "subset.counts-ports"}),
    Expected(wrong.TakesEmptyForAll, {"subset.empty-list-is-503"}),
    Expected(wrong.ReadsListsOnly, {"subset.may-be-one-string"}),
    Expected(wrong.says_429_for_503, REFUSING | {"empty.post-is-503"}),
    Expected(
        wrong.HangsWhereNobodyIsAllowed,
        REFUSING | {"selection.of-nobody-is-refused", "empty.post-is-503", "empty.get-is-answered"},
    ),
    # the request phase
    Expected(wrong.answers_the_body_first, FIRST),
    Expected(wrong.answers_trailers_before_the_body, {"request.trailers-are-answered-last"}),
    Expected(wrong.sends_a_plain_body, {"request.body-is-streamed", "request.unset-modes-mean-full-duplex"}),
    Expected(wrong.AnswersEachPieceEmpty, {"request.no-answer-is-empty", *FIRST - {"request.headers-come-first"}}),
    Expected(wrong.never_ends_the_body, {"request.body-is-ended"}),
    Expected(wrong.ends_the_body_twice, {"request.body-is-ended-once"}),
    Expected(wrong.AnswersASecondEnd, {"request.second-end-is-ignored"}),
    Expected(wrong.ParsesASecondEnd, {"request.second-end-is-ignored"}),
    Expected(wrong.NeverCuts, {"request.messages-fit-gateways", "request.pieces-are-of-62000-bytes"}),
    Expected(wrong.CutsTooCoarsely, {"request.pieces-are-of-62000-bytes"}),
    Expected(wrong.EndsTheBodyBeforeTrailers, {"request.trailers-end-the-body"}),
    Expected(wrong.WaitsForTheBodyOfAGet, {"request.get-is-answered-at-once", "buffered.get-is-answered-at-once"}),
    Expected(wrong.AnswersTheBodyOfAGet, {"request.get-has-no-body"}),
    Expected(wrong.TakesUnsetForBuffered, {"request.unset-modes-mean-full-duplex"}),
    Expected(wrong.NeedsALength, {"request.length-may-be-unknown"}),
    Expected(wrong.WaitsForAnEmptyEnd, {"request.end-may-come-with-bytes", "stream.half-close-may-come-early"}),
    Expected(wrong.IgnoresAnEmptyEnd, {"request.end-may-come-alone"}, only=("request.end-may-*",)),
    # the body
    Expected(wrong.Rewrites, set()),
    Expected(wrong.LosesFields, {"body.keeps-its-fields"}),
    Expected(wrong.RoundsNumbers, {"body.keeps-the-digits-of-numbers"}),
    Expected(wrong.LosesTheModel, {"body.names-a-model", "buffered.body-names-a-model"}),
    Expected(wrong.LosesTheStream, {"openai.streams-are-routed"}),
    Expected(wrong.LosesLaterPieces, WHOLE),
    Expected(wrong.LosesTheEndOfMegabytes, {"body.arrives-whole-with-3-mb"}, alone=True),
    Expected(wrong.states_a_wrong_length, {"body.length-is-right-or-absent", "buffered.length-is-right-or-removed"}),
    # the response phase
    Expected(
        streams.SwallowsASecondPiece,
        {
            "response.events-pass-at-once",
            "response.events-pass-unchanged",
            "response.json-in-pieces-passes-unchanged",
            "response.body-is-ended",
            "buffered.response-may-be-streamed",
        },
    ),
    Expected(streams.HoldsTheAnswer, {"response.events-pass-at-once", "response.messages-fit-gateways"}),
    Expected(streams.PutsTheAnswerTogether, {"response.messages-fit-gateways"}),
    Expected(streams.changes_the_answer, UNCHANGED),
    Expected(
        streams.leaves_the_head_unanswered,
        {"response.headers-are-answered", "response.may-have-no-body", "buffered.response-may-stay-away"},
    ),
    Expected(
        streams.AnswersTheHeadLate,
        {"response.headers-are-answered", "response.headers-come-first", "buffered.response-may-stay-away"},
    ),
    Expected(streams.never_ends_the_answer, UNENDED),
    Expected(streams.ends_the_answer_twice, {"response.body-is-ended-once"}),
    Expected(
        streams.answers_response_pieces_empty_too, {"response.no-answer-is-empty", "response.events-pass-at-once"}
    ),
    Expected(streams.EndsTheAnswerBeforeTrailers, {"response.trailers-end-the-body"}),
    Expected(streams.leaves_response_trailers_unanswered, {"response.trailers-are-answered-last"}),
    Expected(streams.LooksAtNoAnswers, set()),
    Expected(streams.LooksAtTheHeadsOfAnswers, UNCHANGED | {"response.events-pass-at-once"}),
    Expected(streams.AnswersABodyThatIsNone, {"response.may-have-no-body"}),
    Expected(
        streams.DiesOfErrors,
        {"response.gateways-own-answer-is-answered", "response.engines-error-keeps-its-status"},
        alone=True,
    ),
    Expected(streams.HidesErrors, {"response.engines-error-keeps-its-status"}, alone=True),
    # how streams end
    Expected(
        streams.IgnoresHalfClose,
        HALF_CLOSED | {"stream.half-close-before-the-body-ends", "stream.half-close-before-anything"},
    ),
    Expected(streams.FailsAtHalfClose, HALF_CLOSED),
    Expected(streams.DropsWhatIsHalfClosed, {"stream.half-close-may-come-early"}),
    Expected(streams.OneAtATime, {"stream.streams-are-independent"}, only=("stream.*",), alone=True),
    Expected(streams.DiesOfHalfARequest, {"stream.cancel-harms-nobody-else"}, only=("stream.cancel-*",)),
    # gateways that buffer
    Expected(streams.DefersTheHead, {"buffered.headers-are-answered-at-once"}),
    Expected(streams.StreamsWhatIsBuffered, {"buffered.body-is-not-streamed"}),
    Expected(streams.KeepsTheOldLength, {"buffered.length-is-right-or-removed"}),
    Expected(streams.AnswersTwice, {"buffered.body-is-answered-once"}),
    Expected(streams.NamesNobodyWhereBuffered, {"buffered.destination-is-set"}),
    Expected(streams.SetsNoMetadataWhereBuffered, {"buffered.metadata-equals-header"}),
    Expected(streams.LosesTheBodyWhereBuffered, {"buffered.body-names-a-model"}),
    Expected(
        streams.StreamsBufferedAnswers, {"buffered.response-is-answered-once", "buffered.response-may-be-streamed"}
    ),
    Expected(streams.ChangesBufferedAnswers, {"buffered.response-is-unchanged"}),
    # refusals
    Expected(wrong.RoutesAnything, READING),
    Expected(wrong.RoutesPostsWithoutBody, {"openai.post-without-body-is-400"}),
    Expected(wrong.KnowsChatsOnly, {"openai.completions-are-routed"}),
    Expected(wrong.refuses_in_plain_text, {"openai.errors-have-openais-shape"}),
    Expected(wrong.gives_no_reason, {"openai.refusals-have-a-reason"}),
    Expected(wrong.QuotesTheBody, {"malformed.refused-body"}),
    # what breaks the rules
    Expected(wrong.ShowsItsInsides, DISORDER),
    Expected(wrong.DiesOfDisorder, {"malformed.undecodable-bytes"}, only=("malformed.undecodable-bytes",)),
    Expected(wrong.MindsMetadata, {"malformed.what-is-of-no-concern"}),
    Expected(wrong.RepeatsHeaders, {"hostile.control-characters-are-not-repeated"}),
    Expected(wrong.HangsOnControlCharacters, {"hostile.control-characters"}),
    Expected(wrong.HangsOnManyHeaders, {"hostile.many-headers"}),
    Expected(wrong.HangsOnLongHeaders, {"hostile.long-header"}),
    Expected(wrong.HangsOnRepeatedHeaders, {"hostile.repeated-headers"}),
    Expected(wrong.HangsOnBytes, {"hostile.bytes-that-are-no-text"}),
    Expected(wrong.HangsOnBothValues, {"hostile.value-and-raw-value"}),
    Expected(wrong.HangsOnDepth, {"hostile.deep-json"}),
    Expected(
        wrong.HangsOnOddBodies,
        {"hostile.numbers-that-are-none", "hostile.repeated-fields", "hostile.odd-values"},
    ),
    Expected(
        wrong.LetsErrorsThrough,
        {
            "openai.invalid-json-is-400",
            "openai.empty-body-is-400",
            "malformed.refused-body",
            "hostile.deep-json",
            "hostile.other-encodings",
            "hostile.odd-values",
        },
    ),
    # limits
    Expected(
        wrong.HasNoCap,
        {
            "limits.body-over-the-cap",
            "limits.declared-length-over-the-cap",
            "limits.message-over-grpcs-limit",
        },
        alone=True,
    ),
    Expected(wrong.IgnoresTheDeclaredLength, {"limits.declared-length-over-the-cap"}),
    Expected(wrong.HangsOnTinyPieces, {"limits.tiny-pieces"}, alone=True),
    Expected(
        wrong.RefusesBursts, {"limits.streams-opened-at-once"}, only=("limits.streams-opened-at-once",), alone=True
    ),
    # health
    Expected(wrong.IsNotLive, {"health.liveness"}),
    Expected(wrong.IsNotReady, {"health.readiness"}),
    Expected(wrong.HasNoServiceHealth, {"health.ext-proc-service", "health.watch-begins-with-the-status"}),
    Expected(wrong.HasNoChartProbe, {"health.chart-probe"}),
    Expected(wrong.HasNoEmptyName, {"health.whole-server"}),
    Expected(wrong.KnowsEveryName, {"health.unknown-name", "health.watch-of-an-unknown-name"}),
    # pickers with a set-up
    Expected(wrong.IgnoresTheSelection, SELECTING | {"selection.of-nobody-is-refused"}),
    Expected(wrong.SelectsByAddressOnly, {"selection.by-address-and-port"}),
    Expected(wrong.SelectsAllForNobody, REFUSING | {"selection.of-nobody-is-refused"}),
    Expected(wrong.KeepsQuietWhoServed, {"selection.served-endpoint-is-told"}),
    Expected(wrong.NamesOneTwice, {"fallback.several-are-named"}, several=True),
    Expected(
        wrong.FallsBackOnAll,
        {
            "fallback.all-are-of-the-subset",
            "fallback.one-is-enough",
            "subset.binds-with-several",
            *BINDING,
            *SELECTING,
        },
        several=True,
    ),
]


@pytest.mark.parametrize("expected", TABLE, ids=lambda expected: expected.fault.__name__)
async def test_fault_is_caught_by_the_cases_meant_for_it(expected: Expected) -> None:
    """Each wrong picker fails exactly the cases whose rule it breaks."""
    outcomes = await examined(expected.fault, expected.only, alone=expected.alone, several=expected.several)

    assert failed(outcomes) == expected.caught_by


@pytest.mark.parametrize("several", [False, True], ids=["one endpoint", "several endpoints"])
async def test_correct_picker_passes(several: bool) -> None:  # noqa: FBT001 - pytest passes it
    """A correct picker of a few lines passes every case; only what it was not set up for is skipped."""
    outcomes = await examined(None, alone=True, several=several)

    beside = {outcome.case: outcome.came for outcome in outcomes if outcome.verdict is not Verdict.PASSED}
    assert beside == ({"destination.is-one-endpoint": "the picker was set up to name several"} if several else {})


def test_every_case_is_shown_to_fail() -> None:
    """There is no case on the stream that no wrong picker fails; those of TLS have tests of their own."""
    shown = {name for expected in TABLE for name in expected.caught_by}

    assert {case.name for case in STREAM_CASES} - shown == {"tls.http2-is-negotiated", "tls.plaintext-is-refused"}
