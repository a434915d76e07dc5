"""Words of closed lists, each with what it means."""

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """One of a closed list of words, with its meaning. A word that is not on the list is a fault, and never read as another."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """A word with its meaning."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.meaning = meaning
        return made

    @classmethod
    def known(cls, word: str) -> Self:
        """The word of the list that is written so.

        Raises:
            ValueError: none is.
        """
        for each in cls:
            if each == word:
                return each
        raise ValueError(f"no {cls.__name__} is written so")
