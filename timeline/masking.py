"""Masks what must not be kept: the values of token-like keys in the bytes of a notification.

Quarantine keeps messages that nobody could read, so nothing here parses: the bytes may be JSON, cut off, not UTF-8, or
no JSON at all. A key is recognised by its closing quote and colon, its value is jumped over, and the rest is left byte
for byte as it was, so that what was JSON still is.

An oslo envelope holds its message as JSON within a JSON string, where each quote is written ``\\"``, and a string
deeper ``\\\\\\"``. So a quote has a level, the number of strings that it is written within, and its backslashes tell
it. A value at one level ends at the latest where the string around it ends: at a quote of a lower level.
"""

from __future__ import annotations

import re

MASK = "***masked***"
"""What stands in the place of a masked value. Nothing real looks like it."""

MASKED_WITHIN = (
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "admin_pass",
    "api_key",
    "private_key",
    "credential",
    "authorization",
)
"""A key that has one of these anywhere in its name is token-like: ``_context_auth_token``, ``X-Subject-Token``."""

MASKED_ENDINGS = ("creds", "injected_files", "personality", "service_catalog", "user_data")
"""A key whose name ends in one of these is token-like: ``user_data``, ``_context_service_catalog``.

In both lists the case of letters does not matter, and ``_`` stands for ``_``, ``-`` or nothing: ``adminPass``.
"""


def _pattern(names: tuple[str, ...]) -> bytes:
    return "|".join(name.replace("_", "[_-]?") for name in names).encode()


_TOKEN_LIKE = re.compile(rb"(?i:%b|(?:%b)\Z)" % (_pattern(MASKED_WITHIN), _pattern(MASKED_ENDINGS)))
_ESCAPED_ASCII = re.compile(rb"\\++u00([0-7][0-9a-fA-F])")

# A run of backslashes is taken whole, also where no quote follows, so that none is read twice
_QUOTE = re.compile(rb"""["'\\](?:(?<=\\)\\*+(?:["']|u0022)?)?""")
_PIECE = re.compile(
    rb"(?P<quote>[\"']|\\++(?:[\"']|u0022))|(?P<opening>[\[{])|(?P<closing>[\]}])|(?P<comma>,)"
    rb"|(?P<space>\\++[nrt])|(?P<plain>\\++|[^\s\"'\\\[\]{},]++)"
)
# Within a string a line break is written \n
_SPACE = re.compile(rb"\s++|\\++[nrt]")
_PYTHON_KEY = re.compile(rb"'([^'\"\\]*+)'\s*+:")
_NOTHING = (b"null", b"None")


def mask(data: bytes) -> bytes:
    """The same bytes, in which the values of token-like keys are :data:`MASK`.

    A ``null`` stays, since it hides nothing and tells that nothing was there. A value without an end is masked up to
    the end of what it stands in. Keys in the notation of Python, ``'auth_token': 'abc'``, are masked alike, since error
    texts hold such. Masking twice is masking once.

    >>> mask(b'{"auth_token": "abc", "host": "node-1"}')
    b'{"auth_token": "***masked***", "host": "node-1"}'
    """
    masked = bytearray()
    copied = at = 0
    strings = _Strings()
    while quote := _QUOTE.search(data, at):
        at = quote.end()
        level = _level(quote[0])
        if level is not None:
            opened = strings.meet(level, at)
            colon = _after_space(data, at)
            if data[colon : colon + 1] != b":" or not _is_token_like(data[opened : quote.start()]):
                continue
            value, written = colon + 1, b"\\" * (2**level - 1) + b'"'
        else:
            key = _PYTHON_KEY.match(data, at - 1)
            if not key or not _is_token_like(key[1]):
                continue
            level, value, written = strings.depth(), key.end(), b"'"
        start = _after_space(data, value)
        at = _end_of_value(data, start, level)
        if start < at and data[start:at] not in _NOTHING:
            masked += data[copied:start] + written + MASK.encode() + written
            copied = at
        strings.leave(level)
    if not masked:
        return data
    masked += data[copied:]
    return bytes(masked)


class _Strings:
    """The last quote of each level: where the reading is, which strings may be open."""

    def __init__(self) -> None:
        self._quotes: list[tuple[int, bool]] = []  # by level: where it ended, and whether it opened a string

    def meet(self, level: int, at: int) -> int:
        """Note a quote that ends at ``at``; where the one before it ended, or ``at`` if none of its level did."""
        quotes = self._quotes
        del quotes[level + 1 :]
        if len(quotes) > level:
            before, opens = quotes[level]
            quotes[level] = (at, not opens)
            return before
        quotes += [(at, False)] * (level - len(quotes))
        quotes.append((at, True))
        return at

    def leave(self, level: int) -> None:
        """Forget the strings of this level and of those within."""
        del self._quotes[level:]

    def depth(self) -> int:
        """The level of what is written here."""
        return max((level for level, (_, opens) in enumerate(self._quotes, 1) if opens), default=0)


def _level(quote: bytes) -> int | None:
    """How many strings this double quote is written within, or nothing if it is no double quote.

    Reading a string halves its backslashes: an even number leaves a quote that ends this string, an odd one a quote
    that belongs to the text, with half of the others before it. So the level is the number of ones at the end of the
    binary number. The spelling ``\\u0022`` may itself be escaped any number of times, which doubles its backslashes.
    """
    if quote == b'"':
        return 0
    if quote.endswith(b'"'):
        backslashes = len(quote) - 1
        doublings = 0
    elif quote.endswith(b"u0022"):
        backslashes = len(quote) - 5
        doublings = (backslashes & -backslashes).bit_length() - 1
    else:
        return None
    backslashes >>= doublings
    return doublings + (backslashes ^ (backslashes + 1)).bit_length() - 1


def _is_token_like(key: bytes) -> bool:
    if b"\\" in key:  # any letter may be written as \u0074
        key = _ESCAPED_ASCII.sub(lambda escape: bytes.fromhex(escape[1].decode()), key)
    return _TOKEN_LIKE.search(key) is not None


def _after_space(data: bytes, at: int) -> int:
    # one by one, since an expression that repeats them keeps account of each
    while space := _SPACE.match(data, at):
        at = space.end()
    return at


def _end_of_value(data: bytes, start: int, level: int) -> int:
    """Where the value ends that starts here: before a comma or bracket, or where the string around it ends.

    In JSON only space can stand between a value and these. In what is not, whatever stands there belongs to the value:
    in ``"a"b", ...`` nobody knows which quote was meant.
    """
    at = end = start
    depth = 0
    while piece := _PIECE.search(data, at):
        kind = piece.lastgroup
        if kind == "quote":
            opening = _level(piece[0])
            if opening is not None and opening < level:
                return end
            at = end = _end_of_string(data, piece, level)
            continue
        if kind == "opening":
            depth += 1
        elif kind == "closing":
            depth -= 1
        if depth < 0 or (depth == 0 and kind == "comma"):
            return end
        at = piece.end()
        if kind != "space":
            end = at
    return end


def _end_of_string(data: bytes, opening: re.Match[bytes], level: int) -> int:
    """Where the string ends that this quote opens, at the latest where the string around it does."""
    deepest = _level(opening[0])
    at = opening.end()
    while quote := _QUOTE.search(data, at):
        at = quote.end()
        found = _level(quote[0])
        if found is not None and found < level:
            return quote.start()
        if deepest is not None and found is not None and found <= deepest:
            return at
        if deepest is None and quote[0].endswith(b"'") and not (len(quote[0]) - 1 >> level) & 1:
            return at
    return len(data)
