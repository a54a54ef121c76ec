"""Pickers that are wrong in one way each, as real ones have been, to prove that the conformance kit can fail.

A fault is an alteration of the answers to one message, a kind of stream, or a kind of picker.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from tiny_picker import DESTINATION, NAMES, Answer, DisorderError, Stream, TinyPicker, header_mutation, served, streamed

STRANGER = "198.51.100.7:9"  # an address of RFC 5737
Alteration = Callable[[list[Answer]], list[Answer]]
Fault = Alteration | type[Stream] | type[TinyPicker]


def picker_with(fault: Fault | None, endpoints: Sequence[str], **options: Any) -> TinyPicker:
    """Return a picker that is correct but for one fault."""
    if fault is None:
        return TinyPicker(endpoints, **options)
    if isinstance(fault, type) and issubclass(fault, TinyPicker):
        return fault(endpoints, **options)
    if isinstance(fault, type):
        return TinyPicker(endpoints, stream=fault, **options)
    return TinyPicker(endpoints, alter=fault, **options)


# --- reading answers, to change them in place ---


def kind(answer: Answer) -> str:
    return str(answer.WhichOneof("response"))


def pieces(answers: list[Answer], name: str) -> list[Any]:
    """Return the streamed pieces of a body."""
    mutations = [getattr(answer, name).response.body_mutation for answer in answers if kind(answer) == name]
    return [each.streamed_response for each in mutations if each.WhichOneof("mutation") == "streamed_response"]


def edits(answers: list[Answer], name: str = DESTINATION) -> list[Any]:
    """Return the options that set a header of the request."""
    parts = [getattr(each, kind(each)) for each in answers if kind(each) in {"request_headers", "request_body"}]
    return [edit for part in parts for edit in part.response.header_mutation.set_headers if edit.header.key == name]


def body_answer(name: str, data: bytes = b"") -> Answer:
    """Return an answer that ends a body."""
    return ext_proc.ProcessingResponse(**{name: streamed(data, True)})


def empty_answer(name: str) -> Answer:
    return ext_proc.ProcessingResponse(**{name: ext_proc.BodyResponse(response=ext_proc.CommonResponse())})


def without(answers: list[Answer], name: str) -> list[Answer]:
    return [answer for answer in answers if kind(answer) != name]


# --- where the request goes ---


def names_a_stranger(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers):
        edit.header.raw_value = STRANGER.encode()
    for answer in answers:
        if answer.dynamic_metadata.fields:
            answer.dynamic_metadata.update({"envoy.lb": {DESTINATION: STRANGER}})
    return answers


def sets_no_header(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers):
        edit.header.key = "x-other"
    return answers


def sets_no_metadata(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        answer.ClearField("dynamic_metadata")
    return answers


def sets_other_metadata(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        if answer.dynamic_metadata.fields:
            answer.dynamic_metadata.update({"envoy.lb": {DESTINATION: STRANGER}})
    return answers


def sets_value_only(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers):
        edit.header.value = edit.header.raw_value.decode()
        edit.header.ClearField("raw_value")
    return answers


def sets_both_values(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers):
        edit.header.value = edit.header.raw_value.decode()
    return answers


def leaves_the_action_open(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers):
        edit.ClearField("append_action")
    return answers


def appends(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers):
        edit.ClearField("append_action")
        edit.append.value = True
    return answers


def writes_ipv6_bare(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers):
        edit.header.raw_value = edit.header.raw_value.replace(b"[", b"").replace(b"]", b"")
    return answers


def keeps_the_route_cache(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        if kind(answer) == "request_headers":
            answer.request_headers.response.clear_route_cache = False
    return answers


class NamesAll(TinyPicker):
    def __init__(self, endpoints: Sequence[str], **options: Any) -> None:
        super().__init__(endpoints, **{**options, "several": True})


class FollowsTheClient(Stream):
    def chosen(self, message: Any) -> list[str]:
        return [self.headers[DESTINATION]] if DESTINATION in self.headers else super().chosen(message)


# --- the subset hint ---


class IgnoresTheSubset(Stream):
    def allowed(self, _hint: list[str] | None) -> list[str]:
        return list(self.picker.endpoints)


class IgnoresPorts(Stream):
    def allowed(self, hint: list[str] | None) -> list[str]:
        ips = {each.rpartition(":")[0] for each in hint or ()}
        return [each for each in self.picker.endpoints if hint is None or each.rpartition(":")[0] in ips]


class TakesEmptyForAll(Stream):
    def allowed(self, hint: list[str] | None) -> list[str]:
        return super().allowed(hint if hint and any(hint) else None)


class ReadsListsOnly(Stream):
    def hint(self, message: Any) -> list[str] | None:
        found = message.metadata_context.filter_metadata.get("envoy.lb.subset_hint")
        listed = found and found.fields["x-gateway-destination-endpoint-subset"].HasField("list_value")
        return super().hint(message) if listed else None


def says_429_for_503(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        if answer.immediate_response.status.code == 503:
            answer.immediate_response.status.code = 429
    return answers


# --- the request phase ---


def answers_the_body_first(answers: list[Answer]) -> list[Answer]:
    return sorted(answers, key=lambda answer: kind(answer) == "request_headers")


def answers_trailers_before_the_body(answers: list[Answer]) -> list[Answer]:
    return sorted(answers, key=lambda answer: kind(answer) == "request_body")


def sends_a_plain_body(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        if kind(answer) == "request_body" and pieces([answer], "request_body"):
            mutation = answer.request_body.response.body_mutation
            mutation.body = mutation.streamed_response.body
    return answers


class AnswersEachPieceEmpty(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        answers = super().request_body(message)
        return answers if self.routed or self.refused else [empty_answer("request_body")]


def never_ends_the_body(answers: list[Answer]) -> list[Answer]:
    for piece in pieces(answers, "request_body"):
        piece.end_of_stream = False
    return answers


def ends_the_body_twice(answers: list[Answer]) -> list[Answer]:
    ended = any(piece.end_of_stream for piece in pieces(answers, "request_body"))
    return [*answers, body_answer("request_body")] if ended else answers


class AnswersASecondEnd(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        return [body_answer("request_body")] if self.routed else super().request_body(message)


class ParsesASecondEnd(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        return self.refuse(400, "no JSON") if self.routed else super().request_body(message)


class NeverCuts(Stream):
    chunk = 1 << 30


class CutsTooCoarsely(Stream):
    chunk = 65_000


class EndsTheBodyBeforeTrailers(Stream):
    def finish(self, message: Any, *, trailers: bool) -> list[Answer]:  # noqa: ARG002 - that it is ignored is the fault
        return super().finish(message, trailers=False)


class WaitsForTheBodyOfAGet(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        answers = super().request_headers(message)
        return [] if message.request_headers.end_of_stream and not self.refused else answers


class AnswersTheBodyOfAGet(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        answers = super().request_headers(message)
        return [*answers, body_answer("request_body")] if self.routed else answers


class TakesUnsetForBuffered(Stream):
    @property
    def duplex(self) -> bool:
        return self.modes != (0, 0) and super().duplex


class NeedsALength(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        answers = super().request_headers(message)
        sized = message.request_headers.end_of_stream or "content-length" in self.headers
        return answers if sized else self.refuse(411, "no length")


class WaitsForAnEmptyEnd(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        if message.request_body.body and self.duplex:
            message.request_body.end_of_stream = False
        return super().request_body(message)


class IgnoresAnEmptyEnd(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        return super().request_body(message) if message.request_body.body else []


# --- the body ---


class Rewrites(Stream):
    """Writes the body anew. Right by itself."""

    def rewritten(self, body: bytes, model: str) -> bytes:
        fields = json.loads(super().rewritten(body, model))
        self.spoil(fields)
        return json.dumps(fields).encode()

    def spoil(self, fields: dict[str, Any]) -> None:
        """Change what should arrive as it is."""


class LosesFields(Rewrites):
    def spoil(self, fields: dict[str, Any]) -> None:
        fields.pop("metadata", None)


class RoundsNumbers(Rewrites):
    def spoil(self, fields: dict[str, Any]) -> None:
        if "seed" in fields:
            fields["seed"] = float(fields["seed"])


class LosesTheModel(Rewrites):
    def spoil(self, fields: dict[str, Any]) -> None:
        del fields["model"]


class LosesTheStream(Rewrites):
    def spoil(self, fields: dict[str, Any]) -> None:
        fields.pop("stream", None)


class LosesLaterPieces(Stream):
    def rewritten(self, body: bytes, model: str) -> bytes:
        return super().rewritten(body, model).replace(b"hello", b"hallo").replace(b"xxx", b"xx")


class LosesTheEndOfMegabytes(Stream):
    def rewritten(self, body: bytes, model: str) -> bytes:
        return super().rewritten(body if len(body) < 1_000_000 else body.replace(b"xxx", b"xx"), model)


def states_a_wrong_length(answers: list[Answer]) -> list[Answer]:
    for edit in edits(answers, "content-length"):
        edit.header.raw_value = b"7"
    return answers


# --- refusals ---


class RoutesAnything(Stream):
    def finish(self, message: Any, *, trailers: bool) -> list[Answer]:
        try:
            json.loads(self.body)["model"].strip()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return self.route(message, bytes(self.body) or b"{}", ends=not trailers)
        return super().finish(message, trailers=trailers)


class RoutesPostsWithoutBody(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        answers = super().request_headers(message)
        if not message.request_headers.end_of_stream or self.routed:
            return answers
        self.refused = False
        return self.route(message, None)


class KnowsChatsOnly(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        answers = super().request_headers(message)
        return self.refuse(404, "no such path") if self.headers[":path"] == "/v1/completions" else answers


def refuses_in_plain_text(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        if kind(answer) == "immediate_response":
            answer.immediate_response.body = b"no"
    return answers


def gives_no_reason(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        if kind(answer) == "immediate_response":
            answer.immediate_response.headers.CopyFrom(header_mutation({"content-type": "application/json"}))
    return answers


class QuotesTheBody(Stream):
    def refuse(self, status: int, message: str) -> list[Answer]:
        return super().refuse(status, f"{message}: {self.body[:80].decode(errors='replace')}")


# --- what breaks the rules ---


class ShowsItsInsides(TinyPicker):
    async def violated(self, context: Any, data: bytes) -> None:
        await context.abort(grpc.StatusCode.UNKNOWN, f"Unexpected <class 'DecodeError'>: {data!r}")


class DiesOfDisorder(TinyPicker):
    dead = False

    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        if self.dead:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "dead")
        async for answer in super().process(received, context):
            yield answer

    async def violated(self, context: Any, data: bytes) -> None:
        self.dead = True
        await super().violated(context, data)


class MindsMetadata(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        if message.attributes:
            raise DisorderError
        return super().request_headers(message)


class RepeatsHeaders(Stream):
    def streamed(self, told: dict[str, str], body: bytes | None, *, ends: bool) -> list[Answer]:
        repeated = {name: value for name, value in self.headers.items() if name == "x-request-id"}
        return super().streamed({**repeated, **told}, body, ends=ends)


class HangsOnControlCharacters(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        return [] if any("\0" in value for value in self.headers.values()) else super().request_body(message)


class HangsOnManyHeaders(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        return [] if len(self.headers) > 1000 else super().request_body(message)


class HangsOnLongHeaders(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        return [] if max(map(len, self.headers.values())) > 60_000 else super().request_body(message)


class HangsOnDepth(Stream):
    deep = False

    def request_body(self, message: Any) -> list[Answer]:
        self.deep = self.deep or b"[[[[[[" in message.request_body.body
        return [] if self.deep else super().request_body(message)


class LetsErrorsThrough(Stream):
    """Parses without a net: gRPC tells the peer what was thrown."""

    def finish(self, message: Any, *, trailers: bool) -> list[Answer]:
        if isinstance(json.loads(self.body), dict):
            return super().finish(message, trailers=trailers)
        raise TypeError(self.body.decode())


class HangsOnRepeatedHeaders(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        names = [header.key for header in self.opening.request_headers.headers.headers]
        return super().request_body(message) if len(set(names)) == len(names) else []


class HangsOnBytes(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        return [] if any("\ufffd" in value for value in self.headers.values()) else super().request_body(message)


class HangsOnBothValues(Stream):
    def request_body(self, message: Any) -> list[Answer]:
        both = any(header.value for header in self.opening.request_headers.headers.headers)
        return [] if both else super().request_body(message)


class HangsOnOddBodies(Stream):
    """Waits for what never comes where a body repeats a field, or has a number or a value that is none."""

    def finish(self, message: Any, *, trailers: bool) -> list[Answer]:
        odd = (b"NaN", b"another", b"null]")
        return [] if any(each in self.body for each in odd) else super().finish(message, trailers=trailers)


# --- limits ---


class HasNoCap(Stream):
    def refuse(self, status: int, message: str) -> list[Answer]:
        return [] if status == 413 else super().refuse(status, message)


class IgnoresTheDeclaredLength(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        answers = super().request_headers(message)
        if not self.refused or message.request_headers.end_of_stream:
            return answers
        self.refused = False
        return []


class HangsOnTinyPieces(Stream):
    pieces = 0

    def request_body(self, message: Any) -> list[Answer]:
        self.pieces += 1
        return [] if self.pieces > 1000 else super().request_body(message)


class RefusesBursts(TinyPicker):
    """Drops streams once many were opened within a second, as gRPC's core does past its limit."""

    def __init__(self, endpoints: Sequence[str], **options: Any) -> None:
        super().__init__(endpoints, **options)
        self.opened: list[float] = []

    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        now = asyncio.get_running_loop().time()
        self.opened = [*(each for each in self.opened if now - each < 1.0), now]
        if len(self.opened) > 400:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "full")
        async for answer in super().process(received, context):
            yield answer


