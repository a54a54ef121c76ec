"""Put a request into the words of each room that looks at it, and a decision into those of the gateway.

Decides nothing and keeps nothing.
"""

from collections.abc import Callable, Iterable, Mapping

from chimera_router import wire
from chimera_router.errors import InvalidRequest
from chimera_router.flowcontrol import asking
from chimera_router.flowcontrol.types import HoldLimits, Item
from chimera_router.parsing.openai import ParsedRequest
from chimera_router.prediction.port import Query
from chimera_router.protocol import mutations, subsets
from chimera_router.protocol.events import Accounting, Choose, Headers, Route
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Assignment, Decision, Model, SchedulingRequest
from chimera_router.workflow import identity
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.table import Arrival, Program


def conversation(asked: Choose) -> Conversation:
    """Return what the program table recognises the request by."""
    request = asked.request
    return Conversation.of(request.messages, tenant=identity.tenant(asked.headers), previous=request.previous)


def query(request: ParsedRequest, headers: Mapping[str, str], program: Program | None) -> Query:
    """Return what the predictor is asked; without a program about the first request of a new workflow."""
    return Query(
        text=request.task,
        prompt_tokens=request.prompt_tokens,
        stage=program.stage if program else 0,
        tokens_so_far=program.tokens if program else 0,
        last_tokens=program.last_tokens if program else 0,
        largest_tokens=program.largest_tokens if program else 0,
        last_text=request.messages[-1].body,
        application=identity.application(headers),
        fingerprint=identity.fingerprint(request, headers),
        tenant=identity.tenant_digest(identity.tenant(headers)),
        max_tokens=request.max_tokens,
    )


def scheduling_request(
    asked: Choose, arrival: Arrival, *, at: float, addresses: Callable[[], Iterable[str]]
) -> SchedulingRequest:
    """Return what the scheduler is asked.

    Args:
        asked: The request.
        arrival: Its workflow.
        at: When it came, in seconds since the Unix epoch.
        addresses: Returns those of the pool's endpoints.

    Raises:
        InvalidRequest: It goes on from a response of another model than it names.
    """
    if arrival.held and asked.pinned not in (None, arrival.held.model):
        raise InvalidRequest("model must be the one that made the previous response", param="model")
    return SchedulingRequest(
        workflow=arrival.program.ordinal,
        prompt_tokens=asked.request.prompt_tokens,
        arrival=at,
        tokens_so_far=arrival.program.tokens,
        pinned=asked.pinned,
        assignment=arrival.held or arrival.program.assignment,
        subset=_allowed(asked.subset, arrival.held, addresses),
    )


def item(  # noqa: PLR0913 - what is known of a request comes from as many places
    asked: Choose,
    request: SchedulingRequest,
    decision: Decision,
    scheduler: Scheduler,
    *,
    limits: HoldLimits,
    wake: float,
    now: float,
) -> Item:
    """Return the request as the hold queue sees it; `now` in seconds on the clock of its deadlines."""
    return asking.item(
        request,
        decision,
        scheduler,
        tenant=identity.tenant(asked.headers),
        objective=identity.objective(asked.headers),
        size=len(asked.request.body),
        limits=limits,
        wake=wake,
        now=now,
    )


def assignment(decision: Decision, *, prompt_tokens: int) -> Assignment:
    """Return what the workflow remembers of a decision."""
    return Assignment(model=decision.model, endpoint=decision.endpoint.address, seen_tokens=prompt_tokens)


def route(  # noqa: PLR0913 - what a gateway is told comes from as many places
    decision: Decision,
    model: Model,
    program: Program,
    asked: Mapping[str, str],
    *,
    request_id: str,
    cache_salt: str,
    accounting: Accounting,
) -> Route:
    """Return what the gateway is told.

    Args:
        decision: Where the request goes.
        model: The one decided on, as configured.
        program: The request's workflow.
        asked: Headers of the request.
        request_id: Of the request; set on it where the gateway gave it none.
        cache_salt: What separates the tenant's prompts from others'; empty separates none.
        accounting: How much of the answer is to be seen.
    """
    own_id = () if wire.REQUEST_ID in asked else ((wire.REQUEST_ID, request_id),)
    addresses = (decision.endpoint.address, *(endpoint.address for endpoint in decision.fallbacks))
    return Route(
        destination=",".join(addresses),
        model=model.served_name or decision.model,
        priority=decision.priority,
        cache_salt=cache_salt,
        request_headers=own_id,
        response_headers=_response_headers(decision, program, asked),
        accounting=accounting,
    )


def _allowed(
    hint: frozenset[str] | None, held: Assignment | None, addresses: Callable[[], Iterable[str]]
) -> frozenset[str] | None:
    """Return the endpoints allowed: an engine keeps its responses in its own memory, so only that one knows them."""
    subset = None if hint is None else subsets.allowed(hint, addresses())
    if held is None:
        return subset
    return frozenset((held.endpoint,)) & (subset if subset is not None else frozenset((held.endpoint,)))


def _response_headers(decision: Decision, program: Program, asked: Mapping[str, str]) -> Headers:
    always = ((wire.MODEL, decision.model), (wire.WORKFLOW_ID, program.id))
    if asked.get(wire.EXPLAIN, "").lower() != "true":
        return always
    return (*always, (wire.DECISION, mutations.explanation(decision)))
