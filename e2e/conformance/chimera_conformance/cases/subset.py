"""The gateway's hint: only some endpoints may be chosen."""

from chimera_conformance import sources
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.destination import FOREIGN, endpoints
from chimera_conformance.messages import Hint
from chimera_conformance.picker import ROUTED, Picker
from chimera_conformance.target import Endpoint
from chimera_conformance.verdicts import require

UNAVAILABLE = 503
ROUNDS = 5  # requests: a picker that ignores the hint may keep to it once by chance


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def binds(picker: Picker) -> None:
    """A hint that lists one endpoint gets that one, whatever the picker would rather choose."""
    for member in picker.target.endpoints:
        await _require_within(picker, [str(member)], (member,))


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def binds_with_several(picker: Picker) -> None:
    """A hint that lists several endpoints gets one of them."""
    members = picker.target.first(2)
    await _require_within(picker, list(map(str, members)), members)


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def strangers_are_passed_over(picker: Picker) -> None:
    """Endpoints in the hint that are not of the pool are never chosen."""
    member = picker.target.endpoints[-1]
    await _require_within(picker, [FOREIGN, str(member)], (member,))


@case(Level.SHOULD, Profile.CORE, sources.GIE_LWEPP)
async def may_be_one_string(picker: Picker) -> None:
    """A hint that is one string with commas binds as a list does."""
    member = picker.target.endpoints[-1]
    await _require_within(picker, f"{FOREIGN}, {member}", (member,))


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def counts_ports(picker: Picker) -> None:
    """The hint names ip:port: another port of a member's address is another endpoint."""
    taken = {each.port for each in picker.target.endpoints}
    other = Endpoint(picker.target.endpoints[0].ip, next(port for port in range(1, 65536) if port not in taken))
    _require_unavailable(await _asked(picker, [str(other)]))


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def empty_list_is_503(picker: Picker) -> None:
    """An empty hint allows nobody: 503."""
    _require_unavailable(await _asked(picker, []))


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def no_match_is_503(picker: Picker) -> None:
    """A hint without any member of the pool is answered with 503."""
    _require_unavailable(await _asked(picker, [FOREIGN]))


async def _asked(picker: Picker, hint: Hint) -> Answers:
    return await picker.ask(picker.chat(subset=hint).whole(), ROUTED)


async def _require_within(picker: Picker, hint: Hint, allowed: tuple[Endpoint, ...]) -> None:
    for _ in range(ROUNDS):
        answers = await _asked(picker, hint)
        require(answers.routed, f"{hint} is not routed; came: {answers.outline()}")
        strangers = [str(each) for each in endpoints(answers) if each not in allowed]
        require(not strangers, f"{', '.join(strangers)} for {hint}")


def _require_unavailable(answers: Answers) -> None:
    require(answers.destination is None, f"{answers.destination} was chosen")
    require(answers.refusal == UNAVAILABLE, f"came: {answers.outline()}")