# --- health ---


class IsNotLive(TinyPicker):
    names = tuple(name for name in NAMES if name != "liveness")


class IsNotReady(TinyPicker):
    names = tuple(name for name in NAMES if name != "readiness")


class HasNoServiceHealth(TinyPicker):
    names = tuple(name for name in NAMES if "ExternalProcessor" not in name)


class HasNoChartProbe(TinyPicker):
    names = tuple(name for name in NAMES if name != "inference-extension")


class HasNoEmptyName(TinyPicker):
    names = tuple(filter(None, NAMES))


class KnowsEveryName(TinyPicker):
    names = (*NAMES, "no.such.Service")


# --- pickers with a set-up ---


class IgnoresTheSelection(Stream):
    def chosen(self, message: Any) -> list[str]:
        self.headers.pop("test-epp-endpoint-selection", None)
        return super().chosen(message)


class SelectsByAddressOnly(Stream):
    def chosen(self, message: Any) -> list[str]:
        named = self.headers.get("test-epp-endpoint-selection")
        if named is not None:
            ip, _, _ = named.rpartition(":")
            ported = "]" in named or named.count(":") == 1
            self.headers["test-epp-endpoint-selection"] = ip.strip("[]") if ported else named
        return super().chosen(message)


class SelectsAllForNobody(Stream):
    def chosen(self, message: Any) -> list[str]:
        return super().chosen(message) or list(self.picker.endpoints)


class KeepsQuietWhoServed(Stream):
    def response_headers(self, message: Any) -> list[Answer]:
        message.ClearField("metadata_context")
        return super().response_headers(message)


class NamesTheFirstOnly(Stream):
    def chosen(self, message: Any) -> list[str]:
        return super().chosen(message)[:1]


class NamesOneTwice(Stream):
    def chosen(self, message: Any) -> list[str]:
        chosen = super().chosen(message)
        return [*chosen, chosen[0]] if len(chosen) > 1 else chosen


class FallsBackOnAll(Stream):
    def chosen(self, message: Any) -> list[str]:
        chosen = super().chosen(message)
        return [*chosen, *(each for each in self.picker.endpoints if each not in chosen)] if chosen else []


class HangsWhereNobodyIsAllowed(Stream):
    def refuse(self, status: int, message: str) -> list[Answer]:
        return [] if status == 503 else super().refuse(status, message)


async def _serve(port: str, endpoints: str, fault: str = "") -> None:
    """Run as a process, correct where no fault is named, until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    picker = picker_with(globals().get(fault), [each for each in endpoints.split(",") if each])
    async with served(picker, port=int(port)):
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
