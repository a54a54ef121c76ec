"""Pods that cannot even be made."""

import re

from chimera_operator.planning.causes.cause import Cause, Reason
from chimera_operator.planning.causes.texts import clean
from chimera_operator.planning.reading.deployments import Deployment


def creation_cause(deployment: Deployment) -> Cause | None:
    """Return why the API server lets no pod of a Deployment in, or None where it does."""
    text = deployment.refused
    if not text:
        return None
    if quota := re.search(r"exceeded quota: ([\w.-]+), requested: (.+)$", text):
        asked = f"quota {quota[1]} of the namespace is used up: {clean('requested: ' + quota[2])}"
        return Cause(reason=Reason.QUOTA, message=asked)
    if "failed quota" in text:
        return Cause(reason=Reason.QUOTA, message=f"the namespace's quota wants figures: {clean(_said(text))}")
    return Cause(reason=Reason.FORBIDDEN, message=f"the API server refuses its pods: {clean(_said(text))}")


def _said(text: str) -> str:
    """Return the text without the name of a pod that was never made."""
    return re.sub(r'^.*?pods "[^"]*" is forbidden: ', "", text)
