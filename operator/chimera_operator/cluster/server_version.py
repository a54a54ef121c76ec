"""Which version the API server has."""

import re

from chimera_operator.cluster.client import decoded
from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.port import Api, Call, Verb

_NUMBER = re.compile(r"\d+")  # some providers write `36+`


async def server_version(api: Api) -> tuple[int, int]:
    """Return the major and minor version.

    Raises:
        ApiServerError: The server does not say.
    """
    answer = decoded(await api.call(Call(verb=Verb.GET, path="/version")))
    major, minor = (_NUMBER.match(str(answer.get(part, ""))) for part in ("major", "minor"))
    if major is None or minor is None:
        raise ApiServerError(ApiFailure.MALFORMED)
    return int(major[0]), int(minor[0])
