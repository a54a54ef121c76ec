"""Alternatives in the toy cluster: falling back, coming back, and kinds of card that a pool no longer names."""

from operated import A100, H100, Operated, document, engine
from toy_cluster import ToyCluster

H, A = "nvidia-h100", "nvidia-a100-80gb"


def operated(*, h100: int = 0, a100: int = 0, replicas: int = 2, **fields: object) -> Operated:
    """Return a pool of one model on two nodes with so many cards."""
    cluster = ToyCluster(cards={"h": (h100, H100), "a": (a100, A100)})
    return Operated(cluster, document(engine("small", scaling={"replicas": replicas}, **fields)))


def test_replicas_begin_on_the_preferred_alternative() -> None:
    """Where both have cards, all go to the first."""
    pool = operated(h100=2, a100=2)

    pool.run(120)

    assert pool.places("small") == {H: 2}
    assert pool.condition("CapacityLimited") == ("False", "Sufficient")


def test_a_replica_that_waits_too_long_takes_the_next_alternative() -> None:
    """It waits waitSeconds, not less, so that a cluster autoscaler may bring a node; then it goes where cards are."""
    pool = operated(h100=1, a100=2)

    pool.run(290)
    assert pool.places("small") == {H: 2}
    assert pool.condition("CapacityLimited") == ("True", "Unschedulable")
    pool.run(120)

    assert pool.places("small") == {H: 1, A: 1}
    assert pool.condition("CapacityLimited") == ("True", "SecondChoice")
    assert "1 on nvidia-a100-80gb" in pool.message("CapacityLimited")
    assert pool.condition("Ready") == ("True", "Serving")


def test_the_wait_is_the_alternatives_own() -> None:
    """A waitSeconds of 0 takes the next alternative as soon as the scheduler has said no."""
    first = {"class": "nvidia-h100", "nodeSelector": H100, "waitSeconds": 0}
    pool = operated(a100=2, accelerators=[first, {"class": "nvidia-a100-80gb", "nodeSelector": A100}])

    pool.run(120)

    assert pool.places("small") == {A: 2}


def test_where_nobody_has_cards_replicas_wait_for_the_preferred_ones() -> None:
    """They are not chased from one full kind of node to the other."""
    pool = operated(h100=1, a100=0)

    pool.run(900)
    made = pool.cluster.made
    pool.run(900)

    assert pool.places("small") == {H: 2}
    assert pool.cluster.made == made


def test_four_cards_must_be_free_on_one_node() -> None:
    """Two nodes with two free cards each are no place for a replica that spreads over four."""
    cluster = ToyCluster(cards={"h1": (4, H100), "a1": (2, A100), "a2": (2, A100), "a3": (4, A100)})
    cluster.taken.update(h1=2, a3=1)
    pool = Operated(cluster, document(engine("large", parallelism={"tensor": 4}, scaling={"replicas": 1})))

    pool.run(400)
    assert pool.places("large") == {H: 1}
    assert "2 of 4 free on 1 node" in pool.message("CapacityLimited")

    cluster.taken["a3"] = 0
    pool.run(120)
    assert pool.places("large") == {A: 1}


def test_replicas_come_back_one_by_one_and_none_is_missed() -> None:
    """Cards that have been free for five minutes get a replica more first; only when it serves does another end."""
    pool = operated(h100=0, a100=3, replicas=3)
    pool.run(420)
    assert pool.places("small") == {A: 3}
    pool.least.clear()

    pool.cluster.cards["h"] = (3, H100)
    pool.run(290)
    assert pool.places("small") == {A: 3}
    most = 0
    for _ in range(60):
        pool.run(10)
        most = max(most, sum(pool.places("small").values()))

    assert pool.places("small") == {H: 3}
    assert pool.least["small"] == 3
    assert most == 4
    assert pool.condition("CapacityLimited") == ("False", "Sufficient")


def test_cards_that_are_free_for_a_moment_attract_nobody() -> None:
    """Where somebody takes them again within five minutes, the replica stays where it serves."""
    pool = operated(h100=1, a100=2)
    pool.run(420)
    made = pool.cluster.made

    for _ in range(6):
        pool.cluster.cards["h"] = (2, H100)
        pool.run(200)
        pool.cluster.cards["h"] = (1, H100)
        pool.run(20)

    assert pool.places("small") == {H: 1, A: 1}
    assert pool.cluster.made == made


def test_a_way_back_that_proves_blocked_is_given_up() -> None:
    """Cards look free and the scheduler says no: the replica more goes away again, and all serve meanwhile."""
    pool = operated(h100=0, a100=2)
    pool.run(420)
    pool.least.clear()
    pool.cluster.cards["h"] = (2, H100)
    pool.cluster.shunned.add("h")

    pool.run(320)
    assert pool.places("small") == {H: 1, A: 2}
    pool.run(310)
    assert pool.places("small") == {A: 2}
    assert pool.least["small"] == 2

    pool.cluster.shunned.clear()
    pool.run(900)
    assert pool.places("small") == {H: 2}


