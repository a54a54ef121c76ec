"""Let a call in or refuse it: the same rule for pages over HTTP and services over gRPC."""

import re
from collections.abc import Callable, Collection, Sequence

from chimera_router.access.port import Authority, Verdict, Wanted
from chimera_router.errors import AuthorityUnavailable, Forbidden, RequestError, Unauthenticated

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)  # RFC 6750, section 2.1
_ERRORS: dict[Verdict, type[RequestError]] = {
    Verdict.UNAUTHENTICATED: Unauthenticated,
    Verdict.FORBIDDEN: Forbidden,
    Verdict.UNAVAILABLE: AuthorityUnavailable,
}


class Gate:
    """Asks for a bearer token wherever one is needed.

    Args:
        authority: Knows the tokens; None lets everybody in.
        open_paths: Those that need none.
        refused: Called with the verdict on each call that is not let in.
    """

    def __init__(
        self, authority: Authority | None, *, open_paths: Collection[str] = (), refused: Callable[[Verdict], None]
    ) -> None:
        self._authority = authority
        self._open_paths = frozenset(open_paths)
        self._refused = refused

    async def admit(self, authorization: Sequence[str], wanted: Wanted) -> None:
        """Return where the call may go on.

        Args:
            authorization: Every value of the call's `authorization`.
            wanted: What it is for.

        Raises:
            Unauthenticated: It has not one bearer token, or one that nobody knows.
            Forbidden: Its bearer is known, and may not have this.
            AuthorityUnavailable: Nobody can say now.
        """
        verdict = await self._judge(authorization, wanted)
        if verdict is not Verdict.ADMITTED:
            self._refused(verdict)
            raise _ERRORS[verdict]

    async def _judge(self, authorization: Sequence[str], wanted: Wanted) -> Verdict:
        if self._authority is None or wanted.path in self._open_paths:
            return Verdict.ADMITTED
        bearers = [_BEARER.fullmatch(value.strip()) for value in authorization]
        match bearers:
            case [re.Match() as bearer]:
                return await self._authority.judge(bearer[1], wanted)
            case _:
                return Verdict.UNAUTHENTICATED
