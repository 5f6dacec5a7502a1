"""Texts to measure with."""

import random

_SYLLABLES = [a + b + c for a in "bdfgklmnpr" for b in "aeiou" for c in "stx"][:97]


def words(source: random.Random, count: int) -> str:
    """Words as frequent as in prose without its stop words: the commonest is in every fifth chunk (Zipf-Mandelbrot)."""
    ranks = [int(500 * (source.paretovariate(0.9) - 1)) for _ in range(count)]
    return " ".join(f"{_SYLLABLES[rank % 97]}{_SYLLABLES[rank // 97 % 97]}" for rank in ranks)
