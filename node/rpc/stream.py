"""A stream of JSON values and nothing between them (spec 03 section 4.1): bytes in, complete values out.

There is no framing besides JSON itself: several values may come in one read and one value in many. A value that is
complete in one read goes straight to the C decoder; one that is not is followed by a resumable scanner (`syntax`), so
that no character is looked at more than a few times however the reads are cut.

Deliberately unknown here: what a value means (`jsonrpc`), and where the bytes come from.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import NamedTuple, NoReturn

from node.rpc.syntax import WHITESPACE, JSONSyntaxError, Scanner, TruncatedJSON

MAX_MESSAGE_CHARS = 64 * 1024 * 1024
"""Longest value accepted from a stream, in characters. Source: ours; spec 03 section 4.1 has no limit, memory has."""

MAX_DEPTH = 256
"""Deepest nesting of arrays and objects. Source: ours; deep enough for any call, far from the interpreter's stack."""

MAX_INTEGER_DIGITS = 4300
"""Longest integer turned into an int; Python refuses longer ones by default. A longer one stays a `Number`."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Number(float):
    """A JSON number that is no small integer; `text` is how it was written (`1.50`, `1e3`)."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Number:
        self = super().__new__(cls, text)
        self.text = text
        return self


class Value(NamedTuple):
    """One complete JSON value.

    Attributes:
        text: as it stood in the stream; ids are echoed from here.
        value: decoded: None, bool, int, `Number`, str, list or dict. Strings hold no lone surrogates.
    """

    text: str
    value: object


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # Python would read NaN and Infinity


def _integer(text: str) -> int | Number:
    return int(text) if len(text) <= MAX_INTEGER_DIGITS else Number(text)


_FAST = json.JSONDecoder(parse_float=Number, parse_constant=_refuse_constant)
DECODER = json.JSONDecoder(parse_float=Number, parse_int=_integer, parse_constant=_refuse_constant)
"""Decodes what the scanner has found to be well formed, integers of any length included."""


class StreamReader:
    """Cuts a stream of bytes into JSON values.

    Attributes:
        error: why the stream ended for good, None while it is sound. Whatever comes after it is ignored.
    """

    def __init__(self, *, max_chars: int = MAX_MESSAGE_CHARS, max_depth: int = MAX_DEPTH) -> None:
        self.error: JSONSyntaxError | None = None
        self._max_chars, self._max_depth = max_chars, max_depth
        # invalid UTF-8 becomes U+FFFD (spec 03 section 2.4); a character may be cut by the end of a read
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._scanner: Scanner | None = None  # of the value that is not complete yet
        self._parts: list[str] = []
        self._size = 0

    def receive_data(self, data: bytes) -> list[Value]:
        """The values that are complete with these bytes, in order. Never raises; look at `error` afterwards."""
        return [] if self.error else self._consume(self._decode(data))

    def receive_eof(self) -> list[Value]:
        """The value that the end of input completes, if any; `error` is `TruncatedJSON` when it cuts one."""
        if self.error:
            return []
        values = self._consume(self._decode(b"", True))
        if self._scanner is not None and not self.error:
            if self._scanner.complete_at_eof:
                values += self._finish("")
            else:
                self.error = TruncatedJSON("unexpected end of JSON input")
        return values

    def _consume(self, text: str) -> list[Value]:
        values: list[Value] = []
        pos, end = 0, len(text)
        try:
            while pos < end:
                if self._scanner is None:
                    match = WHITESPACE.match(text, pos)
                    pos = match.end() if match else pos
                    if pos == end:
                        break
                    fast = self._try_whole(text, pos)
                    if fast is not None:
                        values.append(fast)
                        pos += len(fast.text)
                        continue
                    self._scanner, self._size = Scanner(self._max_depth), 0
                stop = self._scanner.scan(text, pos)
                taken = text[pos : end if stop < 0 else stop]
                self._check_size(self._size + len(taken))
                self._size += len(taken)
                if stop < 0:
                    self._parts.append(taken)
                    break
                values += self._finish(taken)
                pos = stop
        except JSONSyntaxError as error:
            self.error = error
            self._parts.clear()
        return values

    def _check_size(self, size: int) -> None:
        if size > self._max_chars:
            raise JSONSyntaxError(f"message longer than {self._max_chars} characters")

    def _try_whole(self, text: str, pos: int) -> Value | None:
        """The value at `pos` when all of it is there, as is usual; None leaves it to the scanner."""
        if text[pos] not in "{[":
            return None
        try:
            value, stop = _FAST.raw_decode(text, pos)
        except (ValueError, RecursionError):
            return None
        # with fewer brackets than levels it cannot be too deep; otherwise the scanner has to look
        if text.count("{", pos, stop) + text.count("[", pos, stop) > self._max_depth:
            return None
        self._check_size(stop - pos)
        raw = text[pos:stop]
        return Value(raw, without_surrogates(value) if "\\" in raw else value)

    def _finish(self, last: str) -> list[Value]:
        raw = "".join([*self._parts, last])
        self._scanner = None
        self._parts.clear()
        value, _ = DECODER.raw_decode(raw)
        return [Value(raw, without_surrogates(value) if "\\" in raw else value)]


def without_surrogates(value: object) -> object:
    """The same decoded value with lone surrogates replaced by U+FFFD, which is how the reference reads them."""
    if type(value) is str:
        return _SURROGATE.sub("\ufffd", value)
    if type(value) is list:
        return [without_surrogates(item) for item in value]
    if type(value) is dict:
        return {_SURROGATE.sub("\ufffd", key): without_surrogates(item) for key, item in value.items()}
    return value


def read_first(data: bytes) -> Value | None:
    """The first JSON value of a complete message, None when there is only whitespace; the rest is ignored.

    Raises:
        TruncatedJSON: the message ends inside the value.
        JSONSyntaxError: it is not JSON.
    """
    reader = StreamReader()
    values = reader.receive_data(data) or reader.receive_eof()
    if values:
        return values[0]
    if reader.error is not None:
        raise reader.error
    return None
