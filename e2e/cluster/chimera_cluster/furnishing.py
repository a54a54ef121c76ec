"""Fills a cluster's folder: certificates, kubeconfigs and what the programs read."""

from chimera_cluster import settings
from chimera_cluster.authority import Authority, write_key_pair
from chimera_cluster.components import server_names
from chimera_cluster.kubeconfigs import certificate, kubeconfig
from chimera_cluster.place import API_SERVER, DNS_SERVICE, NODE, NODE_ADDRESS, Place

_MASTERS = "system:masters"

# Who talks to the API server, with the name and the group that its certificate claims.
_USERS = {
    "admin": ("admin", _MASTERS),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
}


def furnish(place: Place) -> None:
    """Write everything that the node's programs need before they start."""
    for folder in (place.certificates, place.logs, place.folder / "cni"):
        folder.mkdir(parents=True)
    _certify(place)
    for user in _USERS:
        document = kubeconfig(API_SERVER, place.certificates / "ca.crt", certificate(place.certificates, user))
        place.kubeconfig_of(user).write_text(document)
    files = {
        "containerd.toml": settings.containerd(place),
        "cni/pods.conflist": settings.cni(place),
        "kubelet.yaml": settings.kubelet(place),
        "kube-proxy.yaml": settings.kube_proxy(place),
        "resolv.conf": f"nameserver {DNS_SERVICE}\n",
    }
    for name, text in files.items():
        (place.folder / name).write_text(text)


def _certify(place: Place) -> None:
    authority = Authority(place.certificates)
    authority.write_key()  # the controllers sign with it what the API asks for
    authority.sign("kube-apiserver", "kube-apiserver", hosts=server_names())
    authority.sign("kube-apiserver-kubelet", "kube-apiserver-kubelet-client", organization=_MASTERS)
    authority.sign("front-proxy", "front-proxy")
    for user, (subject, organization) in _USERS.items():
        hosts = (NODE, NODE_ADDRESS) if user == "kubelet" else ()  # it serves logs and exec
        authority.sign(user, subject, organization=organization, hosts=hosts)
    write_key_pair(place.certificates, "accounts")
