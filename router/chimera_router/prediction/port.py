"""The seam between the decision and whatever predicts for it."""

from collections.abc import Sequence
from typing import Protocol

from chimera_router.scheduling.types import Predictions, PredictionSource
from chimera_router.values import value


@value(kw_only=True)
class Query:
    """What a predictor may know when a request arrives.

    Attributes:
        text: The task in the user's words: the last user message before the first reply.
        prompt_tokens: Estimated tokens of the whole prompt.
        stage: 0-based index of this request in its workflow.
        tokens_so_far: Output tokens of the workflow's earlier stages.
        last_tokens: Output tokens of the stage before this one; 0 at the first.
        largest_tokens: Output tokens of the longest of the earlier stages; 0 at the first.
        last_text: The request's last message; at a later stage what a tool, an environment or the user said.
        application: Name of the application that it belongs to, as the bundle may know it; empty where none is given.
        fingerprint: Opaque digest of that application and its tenant, named or not; empty where nothing tells it.
        tenant: Opaque digest of whose request it is.
        max_tokens: Output tokens the client allows; None allows any number.
    """

    text: str
    prompt_tokens: int
    stage: int = 0
    tokens_so_far: int = 0
    last_tokens: int = 0
    largest_tokens: int = 0
    last_text: str = ""
    application: str = ""
    fingerprint: str = ""
    tenant: str = ""
    max_tokens: int | None = None


@value(kw_only=True)
class Observation:
    """What a request turned out to need.

    Attributes:
        predicted_tokens: What was predicted for it before any correction; None where no bundle predicted it, or where
            the client's limit and not the model made the length.
        fingerprint: Of its application, as `Query` had it.
        tenant: Opaque digest of whose request it was.
        at: Seconds since the Unix epoch.
    """

    model: str
    stage: int
    output_tokens: int
    predicted_tokens: float | None = None
    fingerprint: str = ""
    tenant: str = ""
    at: float = 0.0


@value(kw_only=True)
class Judgement:
    """How right a workflow's answer was, as its application says.

    Attributes:
        model: The model that answered.
        confidence: Chance that was predicted when it was chosen, before any correction.
        success: 0, wrong, to 1, right.
        tenant: Opaque digest of whose workflow it was.
        at: Seconds since the Unix epoch.
    """

    model: str
    confidence: float
    success: float
    tenant: str
    at: float


class Predictor(Protocol):
    """Predicts for every model of the pool, and learns from what came true."""

    @property
    def source(self) -> PredictionSource:
        """Who answers while all is well."""

    @property
    def prompt(self) -> bool:
        """Whether predictions take less time than to hand them to a thread: then `predict_all` may be called."""

    def predict_all(self, queries: Sequence[Query]) -> Sequence[Predictions]:
        """Return, at once, one prediction for each model and query; never raises."""

    async def predict(self, query: Query) -> Predictions:
        """Return one prediction for each model; never raises, never takes much longer than its deadline."""

    def observe(self, observation: Observation) -> None:
        """Learn from a finished request."""

    def judge(self, judgement: Judgement) -> None:
        """Learn from feedback."""

    async def aclose(self) -> None:
        """Release threads and sessions; no prediction may be under way."""
