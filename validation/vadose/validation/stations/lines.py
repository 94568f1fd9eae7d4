"""Text files of many short lines as columns: where the words stand, and numbers, times and flags of a column at once.

Lines end at any run of CR and LF, words at blanks and tabs. Nothing is decoded but the words that are asked for.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from vadose.common import InputError

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

# More significant digits than these need the slow way to be rounded correctly.
_EXACT_DIGITS = 15
_POWERS = 10.0 ** np.arange(23)


@dataclass(frozen=True)
class Lines:
    """Lines of a buffer, blank ones left out.

    Attributes
    ----------
    raw
        The bytes.
    starts, ends
        Position of each word of each line, (line, word); meaningless beyond `words`.
    words
        Number of words in each line, counted up to the width of `starts`.
    """

    raw: Bytes
    starts: Integers
    ends: Integers
    words: Integers

    def __len__(self) -> int:
        """Number of lines."""
        return int(self.words.size)

    def text(self, line: int, word: int) -> str:
        """One word, UTF-8 or else Latin-1."""
        return decoded(self.raw[self.starts[line, word] : self.ends[line, word]].tobytes())[0]

    def rest(self, line: int, word: int) -> str:
        """All of a line from a word on, up to the line's end."""
        start = int(self.starts[line, word])
        tail = self.raw[start:]
        ends = np.flatnonzero((tail[:4096] == 10) | (tail[:4096] == 13))
        return decoded(tail[: int(ends[0]) if ends.size else tail.size].tobytes())[0].rstrip()

    def numbers(self, word: int) -> tuple[Floats, Booleans]:
        """Values of a column, and where it is a number; (line,) both."""
        values, state = _numbers(self.raw, self.starts, self.ends, self.words, word, _POWERS)
        for line in np.flatnonzero(state == 2):
            try:
                values[line] = float(self.text(int(line), word))
                state[line] = 1
            except ValueError:
                state[line] = 0
        return values, state == 1

    def minutes(self, word: int) -> tuple[Integers, Booleans]:
        """Minutes since 1970 of a date column `yyyy/mm/dd` followed by a time column `HH:MM`, and where they are."""
        values: Integers
        values, good = _minutes(self.raw, self.starts, self.ends, self.words, word)
        return values, good

    def codes(self, word: int) -> tuple[list[str], Integers]:
        """The distinct words of a column, and for each line which of them, -1 where it has none."""
        hashes = _hashes(self.raw, self.starts, self.ends, self.words, word)
        _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        there = self.words > word
        texts = [self.text(int(line), word) if there[line] else "" for line in first]
        return texts, np.where(there, inverse, -1)


def split_lines(raw: bytes, width: int) -> Lines:
    """Find the first `width` words of every line that is not blank."""
    buffer = np.frombuffer(raw, np.uint8)
    return Lines(buffer, *_words(buffer, width))


def decoded(raw: bytes) -> tuple[str, str]:
    """Text and its encoding: UTF-8, and Latin-1 where that fails."""
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "Latin-1"