def test_a_forgotten_memory_only_begins_the_waiting_anew() -> None:
    """What an operator remembers may be lost between any two looks: nothing moves that would not have moved later."""
    pool = operated(h100=1, a100=2)
    pool.run(420)
    pool.cluster.cards["h"] = (2, H100)

    for _ in range(5):
        pool.run(250)
        pool.forget()
    assert pool.places("small") == {H: 1, A: 1}

    pool.run(600)
    assert pool.places("small") == {H: 2}


def test_growth_begins_on_the_preferred_alternative_again() -> None:
    """A replica more of a model that has fallen back tries the preferred cards first, in case there are some."""
    pool = operated(h100=1, a100=4)
    pool.run(420)
    assert pool.places("small") == {H: 1, A: 1}

    pool.edit("small", scaling={"replicas": 3})
    pool.run(60)
    assert pool.places("small") == {H: 2, A: 1}

    pool.run(400)
    assert pool.places("small") == {H: 1, A: 2}


def test_shrinking_ends_what_does_not_serve_then_the_second_choice() -> None:
    """Of a model on two kinds of card the less wanted one is given back."""
    pool = operated(h100=1, a100=2)
    pool.run(420)
    pool.least.clear()

    pool.edit("small", scaling={"replicas": 1})
    pool.run(60)

    assert pool.places("small") == {H: 1}
    assert pool.least["small"] == 1


def test_an_alternative_that_the_pool_no_longer_names_serves_until_another_does() -> None:
    """Replicas move to the new kind of card first one more, then one less, so none is missed."""
    pool = operated(h100=2, a100=3)
    pool.run(120)
    pool.least.clear()

    pool.edit("small", accelerators=[{"class": "nvidia-a100-80gb", "nodeSelector": A100}])
    pool.run(600)

    assert pool.places("small") == {A: 2}
    assert pool.least["small"] == 2
    assert [each["metadata"]["name"] for each in pool.cluster.deployments() if H in each["metadata"]["name"]] == []


def test_a_renamed_alternative_gets_its_cards_from_the_old_one() -> None:
    """Without a spare card an old replica leaves its own to the new one, as many at a time as may be missing."""
    pool = operated(h100=2)
    pool.run(120)
    pool.least.clear()

    pool.edit("small", accelerators=[{"class": "nvidia-h100", "name": "fast", "nodeSelector": H100}])
    pool.run(900)

    assert pool.places("small") == {"fast": 2}
    assert pool.least["small"] == 1


def test_a_renamed_alternative_waits_where_nothing_may_be_missing() -> None:
    """With maxUnavailable 0 the old replicas serve on, and the condition says what is missing."""
    pool = operated(h100=2, rollout={"maxUnavailable": 0})
    pool.run(120)
    pool.least.clear()

    pool.edit("small", accelerators=[{"class": "nvidia-h100", "name": "fast", "nodeSelector": H100}])
    pool.run(900)
    assert pool.least["small"] == 2
    assert pool.condition("CapacityLimited") == ("True", "Unschedulable")

    pool.cluster.cards["h"] = (3, H100)
    pool.run(600)
    assert pool.places("small") == {"fast": 2}
    assert pool.least["small"] == 2


def test_cards_that_help_nobody_are_not_given_up() -> None:
    """Where the new kind of card would not come free by it, no old replica ends."""
    pool = operated(h100=2)
    pool.run(120)
    pool.least.clear()

    pool.edit("small", accelerators=[{"class": "nvidia-a100-80gb", "nodeSelector": A100}])
    pool.run(900)

    assert pool.least["small"] == 2


def test_an_alternative_too_small_for_sure_is_left_out() -> None:
    """Weights of 60 GB do not go to cards of 24 GB, however free those are."""
    cluster = ToyCluster(cards={"l": (8, {"gpu": "l4"}), "h": (1, H100)})
    small, large = {"class": "nvidia-l4", "nodeSelector": {"gpu": "l4"}}, {"class": "nvidia-h100", "nodeSelector": H100}
    model = engine("m", accelerators=[small, large], descriptor={"weightsGb": 60, "parametersB": 30})
    pool = Operated(cluster, document({**model, "coefficients": COEFFICIENTS, "engine": {"kvTokens": 100_000}}))

    pool.run(120)

    assert pool.places("m") == {H: 1}
    assert pool.condition("Accepted") == ("True", "MayNotFit")
    assert "nvidia-l4" in pool.message("Accepted")


COEFFICIENTS = {"baseStepMs": 8.0, "stepPerSequenceUs": 30.0, "prefillUsPerToken": 20.0}


def test_a_lost_node_is_made_up_elsewhere() -> None:
    """Replicas of a node that is gone are replaced on what is left, and the state before comes back with the node."""
    cluster = ToyCluster(cards={"h1": (1, H100), "h2": (1, H100), "a": (2, A100)})
    pool = Operated(cluster, document(engine("small", scaling={"replicas": 2})))
    pool.run(120)

    cluster.lost.add("h2")
    pool.run(500)
    assert pool.places("small") == {H: 1, A: 1}
    assert pool.condition("Ready") == ("True", "Serving")

    cluster.lost.clear()
    pool.run(900)
    assert pool.places("small") == {H: 2}
    assert pool.condition("CapacityLimited") == ("False", "Sufficient")
