"""The usual spellings of times, many texts at once: ``2026-03-01T12:00:00``, a space for the ``T``, a fraction, a zone.

What :func:`read` reads is what :func:`timeline.clock.parse` makes of it. What it leaves (rarer spellings, second 60,
what is no time) is for that function to judge.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from timeline import clock
from timeline.replay.join.columns import Flags, Instants, Rows

_BLOCK = 1 << 14
"""Texts that are read at once: their characters lie in the cache of a core."""

_SECONDS = len("2026-03-01T12:00:00")
_ZONES = (0, len("Z"), len("+00"), len("+0000"), len("+00:00"))
_LONGEST = _SECONDS + len(".") + 9 + _ZONES[-1]

Characters = npt.NDArray[np.uint8]


def read(text: Characters, bounds: Rows) -> tuple[Instants, Flags]:
    """The instants of texts that lie one after the other, and which of them were read.

    ``text`` holds their bytes, ``bounds`` where each begins and, one more, where the last ends. Microseconds, floored.
    """
    count = len(bounds) - 1
    instants, known = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for begin in range(0, count, _BLOCK):
        block = slice(begin, min(begin + _BLOCK, count))
        starts, lengths = bounds[block], np.diff(bounds[begin : block.stop + 1])
        for length in np.flatnonzero(np.bincount(np.minimum(lengths, _LONGEST + 1))).tolist():
            if not _SECONDS <= length <= _LONGEST:
                continue
            rows = np.flatnonzero(lengths == length)
            if len(rows) == len(starts):
                characters = text[starts[0] : starts[0] + len(starts) * length].reshape(-1, length)
            else:
                characters = np.lib.stride_tricks.sliding_window_view(text, length)[starts[rows]]
            instants[begin + rows], known[begin + rows] = _of_length(np.ascontiguousarray(characters.T))
    return instants, known


def _of_length(characters: Characters) -> tuple[Instants, Flags]:
    """The instants of texts of one length; ``characters[i]`` holds the i-th of each."""
    length = len(characters)
    digits = characters - np.uint8(ord("0"))  # what is no digit is more than 9
    known: Flags = (characters[10] == ord("T")) | (characters[10] == ord(" "))
    for place, mark in ((4, "-"), (7, "-"), (13, ":"), (16, ":")):
        known &= characters[place] == ord(mark)
    for place in (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18):
        known &= digits[place] <= 9
    month, day = _two(digits, 5), _two(digits, 8)
    hour, minute, second = _two(digits, 11), _two(digits, 14), _two(digits, 17)
    known &= (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59)
    first_days = _first_days()
    number = (_two(digits, 0) * 100 + _two(digits, 2) - 1) * 12 + month - 1
    known &= number >= 0  # there is no year 0
    number = np.where(known, number, 0)
    first_day = first_days[number]
    known &= (day >= 1) & (day <= first_days[number + 1] - first_day)
    seconds = (first_day + day - 1).astype(np.int64) * 86_400 + ((hour * 60 + minute) * 60 + second)
    instants = seconds * clock.SECOND
    ends = np.zeros_like(known)
    for width in _ZONES:
        if length - width == _SECONDS or length - width > _SECONDS + len("."):
            fits, later = _remainder(characters, digits, length - width)
            ends |= fits
            instants += np.where(fits, later, 0)
    known &= ends & (instants >= clock.MIN) & (instants <= clock.MAX)
    return instants, known


def _remainder(characters: Characters, digits: Characters, zone: int) -> tuple[Flags, Instants]:
    """Which texts have a fraction up to ``zone`` and a zone from there on, and the microseconds that both add."""
    fits = np.ones(characters.shape[1], np.bool_)
    later = np.zeros(characters.shape[1], np.int64)
    if zone > _SECONDS:
        fits &= characters[_SECONDS] == ord(".")
        for place in range(_SECONDS + 1, zone):
            fits &= digits[place] <= 9
            later += digits[place].astype(np.int64) * (10 ** (_SECONDS + 6 - place) if place <= _SECONDS + 6 else 0)
    width = len(characters) - zone
    if width == 1:
        fits &= characters[zone] == ord("Z")
    elif width:
        places = [zone + 1, zone + 2, *([len(characters) - 2, len(characters) - 1] if width > 3 else [])]
        for place in places:
            fits &= digits[place] <= 9
        if width == len("+00:00"):
            fits &= characters[zone + 3] == ord(":")
        east, west = characters[zone] == ord("+"), characters[zone] == ord("-")
        hours = _two(digits, zone + 1)
        minutes = _two(digits, len(characters) - 2) if width > 3 else np.int32(0)
        fits &= (east | west) & (hours <= 23) & (minutes <= 59)
        offset = (hours * 60 + minutes).astype(np.int64) * (60 * clock.SECOND)
        later += np.where(west, offset, -offset)
    return fits, later


def _two(digits: Characters, place: int) -> npt.NDArray[np.int32]:
    number: npt.NDArray[np.int32] = digits[place].astype(np.int32) * np.int32(10) + digits[place + 1]
    return number


@cache
def _first_days() -> npt.NDArray[np.int32]:
    """The days from 1970 to the first of each month, of the years 1 to 9999 and the month after."""
    months = np.arange("0001-01", "10000-02", dtype="datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64).astype(np.int32)
