"""Reasoning over an order: who finished where, and which day it is."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from chimera_training.probes.item import NAMES, Item, number
from chimera_training.probes.probe import Form

_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FRIDAY = 4


def ordering(rng: Random, level: int) -> Item:
    """Return a race of level + 2 runners: neighbours' order up to level 2, distances between places above."""
    order = rng.sample(NAMES, level + 2)
    pairs = [(place, place - 1) for place in range(1, len(order))]
    if level > 2:
        pairs = [(place, rng.randrange(place)) for place in range(1, len(order))]
    clues = [_clue(rng, order[ahead], order[behind], behind - ahead) for behind, ahead in pairs]
    rng.shuffle(clues)
    asked = rng.randrange(len(order))
    question = f"{len(order)} runners finish a race, no two together. {' '.join(clues)} Who came {_PLACES[asked]}?"
    return Item(question, order[asked], Form.TEXT)


def _clue(rng: Random, ahead: str, behind: str, distance: int) -> str:
    places = "place" if distance == 1 else "places"
    if rng.random() < 0.5:
        return f"{ahead} finished exactly {distance} {places} ahead of {behind}."
    return f"{behind} finished exactly {distance} {places} behind {ahead}."


def dates(rng: Random, level: int) -> Item:
    """Return days later, a span, a weekday, the n-th weekday of a month, then working days."""
    return _DATES[level - 1](rng)


def _day(rng: Random) -> date:
    return date(2001, 1, 1) + timedelta(days=rng.randrange(12_000))


def _later(rng: Random) -> Item:
    start, days = _day(rng), rng.randint(8, 45)
    question = f"Which date is {days} days after {start.isoformat()}? Write it as YYYY-MM-DD."
    return Item(question, (start + timedelta(days=days)).isoformat(), Form.TEXT)


def _span(rng: Random) -> Item:
    start, days = _day(rng), rng.randint(40, 700)
    end = start + timedelta(days=days)
    return number(f"How many days lie between {start.isoformat()} and {end.isoformat()}, the later day counted?", days)


def _weekday(rng: Random) -> Item:
    start, days = _day(rng), rng.randint(30, 400)
    end = start + timedelta(days=days)
    question = f"{start.isoformat()} is a {_DAYS[start.weekday()]}. Which day of the week is {end.isoformat()}?"
    return Item(question, _DAYS[end.weekday()], Form.TEXT)


def _nth(rng: Random) -> Item:
    first, weekday, which = _day(rng).replace(day=1), rng.randrange(7), rng.randrange(4)
    found = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * which)
    question = (
        f"{first.isoformat()} is a {_DAYS[first.weekday()]}. On which date is the {_PLACES[which]} {_DAYS[weekday]} of "
        f"that month? Write it as YYYY-MM-DD."
    )
    return Item(question, found.isoformat(), Form.TEXT)


def _working(rng: Random) -> Item:
    day, left = _day(rng), rng.randint(12, 45)
    question = (
        f"A task starts on {day.isoformat()}, a {_DAYS[day.weekday()]}, and is due {left} working days later (Monday "
        f"to Friday, no holidays, the start not counted). On which date is it due? Write it as YYYY-MM-DD."
    )
    while left:
        day += timedelta(days=1)
        left -= day.weekday() <= _FRIDAY
    return Item(question, day.isoformat(), Form.TEXT)


_DATES: tuple[Callable[[Random], Item], ...] = (_later, _span, _weekday, _nth, _working)
