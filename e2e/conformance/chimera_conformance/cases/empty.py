"""A picker that knows no endpoints: `--empty` names a second one, set up so."""

from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.picker import ROUTED, Picker
from chimera_conformance.verdicts import require


@case(Level.MUST, Profile.EMPTY, sources.GIE_DESTINATION)
async def post_is_503(picker: Picker) -> None:
    """With no ready endpoint a request is answered with 503."""
    empty = picker.without_endpoints()
    answers = await empty.ask(empty.chat().whole(), ROUTED)
    require(answers.refusal == 503, f"came: {answers.outline()}")


@case(Level.MUST, Profile.EMPTY, sources.LLM_D_TESTS)
async def get_is_answered(picker: Picker) -> None:
    """With no ready endpoint a request without a body is answered in the engine's place, and not routed."""
    empty = picker.without_endpoints()
    answers = await empty.ask(empty.chat(body=b"", method="GET", path=wire.MODELS).bare(), ROUTED)
    require(answers.refusal is not None, f"came: {answers.outline()}")
