"""What the fields of OpenAI's APIs have in common: message parts, token limits, tools."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

Tokens = Annotated[int, msgspec.Meta(ge=1)] | None


class Part(msgspec.Struct):
    """A piece of a message's content. Of what is no text the source counts, wherever its kind keeps it."""

    type: str
    text: str = ""
    refusal: str = ""
    image_url: msgspec.Raw = msgspec.Raw()
    input_audio: msgspec.Raw = msgspec.Raw()
    video_url: msgspec.Raw = msgspec.Raw()
    audio_url: msgspec.Raw = msgspec.Raw()
    file: msgspec.Raw = msgspec.Raw()
    file_id: msgspec.Raw = msgspec.Raw()
    file_data: msgspec.Raw = msgspec.Raw()
    file_url: msgspec.Raw = msgspec.Raw()

    def attached(self) -> bytes:
        """Return what the part shows besides text, as it came."""
        shown = (self.image_url, self.input_audio, self.video_url, self.audio_url)
        files = (self.file, self.file_id, self.file_data, self.file_url)
        return b"".join(bytes(raw) for raw in (*shown, *files))


Content = str | list[Part] | None


Internal = Raw | UnsetType


class Fields(msgspec.Struct):
    """What every API's body has, and what none may have: fields by which gateways and engines talk to each other."""

    model: str
    stream: bool | None = None
    priority: Internal = UNSET  # vLLM: the place in its queue
    cache_salt: Internal = UNSET  # vLLM: who shares a prefix cache
    kv_transfer_params: Internal = UNSET  # vLLM: where another engine has the cache
    ec_transfer_params: Internal = UNSET  # the same of encoded images
    request_id: Internal = UNSET  # vLLM: by which others can abort it
    data_parallel_rank: Internal = UNSET  # SGLang: which of its engines
    bootstrap_host: Internal = UNSET  # SGLang: where another engine has the cache
    bootstrap_port: Internal = UNSET
    bootstrap_room: Internal = UNSET
    rid: Internal = UNSET  # SGLang: by which others can abort it
    nvext: Internal = UNSET  # Dynamo: its router's hints

    def internal(self) -> bool:
        """Return whether it has any of the fields that no client may set."""
        return _internal_of(self) != _NO_INTERNAL


INTERNAL_FIELDS = tuple(name for name in Fields.__struct_fields__ if name not in {"model", "stream"})
_internal_of = attrgetter(*INTERNAL_FIELDS)
_NO_INTERNAL = (UNSET,) * len(INTERNAL_FIELDS)


def text_of(content: Content) -> str:
    """Return the words of a message's content, one line a part."""
    if isinstance(content, str):
        return content
    return "\n".join(part.text or part.refusal for part in content or ())


def attached_to(content: Content) -> bytes:
    """Return what a message's content shows besides text."""
    if content is None or isinstance(content, str):
        return b""
    return b"".join(part.attached() for part in content)


def read_lenient(decoder: msgspec.json.Decoder[Any], raw: msgspec.Raw) -> Sequence[Any]:
    """Return a list of a body, or nothing where it is absent or not of a kind known here: the engine judges it then."""
    if not bytes(raw):
        return ()
    try:
        return decoder.decode(raw) or ()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
