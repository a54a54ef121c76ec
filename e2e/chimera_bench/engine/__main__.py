"""Run one simulated engine: `python -m chimera_bench.engine --served-model-name NAME --recorded-as MODEL ...`."""

import argparse
import asyncio
import errno
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from chimera_bench.engine.recording import Recording, read_recording
from chimera_bench.engine.server import EngineServer, ServerSettings
from chimera_bench.engine.types import SchedulingPolicy
from chimera_router.scheduling.types import Coefficients
from chimera_training.data import DataError, recorded_folder

DRAIN_SECONDS = 1.0
"""Seconds that requests in flight have once the process is told to end, where nothing else is said."""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's values; exits with 2 where one breaks a rule."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.engine", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, required=True, help="port to listen on")
    add("--served-model-name", action="append", required=True, metavar="NAME", help="repeat it for further names")
    add("--scheduling-policy", type=SchedulingPolicy, choices=list(SchedulingPolicy), default=SchedulingPolicy.FCFS)
    add("--max-num-seqs", type=_positive_int, required=True, help="sequences that may run at once")
    add("--kv-tokens", type=_positive_int, required=True, help="tokens the KV cache holds")
    add("--base-step-ms", type=_positive, required=True, help="milliseconds of a step before any sequence is counted")
    add("--step-per-sequence-us", type=_not_negative, required=True, help="microseconds each sequence adds to a step")
    add("--prefill-us-per-token", type=_not_negative, required=True, help="microseconds for an uncached prompt token")
    add("--enable-prefix-caching", action=argparse.BooleanOptionalAction, default=True, help="as vLLM's flag")
    add("--startup-delay", type=_not_negative, default=0.0, metavar="SECONDS", help="time until it is healthy")
    add("--shutdown-timeout", type=_not_negative, default=DRAIN_SECONDS, metavar="SECONDS", help="as vLLM's flag")
    add("--data", type=Path, metavar="DIR", help="folder of recorded data; default: the package's own")
    add("--recorded-as", metavar="MODEL", help="model of the recorded data; default: the first served name")
    add("--seed", type=int, default=0, help="of the lengths drawn for prompts that nobody recorded")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = parse_arguments(arguments)
    try:
        recording = read_recording(
            options.data or recorded_folder(), options.recorded_as or options.served_model_name[0], seed=options.seed
        )
        asyncio.run(_serve(options, recording))
    except DataError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(_listening_failed(error, host=options.host, port=options.port))
    return 0


async def _serve(options: argparse.Namespace, recording: Recording) -> None:
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    application = EngineServer(_settings(options), recording).application()
    # A client that hangs up cancels its handler, and that its request.
    runner = web.AppRunner(
        application, access_log=None, handler_cancellation=True, shutdown_timeout=options.shutdown_timeout
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        await ended.wait()
    finally:
        await runner.cleanup()


def _settings(options: argparse.Namespace) -> ServerSettings:
    return ServerSettings(
        served_names=tuple(options.served_model_name),
        coefficients=Coefficients(
            base_step=options.base_step_ms / 1e3,
            per_sequence=options.step_per_sequence_us / 1e6,
            prefill_per_token=options.prefill_us_per_token / 1e6,
            max_num_seqs=options.max_num_seqs,
            kv_tokens=options.kv_tokens,
        ),
        scheduling=options.scheduling_policy,
        prefix_caching=options.enable_prefix_caching,
        startup_delay=options.startup_delay,
    )


def _listening_failed(error: OSError, *, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use"
    return f"cannot listen on {host}, port {port}: {errno.errorcode.get(error.errno or 0, 'unknown error')}"


def _failed(sentence: str) -> int:
    sys.stderr.write(f"chimera_bench.engine: {sentence}\n")
    return 2


def _positive(text: str) -> float:
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _not_negative(text: str) -> float:
    if not (value := float(text)) >= 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _positive_int(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
