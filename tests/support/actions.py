"""What somebody may do in a cluster, as an access review asks it."""

from collections.abc import Iterable
from typing import NamedTuple

from kubernetes.aio import client

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")


class Action(NamedTuple):
    """Something to do to a resource, which is named as in a role."""

    verb: str
    resource: str
    name: str = ""
    group: str = ""

    def attributes(self, namespace: str) -> client.V1ResourceAttributes:
        resource, _, subresource = self.resource.partition("/")
        return client.V1ResourceAttributes(
            namespace=namespace,
            verb=self.verb,
            group=self.group,
            resource=resource,
            subresource=subresource,
            name=self.name,
        )


def actions(verbs: Iterable[str], resource: str, name: str = "", group: str = "") -> list[Action]:
    return [Action(verb, resource, name, group) for verb in verbs]
