"""Words that stand for text which nobody recorded: as many as there were tokens, the same ones for the same seed."""

CHARACTERS_PER_TOKEN = 4
"""Of English text and code in the vocabularies of current models; each filler word with its space is as long."""

# 59 words, a prime number, so that every stride walks through all of them.
_WORDS = (
    "act add age aim air and art ask bar bed big bit box bus buy can car cat cup cut day dig dog dry "
    "eat end eye far few fit fly for fun get guy hat hit hot ice ink job key kid law leg let lot low "
    "man map mix net new now odd off old one own "
)
_COUNT = len(_WORDS) // CHARACTERS_PER_TOKEN


def filler(seed: int, start: int, stop: int) -> str:
    """Return words `start` to `stop` of the endless text of this seed, each followed by a space."""
    stride = 1 + seed // _COUNT % (_COUNT - 1)
    places = (CHARACTERS_PER_TOKEN * ((seed + index * stride) % _COUNT) for index in range(start, stop))
    return "".join(_WORDS[place : place + CHARACTERS_PER_TOKEN] for place in places)


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)
