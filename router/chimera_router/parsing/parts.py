"""What the fields of OpenAI's APIs have in common: message parts, token limits, tools."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

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


class Fields(msgspec.Struct):
    """What every API's body has."""

    model: str
    stream: bool | None = None


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
