"""The vLLM flags that belong to the operator: the router, the probes or the accelerators depend on them."""

import json
from collections.abc import Mapping

OWNED_FLAGS: Mapping[str, str] = {
    "--api-key": "clients reach engines through the picker only",
    "--config": "give the flags themselves",
    "--data-parallel-address": "a replica is one pod",
    "--data-parallel-external-lb": "the picker spreads over the ranks",
    "--data-parallel-hybrid-lb": "the picker spreads over the ranks",
    "--data-parallel-multi-port-external-lb": "the picker spreads over the ranks",
    "--data-parallel-rank": "a replica is one pod",
    "--data-parallel-rpc-port": "a replica is one pod",
    "--data-parallel-size": "set parallelism.data",
    "--data-parallel-size-local": "set parallelism.data",
    "--data-parallel-start-rank": "a replica is one pod",
    "--enable-lora": "set loras",
    "--headless": "a replica is one pod",
    "--host": "the operator binds the engine",
    "--lora-modules": "set loras",
    "--max-num-seqs": "set engine.maxNumSeqs",
    "--model": "set source",
    "--node-rank": "a replica is one pod",
    "--nnodes": "a replica is one pod",
    "--pipeline-parallel-size": "set parallelism.pipeline",
    "--port": "the operator binds the engine",
    "--root-path": "the picker calls /v1",
    "--scheduling-policy": "set engine.priorityScheduling",
    "--served-model-name": "set name and aliases",
    "--shutdown-timeout": "set rollout.drainSeconds",
    "--ssl-certfile": "the picker speaks plain HTTP to engines",
    "--ssl-keyfile": "the picker speaks plain HTTP to engines",
    "--tensor-parallel-size": "set parallelism.tensor",
    "--uds": "the operator binds the engine",
    "-dp": "set parallelism.data",
    "-pp": "set parallelism.pipeline",
    "-tp": "set parallelism.tensor",
}
"""Flag → what to do instead."""

NO_OWNED_FLAG = (
    f"!has(self.args) || self.args.all(arg, [arg.split('=', 2)[0].replace('_', '-')].all(flag, "
    f"!{json.dumps(list(OWNED_FLAGS))}.exists(owned, "
    "owned == flag || (flag.startsWith('--') && flag != '--' && owned.startsWith(flag)))))"
)
"""`owned_flag` of no argument, in CEL."""


def owned_flag(argument: str) -> str | None:
    """Return the owned flag an argument sets, however vLLM's parser lets it be spelt: `--a_b`, `--a=1`, `--prefix`."""
    flag = argument.partition("=")[0].replace("_", "-")
    if flag in OWNED_FLAGS:
        return flag
    if flag == "--" or not flag.startswith("--"):
        return None
    return next((owned for owned in OWNED_FLAGS if owned.startswith(flag)), None)
