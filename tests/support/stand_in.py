"""A tiny program that stands in for an engine, a picker or a gateway: `python stand_in.py PORT [HABIT...]`.

It answers 200 to every GET. Habits: `stubborn` ignores SIGTERM, `busy` answers 503, `family` starts a stubborn child
and writes its pid, `broken` says so and ends.
"""

import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()


def main(port: int, habits: list[str]) -> None:
    if "broken" in habits:
        sys.exit("line one\nthe last word")
    if "stubborn" in habits:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "family" in habits:
        child = subprocess.Popen([sys.executable, __file__, "0", "stubborn"])
        sys.stdout.write(f"{child.pid}\n")
        sys.stdout.flush()
    Answers.status = 503 if "busy" in habits else 200
    HTTPServer(("127.0.0.1", port), Answers).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
