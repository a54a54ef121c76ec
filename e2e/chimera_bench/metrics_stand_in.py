"""Pages as an idle vLLM serves them, on many ports, for next to nothing: `python -m chimera_bench.metrics_stand_in`.

It answers every question with the same bytes and reads none of them, so that what a scraper costs can be measured on
the machine that also serves the pages.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence

PAGE_BYTES = 100_000  # about what vLLM 0.33 serves
_LABELS = 'engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"'
_BOUNDS = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: %d\r\n\r\n"


def page(size: int = PAGE_BYTES) -> bytes:
    """Return an idle engine's page of at least so many bytes, its three gauges where vLLM has them: near the top."""
    text, written, histograms = "", 0, _histograms()
    for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"):
        text += f"# HELP vllm:{name} As of now.\n# TYPE vllm:{name} gauge\nvllm:{name}{{{_LABELS}}} 0.0\n"
    text += f"# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{{{_LABELS}}} 1.2e+06\n"
    parts = [text]
    while written < size:
        parts.append(next(histograms))
        written += len(parts[-1])
    return "".join(parts).encode()


def _histograms() -> Iterator[str]:
    number = 0
    while True:
        name, number = f"vllm:request_time_{number}_seconds", number + 1
        lines = [f"# HELP {name} Histogram of a time.", f"# TYPE {name} histogram"]
        lines += [f'{name}_bucket{{{_LABELS},le="{bound}"}} 1234.0' for bound in (*_BOUNDS, "+Inf")]
        lines += [f"{name}_count{{{_LABELS}}} 1234.0", f"{name}_sum{{{_LABELS}}} 5678.9"]
        yield "\n".join(lines) + "\n"


class _Page(asyncio.Protocol):
    """One connection. A question of a scraper is one segment, and gets the page whatever it is."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, _data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(self._answer)


async def serve(ports: Sequence[int], *, host: str = "127.0.0.1") -> None:
    """Serve the page on every port until cancelled."""
    body = page()
    answer = _HEAD % len(body) + body
    loop = asyncio.get_running_loop()
    for port in ports:
        await loop.create_server(lambda: _Page(answer), host, port)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.metrics_stand_in", description=__doc__)
    parser.add_argument("ports", type=int, nargs="+", help="ports to listen on")
    asyncio.run(serve(parser.parse_args().ports))


if __name__ == "__main__":
    main()
