"""Gates for tests, and an authority that says what it is told to."""

from collections.abc import Collection

from chimera_router.access.gate import Gate
from chimera_router.access.port import Verdict, Wanted


class FakeAuthority:
    """Lets tokens have what the test says, and remembers what it was asked."""

    def __init__(self, **rights: str) -> None:
        self.rights = rights
        self.asked: list[tuple[str, Wanted]] = []

    async def judge(self, token: str, wanted: Wanted) -> Verdict:
        self.asked.append((token, wanted))
        if token not in self.rights:
            return Verdict.UNAUTHENTICATED
        return Verdict.ADMITTED if self.rights[token] in {"*", wanted.path} else Verdict.FORBIDDEN


def open_gate() -> Gate:
    """Return a gate that lets everybody in."""
    return Gate(None, refused=lambda _: None)


def gate(authority: FakeAuthority, *, open_paths: Collection[str] = ()) -> Gate:
    """Return a gate before an authority."""
    return Gate(authority, open_paths=open_paths, refused=lambda _: None)
