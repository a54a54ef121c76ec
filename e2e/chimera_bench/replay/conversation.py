"""One workflow as its agent sees it: the messages it sends, and what comes next once a model has answered.

No run that changes model in the middle was ever recorded. Where another model answers a later stage, its own run
goes on from that stage; where its run was shorter, the workflow ends there with its outcome.
"""

from chimera_bench.filler import filler
from chimera_bench.workload import Task
from chimera_router import wire


class ReplayError(Exception):
    """What is replayed against does not answer as a pool does; no later request would fare better."""


class Conversation:
    """The growing message list of one workflow.

    The system message is filler of the recorded length: instructions and a worked example, whose text nobody stored.
    All tasks share its words, as the recorded agents shared theirs; only where a task comes again they are others, so
    that the two are two workflows to whoever tells them apart by their messages.

    Attributes:
        messages: What the next request sends.
        goes_on: Whether there is a next request.
    """

    def __init__(self, task: Task, *, repetition: int = 0) -> None:
        self._task = task
        self._stage = 0
        self._success = False
        preamble = filler(repetition, 0, task.preamble_tokens)
        self.messages = [{"role": "system", "content": preamble}, {"role": "user", "content": task.text}]
        self.goes_on = True

    @property
    def success(self) -> bool:
        """Whether the model that answered last is recorded as right on this task."""
        return self._success

    def take(self, model: str, reply: str) -> None:
        """Take a model's reply and append what its recorded run says next, if it goes on.

        Raises:
            ReplayError: The pool has no such model.
        """
        if model not in self._task.runs:
            raise ReplayError(f"the header {wire.MODEL} of an answer must name a model of the pool")
        run = self._task.runs[model]
        self._stage += 1
        self._success = run.success
        self.messages.append({"role": "assistant", "content": reply})
        self.goes_on = self._stage < len(run.stages)
        if self.goes_on:
            self.messages.append({"role": "user", "content": run.stages[self._stage].text})
