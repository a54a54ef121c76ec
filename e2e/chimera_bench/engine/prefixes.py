"""Conversations whose tokens an engine still holds, so that their next prompt needs no prefill."""

from collections import OrderedDict


class PrefixCache:
    """Least-recently-used conversations in the KV space that no running request holds.

    A conversation leaves the cache while one of its requests runs: its tokens are that request's then.
    """

    def __init__(self) -> None:
        self._tokens_of: OrderedDict[str, int] = OrderedDict()
        self._tokens = 0

    @property
    def tokens(self) -> int:
        """Tokens held, over all conversations."""
        return self._tokens

    def take(self, conversation: str) -> int:
        """Remove a conversation and return its tokens; 0 where it is not held."""
        tokens = self._tokens_of.pop(conversation, 0)
        self._tokens -= tokens
        return tokens

    def put(self, conversation: str, tokens: int) -> None:
        """Hold a conversation's tokens in place of what was held for it; the empty conversation is nobody's."""
        if not conversation:
            return
        self.take(conversation)
        self._tokens_of[conversation] = tokens
        self._tokens += tokens

    def shrink(self, limit: int) -> None:
        """Forget the conversations unused for longest until at most `limit` tokens are held."""
        while self._tokens > limit:
            _, tokens = self._tokens_of.popitem(last=False)
            self._tokens -= tokens
