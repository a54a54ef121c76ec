"""What others wrote, fit for a status that many may read: one line, short, without secrets and without prompts."""

import re
from collections.abc import Iterator

LONGEST = 300  # characters of what others wrote; a sentence or two

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_HIDDEN = "[hidden]"
_SECRETS = re.compile(
    r"\b(?:hf|api_org)_\w{6,}"  # Hugging Face
    r"|\bsk-[\w-]{8,}"  # OpenAI and those like it
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}"  # AWS
    r"|\bgh[opsur]_\w{16,}"  # GitHub
    r"|\beyJ[\w-]{8,}\.[\w.-]+"  # JSON web tokens
    r"|\b(?i:bearer|basic)\s+[\w.~+/-]{8,}=*"
)
_NAMED = re.compile(
    r"(?i)\b([\w-]*(?:token|password|passwd|secret|api[_-]?key|signature|credential)s?[\"']?\s*[=:]\s*)\S+"
)
_USER = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(?<=\w)\?[^\s'\"]*=[^\s'\"]*")

_FAILURE = re.compile(
    r"(?:^|[\s(])((?:[A-Za-z_][\w.]*)?(?:Error|Exception|error|fatal|FATAL|panic)(?:\s*\[[^\]]*\])?: ?\S.*)$"
)
_ELSEWHERE = "See root cause above"
_PROMPT = re.compile(r"(?i)prompt|messages?[\"']|content[\"']|input_ids|token_ids")


def clean(text: str, *, longest: int = LONGEST) -> str:
    """Return a text on one line, without what looks like a secret, and cut where it is too long."""
    line = _CONTROL.sub(" ", _ANSI.sub("", text)).strip()
    line = _SECRETS.sub(_HIDDEN, _NAMED.sub(rf"\1{_HIDDEN}", line))
    line = _QUERY.sub("", _USER.sub("", line))
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def last_words(log: str) -> str:
    """Return what a program said of its own end: the last line of its log that names an error.

    No other line is repeated: engines log what they are asked. Of an error that is about a prompt only the kind is.
    """
    errors = [line for line in _errors(log) if _ELSEWHERE not in line]
    if not errors:
        return ""
    return clean(errors[-1].partition(":")[0] if _PROMPT.search(errors[-1]) else errors[-1])


def _errors(log: str) -> Iterator[str]:
    for line in _ANSI.sub("", log).splitlines():
        if found := _FAILURE.search(line):
            yield found[1]
