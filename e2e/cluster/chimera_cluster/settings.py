"""The files that the node's programs read (pure: text from a place)."""

import json
from typing import Any

import yaml

from chimera_cluster.images import names
from chimera_cluster.place import CGROUP, CNI_PLUGINS, DNS_SERVICE, NODE_ADDRESS, POD_RANGE, Place


def containerd(place: Place) -> str:
    """Return what containerd reads."""
    folder = place.folder
    return f"""version = 3
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{place.containerd}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{names.own("pause")}"
[plugins."io.containerd.cri.v1.runtime"]
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true # where root lacks CAP_SYS_RESOURCE, runc cannot go below its own score
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["{CNI_PLUGINS}"]
  conf_dir = "{folder}/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    SystemdCgroup = false
"""


def cni(place: Place) -> str:
    """Return the pods' network: a bridge without a way out of the machine."""
    addresses = {
        "type": "host-local",
        "dataDir": f"{place.folder}/addresses",
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, ports]}, indent=2)


def kubelet(place: Place) -> str:
    """Return what the kubelet reads."""
    folder = place.folder
    return _document(
        "kubelet.config.k8s.io/v1beta1",
        "KubeletConfiguration",
        failCgroupV1=False,  # by default 1.36 refuses machines that still have it
        cgroupDriver="cgroupfs",
        cgroupRoot=f"/{CGROUP}",
        containerRuntimeEndpoint=f"unix://{place.containerd}",
        address=NODE_ADDRESS,
        tlsCertFile=f"{place.certificates}/kubelet.crt",
        tlsPrivateKeyFile=f"{place.certificates}/kubelet.key",
        authentication={
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{place.certificates}/ca.crt"},
        },
        authorization={"mode": "Webhook"},
        clusterDNS=[DNS_SERVICE],
        clusterDomain="cluster.local",
        resolvConf=f"{folder}/resolv.conf",  # the machine's own resolver is out of reach
        podLogsDir=f"{folder}/pods",
        volumePluginDir=f"{folder}/volume-plugins",
        failSwapOn=False,
        # An image that is collected cannot be pulled again: never do that, whatever the disk.
        imageGCHighThresholdPercent=100,
        imageGCLowThresholdPercent=99,
        evictionHard={"memory.available": "200Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
    )


def kube_proxy(place: Place) -> str:
    """Return what kube-proxy reads; the limits of conntrack cannot be set in a network of one's own."""
    return _document(
        "kubeproxy.config.k8s.io/v1alpha1",
        "KubeProxyConfiguration",
        mode="nftables",
        clusterCIDR=POD_RANGE,
        clientConnection={"kubeconfig": str(place.kubeconfig_of("kube-proxy"))},
        conntrack={"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    )


def _document(version: str, kind: str, **fields: Any) -> str:
    return yaml.safe_dump({"apiVersion": version, "kind": kind, **fields}, sort_keys=False)
