"""The programs that make a node, with their arguments (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chimera_cluster.place import API_PORT, API_SERVICE, NODE, NODE_ADDRESS, SERVICE_RANGE, Place

ETCD = "http://127.0.0.1:2379"


@dataclass(frozen=True, slots=True)
class Component:
    """A program that runs as long as the cluster.

    Attributes:
        name: Of the program and of its log.
        arguments: Behind its name.
    """

    name: str
    arguments: tuple[str, ...]


def foundation(place: Place) -> tuple[Component, ...]:
    """Return what needs nothing but each other."""
    etcd = _component(
        "etcd",
        {
            "data-dir": place.folder / "etcd",
            "listen-client-urls": ETCD,
            "advertise-client-urls": ETCD,
            "listen-peer-urls": "http://127.0.0.1:0",
            "log-level": "warn",
            "unsafe-no-fsync": "true",  # nothing of it outlives the cluster
        },
    )
    return etcd, _api_server(place.certificates), _component("containerd", {"config": place.folder / "containerd.toml"})


def rest(place: Place) -> tuple[Component, ...]:
    """Return what needs the API server and containerd."""
    certificates = place.certificates
    controllers = {
        "kubeconfig": place.kubeconfig_of("kube-controller-manager"),
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": certificates / "accounts.key",
        "root-ca-file": certificates / "ca.crt",
        "cluster-signing-cert-file": certificates / "ca.crt",
        "cluster-signing-key-file": certificates / "ca.key",
        "flex-volume-plugin-dir": place.folder / "volume-plugins",  # else it makes a folder under /usr
    }
    scheduler = {
        "kubeconfig": place.kubeconfig_of("kube-scheduler"),
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
    }
    kubelet = {
        "config": place.folder / "kubelet.yaml",
        "kubeconfig": place.kubeconfig_of("kubelet"),
        "hostname-override": NODE,
        "node-ip": NODE_ADDRESS,
        "root-dir": place.folder / "kubelet",
        "cert-dir": place.folder / "kubelet" / "certificates",
    }
    return (
        _component("kube-controller-manager", controllers),
        _component("kube-scheduler", scheduler),
        _component("kubelet", kubelet),
        _component("kube-proxy", {"config": place.folder / "kube-proxy.yaml", "hostname-override": NODE}),
    )


def server_names() -> tuple[str, ...]:
    """Return all names by which clients call the API server."""
    return ("kubernetes", "kubernetes.default", "kubernetes.default.svc", NODE_ADDRESS, API_SERVICE, "127.0.0.1")


def _api_server(certificates: Path) -> Component:
    """TLS, RBAC and the admission that kubeadm sets up, aggregated APIs included."""
    flags = {
        "etcd-servers": ETCD,
        "advertise-address": NODE_ADDRESS,
        "secure-port": API_PORT,
        "service-cluster-ip-range": SERVICE_RANGE,
        "tls-cert-file": certificates / "kube-apiserver.crt",
        "tls-private-key-file": certificates / "kube-apiserver.key",
        "client-ca-file": certificates / "ca.crt",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": certificates / "accounts.pub",
        "service-account-signing-key-file": certificates / "accounts.key",
        "kubelet-client-certificate": certificates / "kube-apiserver-kubelet.crt",
        "kubelet-client-key": certificates / "kube-apiserver-kubelet.key",
        "kubelet-certificate-authority": certificates / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "requestheader-client-ca-file": certificates / "ca.crt",
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": certificates / "front-proxy.crt",
        "proxy-client-key-file": certificates / "front-proxy.key",
    }
    return _component("kube-apiserver", flags)


def _component(name: str, flags: Mapping[str, object]) -> Component:
    return Component(name, tuple(f"--{key}={value}" for key, value in flags.items()))
