"""Cuts a stream of bytes into messages: where one ends and the next begins, and nothing of what they say.

The layout is told from the content: a message on each line; an array of messages; or messages over many lines, as a
pretty-printer writes them. Every byte but the space and commas between messages is part of one, so that what is broken
is refused and counted by whoever reads it, and what stands around it is not lost with it.

It is read chunk by chunk: a message of any length costs no more memory than the longest that is allowed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from timeline.model import Message, limits

CHUNK = 256 * 1024
"""The bytes that are read at once; more makes nothing faster. Two of these are less than the limit of a message, so
that only one that reaches over the end of a chunk can be longer than that."""

_BOM = b"\xef\xbb\xbf"

# A string ends at a line break, too: JSON has none within, so its closing quote was lost
_IN_STRING = rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*'
_END_OF_STRING = rb'"|\\?\n'
_REST_OF_STRING = re.compile(rb"%b(%b)?" % (_IN_STRING, _END_OF_STRING))


def _jump(stops: bytes) -> re.Pattern[bytes]:
    """To the next of these bytes that stands in no string."""
    plain = rb'[^"%b]*+' % stops
    return re.compile(rb'%b(?:"%b(?:%b)%b)*([%b])?' % (plain, _IN_STRING, _END_OF_STRING, plain, stops))


# An object or list ends with its own kind of bracket: one of the other kind that is lost or too many does not matter
_JUMPS = {b"{": _jump(rb"{}"), b"[": _jump(rb"\[\]")}
_BARE_JUMP = _jump(rb",\[\]{\n")

_SEPARATORS = re.compile(rb"[\s,]*+")


class Stream:
    """The chunks of one source: what was looked at and not yet taken, and the line where the reading is.

    The chunks may end in an OSError or EOFError: what came before it is read first.
    """

    def __init__(self, chunks: Iterator[bytes], name: str) -> None:
        self.name = name
        self.line = 1
        self.head = b""
        self._chunks = chunks
        self._broken: OSError | EOFError | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next chunk of what is left."""
        if self.head:
            head, self.head = self.head, b""
            return head
        self.raise_broken()
        return next(self._chunks)

    def raise_broken(self) -> None:
        """Raise what a look ahead met."""
        if self._broken is not None:
            raise self._broken

    def look_further(self) -> bool:
        """Have more of the stream in ``head``; not if it ends, or a whole chunk of it was seen."""
        if self._broken is not None or len(self.head) >= CHUNK:
            return False
        try:
            more = next(self._chunks, b"")
        except (OSError, EOFError) as error:
            self._broken = error
            return False
        self.head += more
        return bool(more)

    def skip_space(self) -> None:
        """Go on to the next byte that is no space."""
        while True:
            rest = self.head.lstrip()
            self.line += self.head.count(b"\n", 0, len(self.head) - len(rest))
            self.head = rest
            if rest or not self.look_further():
                return


def messages(stream: Stream) -> Iterator[Message]:
    """The messages of a stream, in order.

    The OSError or EOFError of a stream that cannot be read to its end comes after all messages that were complete
    before. Then ``stream.line`` is the line where it broke off.
    """
    while len(stream.head) < len(_BOM) and stream.look_further():
        pass
    stream.head = stream.head.removeprefix(_BOM)
    stream.skip_space()
    while stream.head:
        if stream.head.startswith(b"["):
            margin = _margin_of_array(stream)
            stream.head = stream.head[1:]
            yield from _elements(stream, margin, in_array=True)
        elif stream.head.startswith(b"{") and (second := _second_line(stream)):
            yield from _elements(stream, b"" if second[:-1] else None, in_array=False)
        else:
            yield from _lines(stream)
        stream.skip_space()
    stream.raise_broken()


def _second_line(stream: Stream) -> bytes | None:
    """The second line of an object that is written over several, up to its first byte that is no space.

    There is one if the first line leaves the object open and the next could not stand alone. Otherwise the first line
    is a message that was cut off, as any may be in a file of lines.
    """
    end = _end_of_line(stream, 0)
    # this first, since who writes lines into a pipe may wait for us before the next
    if end is None or _is_whole(stream.head[:end]):
        return None
    second = _next_line(stream, end)
    return second if second and (second[:-1] or second in b'"}],') else None


def _margin_of_array(stream: Stream) -> bytes | None:
    """The indentation of the elements, if a line that begins with it and a brace can only be the start of an element.

    It is if the elements are lines, or are written over several lines and indented within. Then an element whose end
    was lost ends there, and does not take the others with it.
    """
    first = _next_line(stream, 1)
    if first is None or not first.endswith(b"{"):
        return None
    start = stream.head.index(b"{")
    end = _end_of_line(stream, start)
    second = _next_line(stream, end) if end else None
    if second is None:
        return None
    line = stream.head[start:end]
    # an empty object has no other layout and tells nothing
    return first[:-1] if len(second) > len(first) or (_is_whole(line) and not line.startswith(b"{}")) else None


def _end_of_line(stream: Stream, at: int) -> int | None:
    while (end := stream.head.find(b"\n", at)) < 0:
        if not stream.look_further():
            return None
    return end


def _next_line(stream: Stream, at: int) -> bytes | None:
    """The next line up to its first byte that is no space, if there is nothing but space before it."""
    while not (rest := stream.head[at:].lstrip()):
        if not stream.look_further():
            return None
    _, line_break, space = stream.head[at : len(stream.head) - len(rest)].rpartition(b"\n")
    return space + rest[:1] if line_break else None


