"""A token for the pickers' status pages is asked for once, and again in time."""

import pytest
from recorded_calls import RecordedCalls
from scripted_apis import VirtualTime

from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.tokens import LIFETIME, RETRY, StatusToken

pytestmark = pytest.mark.anyio


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    """One call an hour, to the account that was named."""
    time, made = VirtualTime(), iter(("first", "second"))
    api = RecordedCalls(lambda _call: {"status": {"token": next(made)}})
    token = StatusToken(api, "home", "reader", clock=time.clock)

    assert [await token() for _ in range(3)] == ["first"] * 3
    time.now += LIFETIME * 0.9
    assert await token() == "second"
    assert {call.path for call in api.calls} == {"/api/v1/namespaces/home/serviceaccounts/reader/token"}
    assert len(api.calls) == 2


async def test_a_refusal_is_not_asked_again_at_once() -> None:
    """Without a token there is none, for half a minute."""
    time = VirtualTime()
    api = RecordedCalls(lambda _call: ApiServerError(ApiFailure.FORBIDDEN, said="canary"))
    token = StatusToken(api, "home", "reader", clock=time.clock)

    assert [await token() for _ in range(3)] == [None] * 3
    assert len(api.calls) == 1
    time.now += RETRY
    assert await token() is None
    assert len(api.calls) == 2


async def test_without_an_account_nobody_is_asked() -> None:
    """It may not be wanted at all."""
    api = RecordedCalls()

    assert await StatusToken(api, "home", "", clock=VirtualTime().clock)() is None
    assert api.calls == []
