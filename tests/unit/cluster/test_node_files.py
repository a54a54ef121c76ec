"""What the node's programs are told fits together: addresses, files, certificates."""

import json
import re
import ssl
import tomllib
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from chimera_cluster import components, settings
from chimera_cluster.furnishing import furnish
from chimera_cluster.images import names
from chimera_cluster.place import API_SERVER, API_SERVICE, DNS_SERVICE, NODE_ADDRESS, POD_RANGE, Place
from chimera_cluster.programs.catalog import NODE, PROGRAMS
from chimera_cluster.programs.recipes import Binary

MANIFESTS = Path(settings.__file__).parent / "manifests"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a folder with everything that the programs need before they start."""
    place = Place(tmp_path_factory.mktemp("node"))
    furnish(place)
    return place


def programs(place: Place) -> list[components.Component]:
    return [*components.foundation(place), *components.rest(place)]


def read(place: Place, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((place.certificates / f"{name}.crt").read_bytes())


def said(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]


def test_programs_find_each_file_that_they_read(place: Place) -> None:
    """Every certificate, key, kubeconfig and configuration that a program is told to read is there before it starts."""
    told = [argument.partition("=")[2] for program in programs(place) for argument in program.arguments]
    files = [Path(text) for text in told if text.endswith((".crt", ".key", ".pub", ".kubeconfig", ".yaml", ".toml"))]

    assert len(files) > 20
    assert [path for path in files if not path.is_file()] == []


def test_programs_are_built() -> None:
    """Whatever a node starts is made by one of the recipes that it builds."""
    made = {
        name
        for thing in NODE
        for recipe in PROGRAMS.recipes[thing]
        if isinstance(recipe, Binary)
        for name in (recipe.name, *recipe.aliases)
    }

    assert {program.name for program in programs(Place())} <= made


def test_node_leaves_nothing_outside_of_its_folder() -> None:
    """No program is told to write anywhere but below the cluster's folder."""
    place = Place(Path("/the-place"))
    told = [argument.partition("=")[2] for program in programs(place) for argument in program.arguments]
    written = [*told, *re.findall(r"(?<![\w.:/])/[\w/.-]+", settings.kubelet(place) + settings.kube_proxy(place))]

    outside = {text for text in written if text.startswith("/") and not text.startswith("/the-place")}
    assert outside == {"/chimera-cluster"}  # the cgroup


def test_clients_believe_the_api_server_by_each_of_its_names(place: Place) -> None:
    """The certificate holds for the node's address, the service's and the names that pods use."""
    names = read(place, "kube-apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(each) for each in names.get_values_for_type(x509.IPAddress)}

    assert {NODE_ADDRESS, API_SERVICE} <= addresses
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_kubelet_is_the_node_that_it_says(place: Place) -> None:
    """Its certificate names it as the Node authorizer wants it, and serves at the node's address."""
    certificate = read(place, "kubelet")

    assert said(certificate, NameOID.COMMON_NAME) == ["system:node:node"]
    assert said(certificate, NameOID.ORGANIZATION_NAME) == ["system:nodes"]
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert NODE_ADDRESS in {str(each) for each in alternatives.get_values_for_type(x509.IPAddress)}


def test_one_authority_signs_all(place: Place) -> None:
    """A certificate and its key belong together, and the cluster's authority signed it."""
    authority = read(place, "ca")
    for path in place.certificates.glob("*.crt"):
        if path.stem != "ca":
            read(place, path.stem).verify_directly_issued_by(authority)
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, path.with_suffix(".key"))


def test_keys_are_for_their_owner_alone(place: Place) -> None:
    """Nobody else on the machine can read a private key."""
    modes = {path.name: path.stat().st_mode & 0o077 for path in place.certificates.glob("*.key")}

    assert len(modes) > 8
    assert set(modes.values()) == {0}


def test_administrator_asks_the_node(place: Place) -> None:
    """The administrator's kubeconfig leads to the API server in the cluster's own network, by TLS."""
    document = yaml.safe_load(place.kubeconfig.read_text())

    (cluster,) = document["clusters"]
    assert cluster["cluster"] == {"server": API_SERVER, "certificate-authority": str(place.certificates / "ca.crt")}


def test_pods_have_no_way_out(place: Place) -> None:
    """The pods' network is a bridge without address translation, in the range that kube-proxy knows."""
    bridge, _ = json.loads((place.folder / "cni" / "pods.conflist").read_text())["plugins"]

    assert not bridge["ipMasq"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": POD_RANGE}]]
    assert yaml.safe_load(settings.kube_proxy(place))["clusterCIDR"] == POD_RANGE


def test_containerd_knows_the_sandbox_that_is_built() -> None:
    """The image of pods' sandboxes is the one that the cluster makes, so containerd asks no registry."""
    document = tomllib.loads(settings.containerd(Place()))

    images = document["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"]["sandbox"] == names.own("pause")


def test_names_are_answered_where_pods_ask() -> None:
    """The DNS that the kubelet tells pods is the address of the DNS that is installed, in an image that is made."""
    documents = list(yaml.safe_load_all((MANIFESTS / "coredns.yaml").read_text()))
    (service,) = (each for each in documents if each["kind"] == "Service")
    (deployment,) = (each for each in documents if each["kind"] == "Deployment")

    assert service["spec"]["clusterIP"] == DNS_SERVICE
    assert yaml.safe_load(settings.kubelet(Place()))["clusterDNS"] == [DNS_SERVICE]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == names.own("coredns")
