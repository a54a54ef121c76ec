"""Where the weights of models and adapters are."""

from typing import Annotated

from pydantic import Field

from chimera_operator.api.core import ClaimVolume, ImageVolume, SecretRef
from chimera_operator.api.document import Document, OneOf
from chimera_operator.api.scalars import ENDPOINT_URL, S3_URI, FolderPath, NonEmpty


class TokenSecretRef(SecretRef):
    """A Secret with an access token, in the pool's namespace."""

    key: NonEmpty = "token"
    """Key of the token inside the Secret."""


class HuggingFace(Document):
    """Weights on the Hugging Face hub."""

    repo: NonEmpty
    """Repository, such as `Qwen/Qwen2.5-7B-Instruct`."""
    revision: NonEmpty | None = None
    """Commit, tag or branch; a commit pins the weights. Unset: the newest of the default branch."""
    token_secret_ref: TokenSecretRef | None = None
    """Secret with the access token of a gated repository. `chimera up` leaves it to HF_TOKEN in the environment."""


class PersistentVolumeClaim(ClaimVolume):
    """Weights on a volume of the pool's namespace, mounted read-only."""

    path: FolderPath = ""
    """Folder of the weights inside the volume. Empty: its root."""


class S3(Document):
    """Weights in an S3 bucket, streamed by the engine."""

    uri: Annotated[str, Field(pattern=S3_URI, max_length=2048)]
    """Folder of the weights, such as `s3://models/llama-3-8b`."""
    secret_ref: SecretRef | None = None
    """Secret whose keys are the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Unset: the identity of the
    pod's service account."""
    region: NonEmpty | None = None
    """Region of the bucket. Unset: the client library's."""
    endpoint: Annotated[str, Field(pattern=ENDPOINT_URL, max_length=2048)] | None = None
    """URL of another service with S3's API, such as MinIO. Unset: AWS."""


class Image(ImageVolume):
    """Weights in an OCI image, mounted read-only as a volume."""

    path: FolderPath = ""
    """Folder of the weights inside the image. Empty: its root."""


class Source(OneOf):
    """Where the weights are: exactly one of the fields."""

    hugging_face: HuggingFace | None = None
    """Weights on the Hugging Face hub."""
    pvc: PersistentVolumeClaim | None = None
    """Weights on a persistent volume."""
    s3: S3 | None = None
    """Weights in an S3 bucket."""
    image: Image | None = None
    """Weights in an OCI image, mounted as a volume: a feature of Kubernetes that is stable in 1.36."""


class AdapterSource(OneOf):
    """Where an adapter is: exactly one of the fields."""

    hugging_face: HuggingFace | None = None
    """Adapter on the Hugging Face hub."""
    pvc: PersistentVolumeClaim | None = None
    """Adapter on a persistent volume."""
    image: Image | None = None
    """Adapter in an OCI image."""