def _is_whole(line: bytes) -> bool:
    """Whether the object that begins here ends on the same line."""
    return _Element(b"{", None).end(line, 1) is not None


def _matched(pattern: re.Pattern[bytes], chunk: bytes, at: int) -> re.Match[bytes]:
    found = pattern.match(chunk, at)
    assert found is not None  # these patterns match nothing, too
    return found


def _lines(stream: Stream) -> Iterator[Message]:
    """Each line a message, to the end of the stream."""
    name = stream.name
    held = _Held()
    for chunk in stream:
        first, *others = chunk.split(b"\n")
        held.add(first)
        if not others:
            continue
        ended = stream.line
        stream.line += len(others)
        if held:
            yield held.take(f"{name}:{ended}")
        held.add(others.pop())
        for number, line in enumerate(map(bytes.strip, others), ended + 1):
            if line:
                yield Message(line, f"{name}:{number}")
    if held:
        yield held.take(f"{name}:{stream.line}")


def _elements(stream: Stream, margin: bytes | None, *, in_array: bool) -> Iterator[Message]:
    """Each value a message, to the end of the array, or else of the stream."""
    held = _Held()
    element: _Element | None = None
    origin = ""
    for chunk in stream:
        at = counted = 0
        while at < len(chunk):
            begin = at
            if element is None:
                begin = _matched(_SEPARATORS, chunk, at).end()
                stream.line += chunk.count(b"\n", counted, begin)
                counted = begin
                opening = chunk[begin : begin + 1]
                if not opening:
                    break
                if in_array and opening == b"]":
                    stream.head = chunk[begin + 1 :]
                    return
                element = _Element(opening, margin if opening == b"{" else None)
                origin = f"{stream.name}:{stream.line}"
                at = begin + 1
            end = element.end(chunk, at)
            at = len(chunk) if end is None else end
            held.add(chunk[begin:at])
            if end is not None:
                yield held.take(origin)
                element = None
        stream.line += chunk.count(b"\n", counted)
    if held:
        yield held.take(origin)


class _Element:
    """One value of which the first byte was read, as it is followed to its end from chunk to chunk."""

    def __init__(self, opening: bytes, margin: bytes | None) -> None:
        self._jump = _JUMPS.get(opening, _BARE_JUMP)
        self._opening = opening if opening in _JUMPS else None
        self._depth = 1
        self._in_string = opening == b'"'
        self._escaped = False
        self._restart = None if margin is None else b"\n" + margin
        self._before = b""

    def end(self, chunk: bytes, at: int) -> int | None:
        """Where it ends in this chunk, read from there, or nothing if it goes on."""
        while at < len(chunk):
            if self._in_string:
                at = self._end_of_string(chunk, at)
                continue
            jump = _matched(self._jump, chunk, at)
            at, stop = jump.end(), jump[1]
            if stop is None:  # the chunk ends here, or a string begins that goes on after it
                self._in_string = at < len(chunk)
                at += 1
            elif self._opening is None:
                return jump.start(1)
            elif stop != self._opening:
                self._depth -= 1
                if not self._depth:
                    return at
            elif self._is_lost_at(chunk, jump.start(1)):
                return jump.start(1)
            else:
                self._depth += 1
        if self._restart:
            self._before = (self._before + chunk)[-len(self._restart) :]
        return None

    def _end_of_string(self, chunk: bytes, at: int) -> int:
        if self._escaped and chunk[at : at + 1] != b"\n":
            at += 1
        rest = _matched(_REST_OF_STRING, chunk, at)
        self._in_string = rest[1] is None
        self._escaped = self._in_string and rest.end() < len(chunk)  # what is left is a backslash
        return len(chunk) if self._in_string else rest.end()

    def _is_lost_at(self, chunk: bytes, at: int) -> bool:
        """Whether the brace here begins the next element, so that the end of this one was lost."""
        return self._restart is not None and (
            chunk.endswith(self._restart, 0, at)
            if at >= len(self._restart)
            else (self._before + chunk[:at]).endswith(self._restart)
        )


class _Held:
    """The bytes of one message as they come. Of one that is beyond the limit the first are kept."""

    def __init__(self) -> None:
        self._start_anew()

    def _start_anew(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._digest: hashlib._Hash | None = None
        self._return = b""

    def __bool__(self) -> bool:
        return self._size > 0

    def add(self, piece: bytes) -> None:
        """Take the next bytes; space before the message is none of it."""
        piece = self._return + piece if self._size else piece.lstrip()
        # the carriage return at the end of a line is none of it either, and may be the last of a chunk
        self._return = b"\r" if piece.endswith(b"\r") else b""
        if self._return:
            piece = piece[:-1]
        self._size += len(piece)
        if self._digest is not None:
            self._digest.update(piece)
            return
        self._pieces.append(piece)
        if self._size > limits.NOTIFICATION_BYTES:
            whole = b"".join(self._pieces)
            self._digest = hashlib.sha256(whole)
            self._pieces = [whole[: limits.KEPT_BYTES]]

    def take(self, origin: str) -> Message:
        """The message that these bytes are; what comes next is another."""
        data = b"".join(self._pieces)
        if self._digest is None:
            message = Message(data.strip(), origin)
        else:
            message = Message(data, origin, self._size, self._digest.digest())
        self._start_anew()
        return message
