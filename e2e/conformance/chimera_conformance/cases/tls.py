"""TLS, as gateways connect: any certificate, HTTP/2 agreed on in the handshake."""

import grpc

from chimera_conformance import sources, tunnel
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.exchange import Exchange
from chimera_conformance.picker import ROUTED, Picker
from chimera_conformance.verdicts import Violation, require, skip


@case(Level.MUST, Profile.TLS, sources.GRPC_ALPN)
async def http2_is_negotiated(picker: Picker) -> None:
    """The handshake chooses h2 by ALPN: gRPC clients refuse a server that does not."""
    _skip_in_plaintext(picker)
    try:
        chosen = await tunnel.negotiated(picker.target.address, within=picker.target.patience)
    except (OSError, TimeoutError) as error:
        raise Violation(f"no handshake: {type(error).__name__}") from None
    require(chosen == tunnel.ALPN, f"{chosen or 'nothing'} was chosen")


@case(Level.SHOULD, Profile.TLS, sources.GIE_TLS)
async def plaintext_is_refused(picker: Picker) -> None:
    """A picker with a certificate answers nobody who comes without TLS."""
    _skip_in_plaintext(picker)
    async with grpc.aio.insecure_channel(picker.target.address) as channel:
        exchange = Exchange(channel, patience=picker.target.patience)
        await exchange.send(*picker.chat().whole())
        answers = await exchange.collect(ROUTED)
        await exchange.close()
    require(not answers.messages, f"came: {answers.outline()}")


def _skip_in_plaintext(picker: Picker) -> None:
    if picker.target.plaintext:
        skip("the picker speaks plain text")
