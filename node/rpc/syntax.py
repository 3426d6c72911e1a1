"""The grammar of JSON as a scanner that can stop after any character and go on later (RFC 8259).

It finds where one value ends and what is wrong with one that is not well formed; the texts are the reference's, which
callers see in -32700 answers. It decodes nothing, and does not know about messages.
"""

from __future__ import annotations

import re
from enum import Enum, auto

WHITESPACE = re.compile(r"[ \t\r\n]*")
"""What may stand between values and tokens."""

_STRING_RUN = re.compile(r'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(r"[0-9]*")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_LITERALS = {"t": "true", "f": "false", "n": "null"}


class JSONSyntaxError(ValueError):
    """The stream does not continue as JSON, or a limit is passed. The text is what goes into the -32700 answer."""


class TruncatedJSON(JSONSyntaxError):
    """The input ended inside a value."""


class _State(Enum):
    VALUE = auto()
    VALUE_OR_END = auto()
    KEY = auto()
    KEY_OR_END = auto()
    COLON = auto()
    AFTER_VALUE = auto()
    STRING = auto()
    ESCAPE = auto()
    HEX = auto()
    LITERAL = auto()
    MINUS = auto()
    ZERO = auto()
    INTEGER = auto()
    POINT = auto()
    FRACTION = auto()
    EXPONENT = auto()
    EXPONENT_SIGN = auto()
    EXPONENT_DIGITS = auto()
    SCALAR_DONE = auto()


_COMPLETE_NUMBERS = {_State.ZERO, _State.INTEGER, _State.FRACTION, _State.EXPONENT_DIGITS}
_DIGIT_RUNS = {_State.INTEGER, _State.FRACTION, _State.EXPONENT_DIGITS}
# state -> characters that lead on; a digit is written "9"
_NUMBER_STEPS = {
    _State.MINUS: {"0": _State.ZERO, "9": _State.INTEGER},
    _State.ZERO: {".": _State.POINT, "e": _State.EXPONENT, "E": _State.EXPONENT},
    _State.INTEGER: {".": _State.POINT, "e": _State.EXPONENT, "E": _State.EXPONENT},
    _State.POINT: {"0": _State.FRACTION, "9": _State.FRACTION},
    _State.FRACTION: {"e": _State.EXPONENT, "E": _State.EXPONENT},
    _State.EXPONENT: {
        "+": _State.EXPONENT_SIGN,
        "-": _State.EXPONENT_SIGN,
        "0": _State.EXPONENT_DIGITS,
        "9": _State.EXPONENT_DIGITS,
    },
    _State.EXPONENT_SIGN: {"0": _State.EXPONENT_DIGITS, "9": _State.EXPONENT_DIGITS},
    _State.EXPONENT_DIGITS: {},
}
_NUMBER_CONTEXTS = {
    _State.MINUS: "in numeric literal",
    _State.POINT: "after decimal point in numeric literal",
    _State.EXPONENT: "in exponent of numeric literal",
    _State.EXPONENT_SIGN: "in exponent of numeric literal",
}


def _quote(char: str) -> str:
    if char in "\\'":
        return f"'\\{char}'"
    if char.isprintable():
        return f"'{char}'"
    return f"'\\x{ord(char):02x}'" if ord(char) < 0x100 else f"'\\u{ord(char):04x}'"


def _unexpected(char: str, context: str) -> JSONSyntaxError:
    return JSONSyntaxError(f"invalid character {_quote(char)} {context}")


class Scanner:
    """Finds the end of one JSON value, resumable after any character; checks the whole grammar on the way."""

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._stack: list[str] = []  # the brackets that are open
        self._state = _State.VALUE
        self._in_key = False
        self._literal, self._literal_at = "", 0
        self._hex_left = 0

    @property
    def complete_at_eof(self) -> bool:
        """Whether the end of input ends the value: true for a bare scalar."""
        return not self._stack and (self._state is _State.SCALAR_DONE or self._state in _COMPLETE_NUMBERS)

    def scan(self, text: str, pos: int) -> int:
        """Go on at `pos`. Returns the position after the value, or -1 when the value does not end in `text`.

        Raises:
            JSONSyntaxError: not JSON, or nested too deeply.
        """
        end = len(text)
        while pos < end:
            state = self._state
            if state is _State.STRING:
                pos = self._string(text, pos)
            elif state is _State.SCALAR_DONE:
                return pos
            elif state in _NUMBER_STEPS:
                pos = self._number(text, pos)
            elif state in (_State.ESCAPE, _State.HEX, _State.LITERAL):
                self._inside(text[pos])
                pos += 1
            else:
                match = WHITESPACE.match(text, pos)
                pos = match.end() if match else pos
                if pos == end:
                    break
                pos += 1
                if self._structure(text[pos - 1]):
                    return pos
        return -1

    def _value_done(self) -> None:
        self._state = _State.AFTER_VALUE if self._stack else _State.SCALAR_DONE

    def _string(self, text: str, pos: int) -> int:
        match = _STRING_RUN.match(text, pos)
        pos = match.end() if match else pos
        if pos == len(text):
            return pos
        char = text[pos]
        if char == "\\":
            self._state = _State.ESCAPE
        elif char != '"':
            raise _unexpected(char, "in string literal")
        elif self._in_key:
            self._state = _State.COLON
        else:
            self._value_done()
        return pos + 1

    def _inside(self, char: str) -> None:
        if self._state is _State.LITERAL:
            expected = self._literal[self._literal_at]
            if char != expected:
                raise _unexpected(char, f"in literal {self._literal} (expecting {_quote(expected)})")
            self._literal_at += 1
            if self._literal_at == len(self._literal):
                self._value_done()
        elif self._state is _State.HEX:
            if char not in _HEX_DIGITS:
                raise _unexpected(char, "in \\u hexadecimal character escape")
            self._hex_left -= 1
            if self._hex_left == 0:
                self._state = _State.STRING
        elif char == "u":
            self._state, self._hex_left = _State.HEX, 4
        elif char in '"\\/bfnrt':
            self._state = _State.STRING
        else:
            raise _unexpected(char, "in string escape code")

    def _number(self, text: str, pos: int) -> int:
        if self._state in _DIGIT_RUNS:
            match = _DIGITS.match(text, pos)
            pos = match.end() if match else pos
            if pos == len(text):
                return pos
        char = text[pos]
        step = _NUMBER_STEPS[self._state].get("9" if char in "123456789" else char)
        if step is not None:
            self._state = step
            return pos + 1
        if self._state not in _COMPLETE_NUMBERS:
            raise _unexpected(char, _NUMBER_CONTEXTS[self._state])
        self._value_done()  # the character belongs to what follows
        return pos

    def _structure(self, char: str) -> bool:
        """One character between tokens; whether it closed the outermost bracket."""
        state = self._state
        if state is _State.AFTER_VALUE or char == {_State.VALUE_OR_END: "]", _State.KEY_OR_END: "}"}.get(state):
            return self._after_value(char)
        if state is _State.COLON:
            if char != ":":
                raise _unexpected(char, "after object key")
            self._state = _State.VALUE
        elif state in (_State.KEY, _State.KEY_OR_END):
            if char != '"':
                raise _unexpected(char, "looking for beginning of object key string")
            self._state, self._in_key = _State.STRING, True
        else:
            self._begin_value(char)
        return False

    def _after_value(self, char: str) -> bool:
        in_object = self._stack[-1] == "{"
        if char == ("}" if in_object else "]"):
            self._stack.pop()
            self._state = _State.AFTER_VALUE
            return not self._stack
        if char != ",":
            raise _unexpected(char, "after object key:value pair" if in_object else "after array element")
        self._state = _State.KEY if in_object else _State.VALUE
        return False

    def _begin_value(self, char: str) -> None:
        if char in "{[":
            if len(self._stack) == self._max_depth:
                raise JSONSyntaxError(f"exceeded max depth of {self._max_depth}")
            self._stack.append(char)
            self._state = _State.KEY_OR_END if char == "{" else _State.VALUE_OR_END
        elif char == '"':
            self._state, self._in_key = _State.STRING, False
        elif char in _LITERALS:
            self._state, self._literal, self._literal_at = _State.LITERAL, _LITERALS[char], 1
        elif char == "-":
            self._state = _State.MINUS
        elif char == "0":
            self._state = _State.ZERO
        elif char in "123456789":
            self._state = _State.INTEGER
        else:
            raise _unexpected(char, "looking for beginning of value")
