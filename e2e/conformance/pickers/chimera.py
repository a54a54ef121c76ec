"""Run Chimera's picker for a pool of endpoints that the conformance kit names.

Writes the RouterConfig and the file of endpoints that the picker reads, and becomes the picker. What follows `--` are
flags of the picker.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MODEL = "conformance"
# Any engine that holds no request back; they are not what is looked at.
COEFFICIENTS = {
    "baseStepMs": 7,
    "stepPerSequenceUs": 28,
    "prefillUsPerToken": 20,
    "maxNumSeqs": 4096,
    "kvTokens": "100000000",
}


def main() -> None:
    """Write the files and become the picker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", required=True, help="on which to serve ext_proc")
    parser.add_argument("--endpoints", required=True, help="ip:port, parted by commas; may be empty")
    parser.add_argument("--folder", type=Path, required=True, help="for the files")
    parser.add_argument("--fallback-endpoints", type=int, default=0, help="that are named after the first")
    parser.add_argument("--accounting", default="OBSERVE", help="what is looked at of answers")
    parser.add_argument("flags", nargs="*", help="of the picker")
    told = parser.parse_args()
    rules = {
        "routing": {"fallbackEndpoints": told.fallback_endpoints},
        "accounting": {"mode": told.accounting},
    }
    config = write(told.folder, [each for each in told.endpoints.split(",") if each], rules)
    ports = ["--host=127.0.0.1", f"--grpc-port={told.port}", "--management-port=0"]
    argv = [sys.executable, "-m", "chimera_router", f"--config={config}", *ports, "--log-level=warning", *told.flags]
    os.execv(sys.executable, argv)  # noqa: S606 - the point of it


def write(folder: Path, addresses: Sequence[str], rules: Mapping[str, object]) -> Path:
    """Write a pool of one model, whose name as clients say it asks for the full choice."""
    endpoints = [{"name": f"e{i}", "address": address, "model": "engine"} for i, address in enumerate(addresses)]
    (folder / "endpoints.json").write_text(json.dumps({"endpoints": endpoints}), encoding="utf-8")
    model = {"name": "engine", "coefficients": COEFFICIENTS, "descriptor": {"generalScore": 0.5}}
    document = {"pool": MODEL, "models": [model], "discovery": {"file": {"path": "endpoints.json"}}, **rules}
    config = folder / "router.json"
    config.write_text(json.dumps(document), encoding="utf-8")
    return config


if __name__ == "__main__":
    main()
