"""Word errors: what a recogniser heard against what was said (package ``jiwer``)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from cleanaudio.errors import BackendUnavailable

_ALIKE = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "\u200b": " "})  # the last: a space that has no width
_WORD = re.compile(r"[^\W_]\S*")  # from the first letter or digit: a mark that stands on none is no word


@dataclass(frozen=True)
class WordErrors:
    """Errors of one transcript.

    Parameters
    ----------
    words : int
        In the reference.
    substitutions, deletions, insertions : int
    """

    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """All of them."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Word error rate: 0 …, above 1 where more was heard than said."""
        return self.errors / self.words


def plain(text: str) -> str:
    """Return the bare words: lower case, no punctuation but the apostrophe inside a word, one space between.

    Examples
    --------
    >>> plain("“Don’t—PLEASE!” said Mr. O'Hara, twenty-one.")
    "don't please said mr o'hara twenty one"
    """
    text = unicodedata.normalize("NFKC", text).translate(_ALIKE).lower()
    return " ".join(word.rstrip("'") for word in _WORD.findall("".join(map(_of_words, text))))


def _of_words(character: str) -> str:
    """Return a letter, mark, digit or apostrophe as it is, nothing for what only governs looks, a space for others."""
    category = unicodedata.category(character)
    if category == "Cf":  # a soft hyphen, or a joiner of zero width
        return ""
    return character if category[0] in "LMN" or character == "'" else " "


def word_errors(said: str, heard: str) -> WordErrors:
    """Compare two transcripts, punctuation and case left out.

    Parameters
    ----------
    said : str
        With at least one word.
    heard : str

    Raises
    ------
    BackendUnavailable
        The package ``jiwer`` is not installed.
    """
    try:
        import jiwer
    except ImportError as error:
        raise BackendUnavailable("the word error rate", "impact", str(error)) from None
    found = jiwer.process_words(plain(said), plain(heard))
    words = found.hits + found.substitutions + found.deletions
    return WordErrors(words, found.substitutions, found.deletions, found.insertions)
