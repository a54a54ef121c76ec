"""Multiple choice: calculations from physics, chemistry and finance, one right among ten options."""

import math
from collections.abc import Callable
from random import Random

from chimera_training.probes.item import Item
from chimera_training.probes.probe import Form

_LETTERS = "ABCDEFGHIJ"

# What the right value is multiplied by to get wrong ones: slips of a factor, a power of ten, a square, a sign's side.
_SLIPS = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.1, 1.25, 1.4, 2.0, 4.0, 10.0)

Problem = tuple[str, float, str]


def choice(rng: Random, level: int) -> Item:
    """Return a question whose value stands among nine that slips would give."""
    text, value, unit = rng.choice(_PROBLEMS[level - 1])(rng)
    right = _written(value)
    wrong = list(dict.fromkeys(_written(value * slip) for slip in _SLIPS))
    options = [right, *rng.sample([each for each in wrong if each != right], len(_LETTERS) - 1)]
    rng.shuffle(options)
    lines = [f"{letter}. {option} {unit}".rstrip() for letter, option in zip(_LETTERS, options, strict=True)]
    return Item("\n".join([text, *lines]), _LETTERS[options.index(right)], Form.LETTER)


def _written(value: float) -> str:
    return f"{float(f'{value:.4g}'):,g}"


def _ohm(rng: Random) -> Problem:
    volts, ohms = rng.randint(5, 240), rng.randint(2, 90)
    return f"A voltage of {volts} V lies across a resistor of {ohms} ohms. What current flows?", volts / ohms, "A"


def _density(rng: Random) -> Problem:
    mass, volume = rng.randint(120, 2900), rng.randint(15, 400)
    return (
        f"A body of {mass} g has a volume of {volume} cubic centimetres. What is its density?",
        mass / volume,
        "g/cm³",
    )


def _kinetic(rng: Random) -> Problem:
    mass, speed = rng.randint(2, 90), rng.randint(3, 40)
    return f"A body of {mass} kg moves at {speed} m/s. What is its kinetic energy?", mass * speed**2 / 2, "J"


def _fall(rng: Random) -> Problem:
    height = rng.randint(5, 300)
    text = f"A stone falls from rest through {height} m, without drag (g = 9.81 m/s²). How fast is it at the end?"
    return text, math.sqrt(2 * 9.81 * height), "m/s"


def _decay(rng: Random) -> Problem:
    life, days, mass = rng.randint(3, 30), rng.randint(10, 90), rng.randint(20, 900)
    text = f"A sample of {mass} mg of an isotope has a half-life of {life} days. How much is left after {days} days?"
    return text, mass * 0.5 ** (days / life), "mg"


def _gas(rng: Random) -> Problem:
    moles, kelvin, litres = rng.randint(1, 12), rng.randint(250, 450), rng.randint(5, 80)
    text = (
        f"{moles} mol of an ideal gas at {kelvin} K fill {litres} litres (R = 8.314 J/(mol K)). What is the pressure?"
    )
    return text, moles * 8.314 * kelvin / litres, "kPa"


def _parallel(rng: Random) -> Problem:
    first, second, third = rng.randint(4, 60), rng.randint(4, 60), rng.randint(4, 60)
    text = (
        f"Resistors of {first} and {second} ohms in parallel are in series with one of {third} ohms. What is the total?"
    )
    return text, third + first * second / (first + second), "ohms"


def _lens(rng: Random) -> Problem:
    focal = rng.randint(5, 30)
    distance = focal + rng.randint(3, 60)
    text = (
        f"An object stands {distance} cm before a thin converging lens of focal length {focal} cm. How far behind the "
        f"lens is its image?"
    )
    return text, focal * distance / (distance - focal), "cm"


def _loan(rng: Random) -> Problem:
    principal, rate, years = rng.randint(20, 400) * 1000, rng.randint(2, 9), rng.randint(5, 30)
    monthly = rate / 1200
    text = (
        f"A loan of {principal} euros at {rate} % a year, compounded monthly, is paid back over {years} years in "
        f"equal monthly instalments. How much is an instalment?"
    )
    return text, principal * monthly / (1 - (1 + monthly) ** (-12 * years)), "euros"


def _binomial(rng: Random) -> Problem:
    trials, least, percent = rng.randint(6, 12), rng.randint(2, 4), rng.randint(15, 60)
    chance = percent / 100
    fewer = sum(math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(least))
    text = (
        f"Each of {trials} independent parts fails with probability {chance}. What is the probability, in percent, "
        f"that at least {least} fail?"
    )
    return text, 100 * (1 - fewer), "%"


_PROBLEMS: tuple[tuple[Callable[[Random], Problem], ...], ...] = (
    (_ohm, _density),
    (_kinetic, _fall),
    (_decay, _gas),
    (_parallel, _lens),
    (_loan, _binomial),
)
