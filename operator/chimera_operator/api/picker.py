"""The endpoint picker's pods: how many, how they are reached, who may ask them what."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from chimera_operator.api.core import Resources, SecretKeyRef, SecretRef
from chimera_operator.api.document import Breach, Document, rule
from chimera_operator.api.pod import Pod
from chimera_operator.api.scalars import REDIS_URL, PullPolicy, Reference


class PickerTls(Document):
    """Who gateways and pickers take each other for, on the port of ext_proc."""

    mode: Literal["Auto", "SelfSigned", "Certificate", "Plaintext"] = "Auto"
    """SelfSigned: a certificate made at the start, against eavesdropping only. Certificate: that of secretRef, which
    gateways can verify. Plaintext: none. Auto: SelfSigned, or Plaintext where a parent is of Envoy Gateway, which takes
    no certificate that it cannot verify."""
    secret_ref: SecretRef | None = None
    """Mode Certificate: a Secret with tls.crt and tls.key, as cert-manager writes it; changes are followed."""
    client_ca_secret_ref: SecretKeyRef | None = None
    """Authorities of the certificates that gateways must show, as PEM. Unset: none are asked for."""

    @rule(
        "must be set with mode Certificate and with no other",
        cel="(self.mode == 'Certificate') == has(self.secretRef)",
        at="secretRef",
    )
    def _certificate_is_there(self) -> Iterator[Breach]:
        if (self.mode == "Certificate") != (self.secret_ref is not None):
            yield Breach()

    @rule(
        "must not be set with mode Plaintext",
        cel="self.mode != 'Plaintext' || !has(self.clientCaSecretRef)",
        at="clientCaSecretRef",
    )
    def _no_authority_in_plain_text(self) -> Iterator[Breach]:
        if self.mode == "Plaintext" and self.client_ca_secret_ref:
            yield Breach()


class Management(Document):
    """Who may read the picker's metrics and status, ask for explanations and give feedback."""

    auth: Literal["Kubernetes", "Token", "None"] = "Kubernetes"
    """Kubernetes: whoever the cluster's roles let. Token: who bears one of tokenSecretRef. None: whoever reaches the
    port."""
    token_secret_ref: SecretKeyRef | None = None
    """Auth Token: the tokens, one a line, each of 16 characters or more."""
    open_metrics: bool = False
    """Whether the metrics page asks nobody, for a Prometheus that cannot bear a token."""
    tls: bool = False
    """Whether the pages are served over TLS, with the certificate of ext_proc. Off, as scrape configurations and probes
    expect it."""

    @rule(
        "must be set with auth Token and with no other",
        cel="(self.auth == 'Token') == has(self.tokenSecretRef)",
        at="tokenSecretRef",
    )
    def _tokens_are_there(self) -> Iterator[Breach]:
        if (self.auth == "Token") != (self.token_secret_ref is not None):
            yield Breach()


class SharedWorkflows(Document):
    """A Valkey or Redis server through which the pickers of the pool know each other's workflows."""

    url: Annotated[str, Field(pattern=REDIS_URL, max_length=512)]
    """Its address, `redis://host:port/database`, or `rediss://` for TLS."""
    secret_ref: SecretKeyRef
    """The secret that names and values on the server are kept under, 16 characters or more."""
    password_secret_ref: SecretKeyRef | None = None
    """Password of the server. Unset: it asks for none."""
    lookup_milliseconds: Annotated[float, Field(gt=0, le=1000)] = 5.0
    """Milliseconds that a request waits for a look-up. Five: ten round trips inside a cluster."""


PICKER_RESOURCES = Resources(requests={"cpu": "1", "memory": "512Mi"}, limits={"memory": "2Gi"})


class Picker(Document):
    """The endpoint picker that makes the decisions."""

    replicas: Annotated[int, Field(ge=1, le=64)] = 2
    """Picker replicas. Two, so that a restart or a lost node stops nothing. On one machine there is always one."""
    image: Reference | None = None
    """Image of the picker, best by digest. Unset: that of the operator's own release."""
    image_pull_policy: PullPolicy | None = None
    """When nodes pull it. Unset: as Kubernetes does, Always for the tag `latest` and IfNotPresent for others."""
    resources: Resources = PICKER_RESOURCES
    """CPU and memory. One core, as one event loop decides; 512 MiB, as the default bundle and 50,000 workflows take 330
    MB; at most 2 GiB, as bodies that are being read may take one."""
    failure_mode: Literal["FailOpen", "FailClose"] = "FailClose"
    """What a gateway does without a picker. FailClose, as InferencePool has it: nobody else knows the models apart."""
    transport: Literal["Native", "GRPC"] = "Native"
    """What carries ext_proc: the picker's own HTTP/2, which costs less, or grpc.aio."""
    log_level: Literal["Debug", "Info", "Warning", "Error"] = "Info"
    """Least level of what is logged."""
    tls: PickerTls = PickerTls()
    """TLS between gateway and picker."""
    management: Management = Management()
    """Who may read metrics and status, ask for explanations and give feedback."""
    shared_workflows: SharedWorkflows | None = None
    """Where pickers tell each other of their workflows. Unset: each knows its own only."""
    cache_salt_secret_ref: SecretKeyRef | None = None
    """A secret that keeps tenants apart in engines' prefix caches. Unset: tenants share them."""
    pod: Pod = Pod()
    """What the pods need to fit into the cluster."""

    @rule(
        "must be off with tls.mode Plaintext",
        cel="self.tls.mode != 'Plaintext' || !self.management.tls",
        at="management.tls",
    )
    def _no_half_plain_text(self) -> Iterator[Breach]:
        if self.tls.mode == "Plaintext" and self.management.tls:
            yield Breach()
