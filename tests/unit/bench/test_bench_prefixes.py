"""The cache of idle conversations."""

from chimera_bench.engine.prefixes import PrefixCache


def test_what_is_put_can_be_taken_once() -> None:
    """A conversation is held until one of its requests runs."""
    cache = PrefixCache()
    cache.put("a", 5)

    assert (cache.tokens, cache.take("a"), cache.take("a"), cache.tokens) == (5, 5, 0, 0)


def test_a_conversation_put_again_replaces_itself() -> None:
    """Its tokens are not counted twice."""
    cache = PrefixCache()
    cache.put("a", 5)
    cache.put("a", 7)

    assert cache.tokens == 7


def test_nobodys_conversation_is_not_held() -> None:
    """Requests without a conversation share nothing, so nothing of them is kept."""
    cache = PrefixCache()
    cache.put("", 5)

    assert cache.tokens == 0


def test_the_conversation_unused_for_longest_goes_first() -> None:
    """Shrinking forgets whole conversations, oldest first, until the rest fits."""
    cache = PrefixCache()
    for name in ("old", "middle", "new"):
        cache.put(name, 4)
    cache.put("old", 4)
    cache.shrink(9)

    assert (cache.take("middle"), cache.take("new"), cache.take("old")) == (0, 4, 4)


def test_a_cache_that_fits_is_left_alone() -> None:
    """Room that is enough costs nobody anything."""
    cache = PrefixCache()
    cache.put("a", 5)
    cache.shrink(5)

    assert cache.tokens == 5
