"""Calculation: stories of several steps, conversions between units, small algebra and counting."""

import math
from collections.abc import Callable
from decimal import Decimal
from random import Random

from chimera_training.probes.item import NAMES, Item, number, rounded

_THINGS = ("marbles", "stickers", "shells", "stamps", "beads", "coins", "cards", "pencils")

Step = Callable[[Random, int, int], tuple[str, int]]


def word_problem(rng: Random, level: int) -> Item:
    """Return a story of level + 1 steps, each of which changes a count."""
    name, things, scale = rng.choice(NAMES), rng.choice(_THINGS), 10 * level
    count = rng.randint(scale, 4 * scale)
    sentences = [f"{name} has {count} {things}."]
    for _ in range(level + 1):
        sentence, count = rng.choice(_STEPS)(rng, count, scale)
        sentences.append(sentence.format(name=name, things=things))
    return number(" ".join([*sentences, f"How many {things} does {name} have in the end?"]), count)


def _buys(rng: Random, count: int, scale: int) -> tuple[str, int]:
    more = rng.randint(2, scale)
    return f"{{name}} buys {more} more.", count + more


def _gives(rng: Random, count: int, _scale: int) -> tuple[str, int]:
    fewer = rng.randint(2, max(2, count // 2))
    return f"{{name}} gives {fewer} {{things}} to a friend.", count - fewer


def _unpacks(rng: Random, count: int, scale: int) -> tuple[str, int]:
    boxes, each = rng.randint(2, 9), rng.randint(3, scale)
    return f"Then {boxes} boxes with {each} {{things}} each arrive.", count + boxes * each


def _multiplies(rng: Random, count: int, _scale: int) -> tuple[str, int]:
    word, factor = rng.choice((("doubles", 2), ("triples", 3)))
    return f"An aunt {word} what {{name}} has.", count * factor


def _shares(rng: Random, count: int, _scale: int) -> tuple[str, int]:
    people = rng.randint(3, 7)
    sentence = (
        f"{{name}} shares the {{things}} out among {people} people, {{name}} being one of them; all get the same "
        f"number, as many as possible, and the rest goes to a neighbour."
    )
    return sentence, count // people


_STEPS: tuple[Step, ...] = (_buys, _gives, _unpacks, _multiplies, _shares)


def conversion(rng: Random, level: int) -> Item:
    """Return a conversion: metric, times, imperial, speeds, then a flow through several units."""
    return _CONVERSIONS[level - 1](rng)


def _metric(rng: Random) -> Item:
    large, small, factor = rng.choice(
        (
            ("kilometres", "metres", 1000),
            ("kilograms", "grams", 1000),
            ("litres", "millilitres", 1000),
            ("metres", "millimetres", 1000),
            ("hectares", "square metres", 10000),
        )
    )
    amount = Decimal(rng.randint(11, 999)) / 10
    return number(f"How many {small} are {amount} {large}?", int(amount * factor))


def _time(rng: Random) -> Item:
    days, hours, minutes = rng.randint(1, 6), rng.randint(1, 23), rng.randint(1, 59)
    seconds = ((days * 24 + hours) * 60 + minutes) * 60
    return number(f"How many seconds are {days} days, {hours} hours and {minutes} minutes?", seconds)


def _imperial(rng: Random) -> Item:
    unit, to, factor = rng.choice(
        (
            ("inches", "centimetres", Decimal("2.54")),
            ("feet", "metres", Decimal("0.3048")),
            ("miles", "kilometres", Decimal("1.609344")),
            ("pounds", "kilograms", Decimal("0.45359237")),
        )
    )
    amount = rng.randint(12, 480)
    return rounded(f"Convert {amount} {unit} to {to}; one of the {unit} is exactly {factor} {to}.", amount * factor)


def _speed(rng: Random) -> Item:
    speed, minutes = rng.randint(20, 140), rng.randint(5, 55)
    metres = Decimal(speed) * Decimal("1609.344") * minutes / 60
    return rounded(
        f"A train runs at {speed} miles per hour. One mile is 1609.344 metres. How many metres does it go in "
        f"{minutes} minutes?",
        metres,
    )


def _flow(rng: Random) -> Item:
    rate, feet, minutes = rng.randint(3, 25), rng.randint(2, 9), rng.randint(2, 30)
    litres = Decimal(feet**3) * Decimal("28.316846592") + Decimal(rate) * Decimal("3.785411784") * minutes
    return rounded(
        f"A cubic tank with edges of {feet} feet is full, and {rate} gallons a minute have flowed into a second tank, "
        f"empty before, for {minutes} minutes. A cubic foot is 28.316846592 litres, a gallon 3.785411784 litres. How "
        f"many litres do the two tanks hold together?",
        litres,
    )


_CONVERSIONS = (_metric, _time, _imperial, _speed, _flow)


def algebra(rng: Random, level: int) -> Item:
    """Return an equation, a system, a remainder, a common multiple, then a count by inclusion and exclusion."""
    return _ALGEBRA[level - 1](rng)


def _equation(rng: Random) -> Item:
    a, x, b = rng.randint(3, 19), rng.randint(-20, 40), rng.randint(5, 99)
    return number(f"Solve for x: {a}x + {b} = {a * x + b}.", x)


def _system(rng: Random) -> Item:
    x, y, a, b = rng.randint(2, 30), rng.randint(2, 30), rng.randint(2, 9), rng.randint(2, 9)
    return number(f"x + y = {x + y} and {a}x - {b}y = {a * x - b * y}. What is the value of x?", x)


def _remainder(rng: Random) -> Item:
    base, power, modulus = rng.randint(3, 19), rng.randint(11, 60), rng.randint(7, 41)
    return number(f"What is the remainder of {base}^{power} divided by {modulus}?", pow(base, power, modulus))


def _multiple(rng: Random) -> Item:
    a, b, c = (rng.randint(12, 90) for _ in range(3))
    least = math.lcm(a, b, c)
    return number(
        f"What is the least common multiple of {a}, {b} and {c}, divided by their greatest common divisor?",
        least // math.gcd(a, b, c),
    )


def _count(rng: Random) -> Item:
    a, b, c = rng.sample((2, 3, 5, 7, 11, 13), 3)
    limit = rng.randint(300, 3000)
    count = sum((n % a == 0 or n % b == 0) and n % c != 0 for n in range(1, limit + 1))
    return number(
        f"How many integers from 1 to {limit} are divisible by {a} or by {b} (or by both), but not by {c}?", count
    )


_ALGEBRA = (_equation, _system, _remainder, _multiple, _count)
