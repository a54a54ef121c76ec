"""One child process: started so that it never outlives this one, watched, and stopped with all it started itself."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp

from chimera_operator.local import launch
from chimera_operator.local.errors import NotReady
from chimera_operator.local.plan import Command

POLL_SECONDS = 0.05  # well below what any of the programs needs to start
ANSWER_SECONDS = 5.0  # an engine under load may take more than a second for its health
TAIL_BYTES, TAIL_LINES = 2000, 3  # what fits a person's eye in one error line


class Child:
    """A running command, and its log file."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process, log: Path) -> None:
        self.command = command
        self.log = log
        self._process = process
        self.exit = asyncio.create_task(process.wait(), name=f"exit of {command.name}")

    @classmethod
    async def start(cls, command: Command, *, logs: Path) -> "Child":
        """Start the command in a process group of its own, its output in `logs`."""
        log = logs / f"{command.name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # The caller's folder must not offer modules to `python -m`.
                env={**os.environ, "PYTHONSAFEPATH": "1", **command.env},
            )
        return cls(command, process, log)

    @property
    def pid(self) -> int:
        """Process id, and id of its process group."""
        return self._process.pid

    @property
    def state(self) -> str:
        """`running`, or how it ended."""
        code = self._process.returncode
        if code is None:
            return "running"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    async def ended(self) -> str:
        """Wait for its end; return a sentence about it."""
        await asyncio.wait({self.exit})
        return f"{self.command.name} {self.state}"

    async def ready(self, session: aiohttp.ClientSession, *, seconds: float) -> None:
        """Wait until it serves.

        Raises:
            NotReady: It ended, or did not serve within the time.
        """
        polling = asyncio.create_task(self._answers(session))
        try:
            await asyncio.wait({polling, self.exit}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            polling.cancel()
        if self.exit.done():
            raise NotReady(f"{self.command.name} {self.state}", said=self.tail())
        if not polling.done():
            raise NotReady(f"{self.command.name} was not ready after {seconds:g} s", said=self.tail())

    def tail(self) -> str:
        """Return the last lines of its log, in one."""
        lines = self.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-TAIL_LINES:] if line.strip())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def _answers(self, session: aiohttp.ClientSession) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(self.command.ready_url, timeout=timeout) as response:
                    if response.ok:
                        return
            await asyncio.sleep(POLL_SECONDS)