def cells(text: str, separator: str, where: str) -> list[list[str]]:
    """Rows of a table of separated values; quoted fields may hold line breaks.

    Raises
    ------
    InputError
        If a quote is never closed, so that the rest of the file is one field.
    """
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator != " "))
    except csv.Error as error:
        raise InputError(
            f"no table of separated values: {error}", where=where, why="a quote is never closed"
        ) from error


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _words(raw: Bytes, width: int) -> tuple[Integers, Integers, Integers]:
    lines, inside = 0, False
    for byte in raw:
        if byte == 10 or byte == 13:
            inside = False
        elif byte != 32 and byte != 9 and not inside:
            inside = True
            lines += 1
    starts = np.zeros((lines, width), np.int64)
    ends = np.zeros((lines, width), np.int64)
    words = np.zeros(lines, np.int64)
    line, word, in_word, begun = 0, 0, False, False
    for position in range(raw.size):
        byte = raw[position]
        breaks = byte == 10 or byte == 13
        if breaks or byte == 32 or byte == 9:
            if in_word and word <= width:
                ends[line, word - 1] = position
            in_word = False
            if breaks and begun:
                words[line] = min(word, width)
                line += 1
                word, begun = 0, False
        elif not in_word:
            in_word, begun = True, True
            word += 1
            if word <= width:
                starts[line, word - 1] = position
    if begun:
        if in_word and word <= width:
            ends[line, word - 1] = raw.size
        words[line] = min(word, width)
    return starts, ends, words


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _numbers(
    raw: Bytes, starts: Integers, ends: Integers, words: Integers, word: int, powers: Floats
) -> tuple[Floats, npt.NDArray[np.int8]]:
    """Values, and 0 for no number, 1 for an exact one, 2 for one that has to be read the slow way."""
    values = np.full(words.size, np.nan)
    state = np.zeros(words.size, np.int8)
    for line in range(words.size):
        if words[line] <= word:
            continue
        position, end = starts[line, word], ends[line, word]
        negative = raw[position] == 45
        if negative or raw[position] == 43:
            position += 1
        mantissa, digits, decimals, point = 0, 0, 0, False
        plain = position < end
        while position < end and plain:
            byte = raw[position]
            if 48 <= byte <= 57:
                if digits or byte != 48:
                    digits += 1
                if digits <= _EXACT_DIGITS:
                    mantissa = mantissa * 10 + (byte - 48)
                decimals += point
            elif byte == 46 and not point:
                point = True
            else:
                plain = False
            position += 1
        if not plain or digits > _EXACT_DIGITS or decimals > 22 or end - starts[line, word] - point - negative < 1:
            state[line] = 2
            continue
        values[line] = (-1.0 if negative else 1.0) * (mantissa / powers[decimals])
        state[line] = 1
    return values, state


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _digits(raw: Bytes, start: int, count: int) -> int:
    """A number of exactly `count` digits; -1 if there are others than digits."""
    value = 0
    for position in range(start, start + count):
        if raw[position] < 48 or raw[position] > 57:
            return -1
        value = value * 10 + (raw[position] - 48)
    return value


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _minutes(raw: Bytes, starts: Integers, ends: Integers, words: Integers, word: int) -> tuple[Integers, Booleans]:
    values = np.zeros(words.size, np.int64)
    good = np.zeros(words.size, np.bool_)
    for line in range(words.size):
        if words[line] <= word + 1:
            continue
        a, b = starts[line, word], starts[line, word + 1]
        length, clock = ends[line, word] - a, ends[line, word + 1] - b
        if length != 10 or (clock != 5 and clock != 8) or raw[b + 2] != 58 or raw[a + 4] != raw[a + 7]:
            continue
        if raw[a + 4] != 47 and raw[a + 4] != 45:
            continue
        year, month, day = _digits(raw, a, 4), _digits(raw, a + 5, 2), _digits(raw, a + 8, 2)
        hour, minute = _digits(raw, b, 2), _digits(raw, b + 3, 2)
        if year < 1 or month < 1 or month > 12 or day < 1 or hour < 0 or hour > 23 or minute < 0 or minute > 59:
            continue
        leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        longest = 30 if month in (4, 6, 9, 11) else 31
        if month == 2:
            longest = 29 if leap else 28
        if day > longest:
            continue
        # Days since 1970 of the proleptic Gregorian calendar, years counted from March.
        y = year - (1 if month <= 2 else 0)
        shifted = (month + 9) % 12
        days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * shifted + 2) // 5 + day - 1 - 719468
        values[line] = days * 1440 + hour * 60 + minute
        good[line] = True
    return values, good


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hashes(raw: Bytes, starts: Integers, ends: Integers, words: Integers, word: int) -> npt.NDArray[np.uint64]:
    """FNV-1a of 64 bits of a column's words; 0 where a line has no such word."""
    out = np.zeros(words.size, np.uint64)
    for line in range(words.size):
        if words[line] <= word:
            continue
        value = np.uint64(14695981039346656037)
        for position in range(starts[line, word], ends[line, word]):
            value = (value ^ np.uint64(raw[position])) * np.uint64(1099511628211)
        out[line] = value
    return out
