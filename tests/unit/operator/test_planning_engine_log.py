"""What engines say before they end, and which field answers it."""

import pytest
from pod_manifests import NOW, crashed, pod

from chimera_operator.planning.causes.cause import Expected, Reason
from chimera_operator.planning.causes.engine_log import KNOWN, advice
from chimera_operator.planning.causes.pods import pod_cause
from chimera_operator.planning.reading.pods import pod as read

FINAL = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"

SAID = [
    (
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of "
            "23.64 GiB of which 83.88 MiB is free."
        ),
        Reason.CUDA_MEMORY,
        "engine.maxModelLen or engine.maxNumSeqs",
    ),
    (
        "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests.",
        Reason.CUDA_MEMORY,
        "engine.maxNumSeqs",
    ),
    (
        (
            "ValueError: Free memory on device (5.2/23.64 GiB) on startup is less than desired GPU memory utilization "
            "(0.92, 21.7 GiB)."
        ),
        Reason.CUDA_MEMORY,
        "lower engine.gpuMemoryUtilization",
    ),
    (
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`.",
        Reason.KV_CACHE,
        "raise engine.gpuMemoryUtilization",
    ),
    (
        (
            "ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache is "
            "needed, which is larger than the available KV cache memory (7.33 GiB)."
        ),
        Reason.KV_CACHE,
        "lower engine.maxModelLen",
    ),
    (
        (
            "huggingface_hub.errors.GatedRepoError: 401 Client Error. Cannot access gated repo for url "
            "https://huggingface.co/meta-llama/x/resolve/main/config.json."
        ),
        Reason.GATED,
        "tokenSecretRef",
    ),
    (
        "OSError: You are trying to access a gated repo. Make sure to have access to it.",
        Reason.GATED,
        "its owner must let the account in",
    ),
    (
        "huggingface_hub.errors.HfHubHTTPError: 401 Client Error: Unauthorized for url: https://huggingface.co/api/x",
        Reason.GATED,
        "does not know the token",
    ),
    (
        (
            "huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. Repository Not Found for url: "
            "https://huggingface.co/org/nothing."
        ),
        Reason.NO_REPOSITORY,
        "source.huggingFace.repo",
    ),
    (
        (
            "OSError: org/nothing is not a local folder and is not a valid model identifier listed on "
            "'https://huggingface.co/models'"
        ),
        Reason.NO_REPOSITORY,
        "source.huggingFace.repo",
    ),
    (
        "huggingface_hub.errors.RevisionNotFoundError: 404 Client Error. Revision Not Found for url: x",
        Reason.NO_REPOSITORY,
        "source.huggingFace.revision",
    ),
    (
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co'): Max retries exceeded",
        Reason.HUB,
        "the hub does not answer",
    ),
    (
        "huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/x",
        Reason.HUB,
        "refuses for now",
    ),
    (
        "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the ListObjectsV2 operation",
        Reason.WEIGHTS,
        "source.s3",
    ),
    ("vllm: error: unrecognized arguments: --no-such-flag", Reason.ARGUMENTS, "engine.args"),
    (
        "ValueError: User-specified max_model_len (200000) is greater than the derived max_model_len (131072)",
        Reason.ARGUMENTS,
        "engine.maxModelLen",
    ),
    (
        "ValueError: Total number of attention heads (40) must be divisible by tensor parallel size (3).",
        Reason.ARGUMENTS,
        "parallelism.tensor",
    ),
    (
        "ValueError: World size (4) is larger than the number of available GPUs (1) in this node.",
        Reason.ACCELERATOR,
        "accelerators[].count",
    ),
    ("RuntimeError: No CUDA GPUs are available", Reason.ACCELERATOR, "runtimeClassName"),
    (
        "RuntimeError: The NVIDIA driver on your system is too old (found version 11040).",
        Reason.ACCELERATOR,
        "the node's driver",
    ),
    (
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.",
        Reason.ACCELERATOR,
        "too old for this engine",
    ),
    (
        "ValueError: Model architectures ['NewForCausalLM'] are not supported for now.",
        Reason.UNSUPPORTED,
        "engine.profile",
    ),
    (
        "ValueError: The repository contains custom code. Please pass the argument `trust_remote_code=True`",
        Reason.UNSUPPORTED,
        "--trust-remote-code",
    ),
    ("OSError: [Errno 28] No space left on device", Reason.DISK, "cache"),
    ("FileNotFoundError: [Errno 2] No such file or directory: '/weights/config.json'", Reason.WEIGHTS, "source"),
]


@pytest.mark.parametrize(("said", "reason", "helps"), SAID, ids=[said[:40] for said, _, _ in SAID])
def test_every_known_failure_names_the_field_that_helps(said: str, reason: Reason, helps: str) -> None:
    """Found among other lines, in front of the line by which vLLM ends, which is about nothing."""
    log = f"INFO 01-01 loading\n{said}\n(APIServer pid=1) {FINAL}\n"

    found = pod_cause(read(pod(crashed(1, log))), Expected(startup=NOW - NOW, now=NOW))

    assert found is not None
    assert (found.reason, found.exit_code) == (reason, 1)
    assert helps in found.message
    assert "See root cause" not in found.message


def test_every_entry_of_the_table_is_reached_by_something_that_engines_say() -> None:
    """None is hidden behind one before it."""
    reached = {advice(said) for said, _, _ in SAID} | {advice("403 Client Error: https://huggingface.co/x")}

    assert {(each.reason, each.advice) for each in KNOWN} <= reached


def test_what_nobody_knows_has_no_advice() -> None:
    """The exit code and the last words have to do."""
    assert advice("Segmentation fault") is None
    assert advice("") is None
