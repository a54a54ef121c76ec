"""What the operator sees of its cluster, and whom it concerns: pools' children and pods, and the Gateways they name."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from chimera_operator.api.names import POOL_LABEL
from chimera_operator.cluster import trims
from chimera_operator.cluster.mirrors import Mirrors, Reflection
from chimera_operator.cluster.resources import CHILDREN, EVENT, GATEWAY, GATEWAY_CLASS, POD
from chimera_operator.cluster.store import Changed, Name, Store, Trim, whole
from chimera_operator.cluster.watcher import Presence, Subject
from chimera_operator.planning.reading.objects import labels_of, name_of, part
from chimera_operator.rendering.facts import ParentKey
from chimera_operator.rendering.kinds import OPTIONAL, Kind
from chimera_operator.rendering.manifest import MANAGED_BY_LABEL, MANAGER, Manifest, ObjectKey, key_of

OURS = {"labelSelector": f"{MANAGED_BY_LABEL}={MANAGER}"}
UNMOUNTED = {"fieldSelector": "type=Warning,reason=FailedMount"}
"""Events of the one cause that nothing else tells: what a volume needs is missing."""


class View:
    """Mirrors of what pools are made of and stand on.

    Args:
        mirrors: Runs them.
        namespaces: Those that pools are looked for in; none for all.
        wake: Called with a pool that something has changed about.
        wake_all: Called where it may be any.
    """

    def __init__(
        self, mirrors: Mirrors, namespaces: Sequence[str], *, wake: Callable[[Name], None], wake_all: Callable[[], None]
    ) -> None:
        self._mirrors = mirrors
        self._namespaces = tuple(namespaces) or ("",)
        self._wake = wake
        self._readers: defaultdict[Name, set[Name]] = defaultdict(set)
        self._children = {kind: self._add(kind, OURS, self._child_changed) for kind in CHILDREN}
        self._pods = self._add(POD, OURS, self._child_changed)
        self._warnings = self._add(EVENT, UNMOUNTED, self._warned, trims.warning)
        self._gateways = mirrors.add([Subject(kind=GATEWAY)], Store(self._gateway_changed, trims.gateway))
        classes = Store(lambda _name, _pool: wake_all(), trims.gateway_class)
        self._classes = mirrors.add([Subject(kind=GATEWAY_CLASS)], classes)

    async def known(self) -> None:
        """Wait until it is known which optional kinds there are, and everything that is there."""
        required = [self._pods, *(each for kind, each in self._children.items() if kind not in OPTIONAL)]
        await self._mirrors.until(lambda: all(each.presence is Presence.PRESENT for each in required))
        await self._mirrors.settled()

    def apis(self) -> frozenset[str]:
        """Return the optional kinds that the server has, as facts call them."""
        return frozenset(str(kind) for kind in OPTIONAL if self._children[kind].presence is Presence.PRESENT)

    def children(self, pool: Name) -> dict[ObjectKey, Manifest]:
        """Return a pool's children."""
        found = (child for each in self._children.values() for child in each.store.of(pool))
        return {key_of(child): child for child in found}

    def pods(self, pool: Name) -> tuple[Manifest, ...]:
        """Return a pool's pods."""
        return tuple(self._pods.store.of(pool))

    def warnings(self, pods: Iterable[Manifest]) -> tuple[Manifest, ...]:
        """Return the warnings about some pods."""
        about = {(pod["metadata"]["namespace"], name_of(pod)) for pod in pods}
        return tuple(warning for warning in self._warnings.store if about and _about(warning) in about)

    def parents(self, pool: Name, names: Iterable[ParentKey]) -> tuple[Manifest, ...]:
        """Return the Gateways of these names that are there; the pool is woken when one of them comes or changes."""
        wanted = [Name(*name) for name in names]
        for name in wanted:
            self._readers[name].add(pool)
        return tuple(found for name in wanted if (found := self._gateways.store.get(name)))

    def controllers(self, parents: Iterable[Manifest]) -> Mapping[ParentKey, str]:
        """Return the controller of each of these Gateways whose class is there."""
        classes = {ParentKey(*_name(parent)): self._class(parent) for parent in parents}
        return {key: str(found["spec"]["controllerName"]) for key, found in classes.items() if found}

    def get(self, key: ObjectKey) -> Manifest | None:
        """Return a child."""
        return self._children[_kind(key)].store.get(Name(key.namespace, key.name))

    def learn(self, manifest: Manifest) -> None:
        """Take a child as the server has just answered that it is."""
        self._children[_kind(key_of(manifest))].store.learn(manifest)

    def forget(self, key: ObjectKey) -> None:
        """Take it that a child has just been deleted."""
        self._children[_kind(key)].store.forget(Name(key.namespace, key.name))

    def _add(self, kind: Kind, query: Mapping[str, str], changed: Changed, trim: Trim = whole) -> Reflection:
        subjects = [Subject(kind=kind, namespace=namespace, query=query) for namespace in self._namespaces]
        return self._mirrors.add(subjects, Store(changed, trim))

    def _class(self, gateway: Manifest) -> Manifest | None:
        return self._classes.store.get(Name("", part(gateway, "spec").get("gatewayClassName", "")))

    def _child_changed(self, name: Name, pool: str) -> None:
        if pool:
            self._wake(Name(name.namespace, pool))

    def _gateway_changed(self, name: Name, _pool: str) -> None:
        for pool in self._readers.pop(name, set()):
            self._wake(pool)

    def _warned(self, name: Name, _pool: str) -> None:
        warning = self._warnings.store.get(name)
        pod = self._pods.store.get(Name(*_about(warning))) if warning else None
        if pod:
            self._wake(Name(name.namespace, labels_of(pod).get(POOL_LABEL, "")))


def _about(warning: Manifest) -> tuple[str, str]:
    regarding = part(warning, "regarding")
    return regarding.get("namespace", ""), regarding.get("name", "")


def _kind(key: ObjectKey) -> Kind:
    return Kind(key.api_version, key.kind)


def _name(manifest: Manifest) -> Name:
    return Name(manifest["metadata"].get("namespace", ""), name_of(manifest))
