"""Replay a workload against a URL, as the OpenAI clients of a team of agents would.

Every stage is a streamed chat completion with the whole conversation so far and no header that names its workflow. A
request that fails (connection lost, stream cut short, status 429 or 5xx) is sent again after a pause, a bounded number
of times.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import aiohttp
import msgspec

from chimera_bench.replay.conversation import Conversation, ReplayError
from chimera_bench.replay.results import StageResult, WorkflowResult
from chimera_bench.replay.retries import RETRIES, pause_after
from chimera_bench.replay.stream import CutShort, Reply, read_reply
from chimera_bench.workload import Arrival
from chimera_router import wire

# The name that asks any pool for the full choice.
AUTO = "auto"

# Seconds for one attempt, at the models' own speed where that is slower: no queue of the demo is as long.
ATTEMPT_SECONDS = 120.0

TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500

JSON = {"Content-Type": "application/json"}

_encode = msgspec.json.Encoder().encode


class LiveReplay:
    """One pass over a workload.

    Args:
        url: Of the pool, without a path.
        speed: How many times faster than real the engines behind it run; arrivals come as much faster, and latencies
            are given at the models' own speed.
        names_application: Whether requests name their application, by the task set they come from.
        on_result: Called with each workflow's result as it ends.
    """

    def __init__(
        self, url: str, *, speed: float, on_result: Callable[[WorkflowResult], None], names_application: bool = False
    ) -> None:
        self._url = f"{url.rstrip('/')}/v1/chat/completions"
        self._speed = speed
        self._on_result = on_result
        self._names_application = names_application

    async def run(self, arrivals: Sequence[Arrival]) -> list[WorkflowResult]:
        """Replay every workflow and return the results in order of arrival.

        Raises:
            ReplayError: The URL refuses a request, or its answers do not say which model gave them.
        """
        begin = asyncio.get_running_loop().time()
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS / min(1.0, self._speed))
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                asyncio.TaskGroup() as group,
            ):
                workflows = [group.create_task(self._workflow(session, arrival, begin)) for arrival in arrivals]
        except* ReplayError as errors:
            error = errors.exceptions[0]
        else:
            return [workflow.result() for workflow in workflows]
        raise error

    async def _workflow(self, session: aiohttp.ClientSession, arrival: Arrival, begin: float) -> WorkflowResult:
        clock = asyncio.get_running_loop().time
        arrived = begin + arrival.at / self._speed
        await asyncio.sleep(max(0.0, arrived - clock()))
        conversation = Conversation(arrival.task, repetition=arrival.repetition)
        headers = {**JSON, wire.APPLICATION: arrival.task.task_set} if self._names_application else JSON
        stages: list[StageResult] = []
        while not stages or (stages[-1].model is not None and conversation.goes_on):
            stages.append(await self._stage(session, conversation, headers))
        result = WorkflowResult(
            task_id=arrival.task.task_id,
            latency=(clock() - arrived) * self._speed,
            stages=tuple(stages),
            success=stages[-1].model is not None and conversation.success,
        )
        self._on_result(result)
        return result

    async def _stage(
        self, session: aiohttp.ClientSession, conversation: Conversation, headers: Mapping[str, str]
    ) -> StageResult:
        for retries in range(RETRIES + 1):
            try:
                model, reply = await self._attempt(session, conversation.messages, headers)
            except (aiohttp.ClientError, TimeoutError, CutShort):
                await asyncio.sleep(pause_after(retries))
                continue
            conversation.take(model, reply.text)
            return StageResult(model=model, output_tokens=reply.output_tokens, retries=retries)
        return StageResult(model=None, retries=RETRIES)

    async def _attempt(
        self, session: aiohttp.ClientSession, messages: list[dict[str, str]], headers: Mapping[str, str]
    ) -> tuple[str, Reply]:
        body = {"model": AUTO, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
        async with session.post(self._url, data=_encode(body), headers=headers) as response:
            if response.status == TOO_MANY_REQUESTS or response.status >= SERVER_ERROR:
                response.raise_for_status()
            if not response.ok:
                raise ReplayError(f"{self._url} refuses a request of the replay with status {response.status}")
            return response.headers.get(wire.MODEL, ""), read_reply(await response.read())
