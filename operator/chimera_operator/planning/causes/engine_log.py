"""What engines say before they end, and which field of the pool answers it.

The words are those of vLLM 0.32 and 0.33, torch, transformers and huggingface_hub; the first that is found decides, so
what says more stands before what says less.
"""

import re
from typing import NamedTuple

from chimera_operator.planning.causes.cause import Reason

Advice = tuple[Reason, str]


class Known(NamedTuple):
    """A failure that engines name.

    Attributes:
        words: How they do, as a pattern.
        reason: What it is.
        advice: What it means, and which field helps.
    """

    words: str
    reason: Reason
    advice: str


_SMALLER = (
    "lower engine.maxModelLen or engine.maxNumSeqs, raise parallelism.tensor, or take an accelerator with more memory"
)

KNOWN = (
    Known(
        r"is larger than the available KV cache memory|"
        r"larger than the maximum number of tokens that can be stored in KV cache",
        Reason.KV_CACHE,
        "the memory that the weights leave does not hold one request of the full length: lower engine.maxModelLen, "
        "raise engine.gpuMemoryUtilization or parallelism.tensor",
    ),
    Known(
        r"No available memory for the cache blocks",
        Reason.KV_CACHE,
        "the weights leave no memory for the KV cache: raise engine.gpuMemoryUtilization or parallelism.tensor, or "
        "take an accelerator with more memory",
    ),
    Known(
        r"Free memory on device .* is less than desired GPU memory utilization",
        Reason.CUDA_MEMORY,
        "somebody else takes memory of this accelerator: lower engine.gpuMemoryUtilization, or see who shares the card",
    ),
    Known(
        r"CUDA out of memory occurred when warming up",
        Reason.CUDA_MEMORY,
        "the accelerator's memory does not hold a full batch: lower engine.maxNumSeqs or engine.gpuMemoryUtilization",
    ),
    Known(
        r"(?:CUDA|HIP) out of memory|OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation",
        Reason.CUDA_MEMORY,
        f"the accelerator's memory does not hold what the engine wants: {_SMALLER}; lowering "
        "engine.gpuMemoryUtilization leaves more beside the KV cache",
    ),
    Known(
        r"GatedRepoError|gated repo|Access to model .* is restricted|awaiting a review from the repo authors",
        Reason.GATED,
        "the repository is gated: its owner must let the account in, and source.huggingFace.tokenSecretRef name a "
        "Secret with that account's token",
    ),
    Known(
        r"RevisionNotFoundError|Invalid rev id|is not a valid git identifier",
        Reason.NO_REPOSITORY,
        "the repository has no such revision: see source.huggingFace.revision",
    ),
    Known(
        r"RepositoryNotFoundError|Repository Not Found|is not a valid model identifier",
        Reason.NO_REPOSITORY,
        "the hub has no such repository, or shows it to its members only: see source.huggingFace.repo and "
        "tokenSecretRef",
    ),
    Known(
        r"(?:AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|NoSuchBucket|NoSuchKey)\b|S3 Error",
        Reason.WEIGHTS,
        "the bucket does not give the weights: see source.s3 with its uri, endpoint, region and secretRef",
    ),
    Known(
        r"huggingface\.co.*\b401\b|\b401\b.*huggingface\.co|Invalid (?:user token|credentials in Authorization header)",
        Reason.GATED,
        "the hub does not know the token: see the Secret of source.huggingFace.tokenSecretRef",
    ),
    Known(
        r"huggingface\.co.*\b403\b|\b403\b.*huggingface\.co",
        Reason.GATED,
        "the token may not read the repository: see the Secret of source.huggingFace.tokenSecretRef",
    ),
    Known(
        r"huggingface\.co.*\b(?:429|5\d\d)\b|\b(?:429|5\d\d) (?:Client|Server) Error.*huggingface\.co",
        Reason.HUB,
        "the hub refuses for now; a claim under cache.weights keeps what was downloaded",
    ),
    Known(
        r"(?:couldn't connect to|connect(?:ion)? to|Max retries exceeded).*huggingface\.co|huggingface\.co.*"
        r"(?:Max retries|Name or service not known|name resolution|timed out)|LocalEntryNotFoundError",
        Reason.HUB,
        "the hub does not answer: see the cluster's way out, or take the weights from source.pvc, s3 or image",
    ),
    Known(
        r"unrecognized arguments|the following arguments are required|invalid choice:|error: argument ",
        Reason.ARGUMENTS,
        "the engine does not take its arguments: see engine.args, and whether engine.profile is the image's version",
    ),
    Known(
        r"is greater than the derived max_model_len",
        Reason.ARGUMENTS,
        "engine.maxModelLen is more than the model was made for",
    ),
    Known(
        r"must be divisible by tensor parallel size|cannot be evenly divided",
        Reason.ARGUMENTS,
        "parallelism.tensor must divide the model's attention heads",
    ),
    Known(
        r"(?:World size|[Tt]ensor parallel size) ?\(?\d+\)? (?:is|cannot be) larger than the number of available",
        Reason.ACCELERATOR,
        "the container sees fewer accelerators than parallelism asks for: see accelerators[].count and resource",
    ),
    Known(
        r"only supported on GPUs with compute capability|no kernel image is available",
        Reason.ACCELERATOR,
        "the accelerator is too old for this engine or for the model's number format",
    ),
    Known(
        r"No CUDA GPUs are available|Failed to infer device type|libcuda\.so|CUDA driver initialization failed|"
        r"driver (?:version )?(?:on your system )?is (?:too old|insufficient)",
        Reason.ACCELERATOR,
        "the container finds no accelerator to use: see the node's driver, and accelerators[].runtimeClassName",
    ),
    Known(
        r"trust_remote_code",
        Reason.UNSUPPORTED,
        "the model brings code of its own: the argument --trust-remote-code in engine.args runs it",
    ),
    Known(
        r"are not supported for now|does not recognize this architecture|has no vLLM implementation|"
        r"Unknown quantization",
        Reason.UNSUPPORTED,
        "this version of the engine does not know the model: see engine.profile and engine.image",
    ),
    Known(
        r"No space left on device|Disk quota exceeded",
        Reason.DISK,
        "a volume is full: see the sizes under cache",
    ),
    Known(
        r"FileNotFoundError|NotADirectoryError|PermissionError|HFValidationError|SafetensorError",
        Reason.WEIGHTS,
        "the weights are not where source says, or cannot be read there",
    ),
)


def advice(log: str) -> Advice | None:
    """Return what an engine's last words mean and what helps, or None where they are nothing known."""
    known = next((each for each in KNOWN if re.search(each.words, log)), None)
    return (known.reason, known.advice) if known else None
