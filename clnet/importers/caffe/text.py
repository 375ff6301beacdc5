"""Reads protobuf's text format into Messages.

A parser of its own, since protobuf's needs a schema: every fork of Caffe has another one, with
fields and even types that differ. Without one, each converter says which fields it knows.
The format: https://protobuf.dev/reference/protobuf/textformat-spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clnet.errors import ModelError
from clnet.importers.caffe.message import Message, Word
from clnet.importers.names import shown

MAX_DEPTH = 100
#: Characters of a prototxt: those of a thousand layers have a million.
MAX_SIZE = 4 << 20

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?[fF]?)(?![\w.]))
    |(?P<word>[-+]?[A-Za-z_]\w*|\[[\w./-]+\](?=\s*[:{<]))
    |(?P<sign>[:{}<>\[\],;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_LETTERS = dict(zip((b"n", b"t", b"r", b"a", b"b", b"f", b"v"), b"\n\t\r\a\b\f\v", strict=True))
_CLOSING = {"{": "}", "<": ">"}

Token = tuple[str, str, int]  # kind, text, position


def read_text(path: Path) -> Message:
    """A prototxt as a Message. Raises ModelError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
        return parse_text(data.decode("utf-8-sig", "replace"))
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", file=path) from error


def parse_text(text: str) -> Message:
    """The whole file as a Message. Raises ModelError naming the line where it is malformed."""
    if len(text) > MAX_SIZE:
        raise ModelError(f"more than {MAX_SIZE >> 20} MiB of text")
    return _Parser(text).run()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.next: Token = next(self.tokens)

    def run(self) -> Message:
        """Fields until the text ends; open messages wait on a stack, with their closing sign."""
        message = Message()
        stack: list[tuple[Message, str]] = []
        while True:
            kind, sign, _ = self.next
            if stack and sign == stack[-1][1] and kind == "sign":
                message, _ = stack.pop()
                self._take()
                self._skip(",", ";")
                continue
            if kind == "end" and not stack:
                return message
            name = self._field_name()
            colon = self._skip(":")
            if self.next[0] == "sign" and self.next[1] in _CLOSING:
                if len(stack) == MAX_DEPTH:
                    self._fail("is nested too deeply")
                inner = Message(name)
                message.add(name, inner)
                stack.append((message, _CLOSING[self._take()]))
                message = inner
                continue
            if not colon:
                self._fail(f"stands where {name} needs ':' or '{{'")
            for value in self._values():
                message.add(name, value)
            self._skip(",", ";")

    def _field_name(self) -> str:
        if self.next[0] != "word" or self.next[1][0] in "+-":
            self._fail("stands where a field should begin")
        return self._take()

    def _values(self) -> Iterator[Any]:
        """One value, or several in brackets."""
        if not self._skip("["):
            yield self._value()
            return
        while not self._skip("]"):
            yield self._value()
            if not self._skip(",") and self.next[1] != "]":
                self._fail("stands where ',' or ']' should")

    def _value(self) -> Any:
        kind, token, _ = self.next
        if kind == "text":
            parts = []
            while self.next[0] == "text":  # texts side by side are one
                parts.append(_unescaped(self._take()[1:-1]))
            return "".join(parts)
        if kind == "word":
            return _as_word(self._take())
        if kind != "number":
            self._fail("is not a value")
        try:
            value = _number(token)
        except ValueError:
            self._fail("is not a number")
        self._take()
        return value

    def _take(self) -> str:
        taken = self.next[1]
        self.next = next(self.tokens)
        return taken

    def _skip(self, *signs: str) -> bool:
        found = self.next[0] == "sign" and self.next[1] in signs
        if found:
            self._take()
        return found

    def _fail(self, what: str) -> Any:
        kind, token, position = self.next
        line = self.text.count("\n", 0, position) + 1
        what_stands = "the end" if kind == "end" else shown(token)
        raise ModelError(f"line {line}: {what_stands} {what}")


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            line = text.count("\n", 0, position) + 1
            raise ModelError(
                f"line {line}: {shown(text[position : position + 20])} is not expected"
            )
        if match.lastgroup != "space":
            yield str(match.lastgroup), match[0], position
        position = match.end()
    while True:
        yield "end", "", position


def _number(token: str) -> int | float:
    sign, digits = (token[0], token[1:]) if token[0] in "+-" else ("", token)
    if digits[:2].lower() == "0x":
        return int(sign + digits, 16)
    if digits.isdecimal():
        return int(sign + digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)
    return float(sign + digits.rstrip("fF"))


def _as_word(token: str) -> Word | float:
    if token.lstrip("+-").lower() in ("inf", "infinity", "nan"):
        return float(token)
    return Word(token)


def _unescaped(text: str) -> str:
    """Escapes stand for bytes of UTF-8."""

    def byte(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1] == b"x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        if code.isdigit():
            return bytes([int(code, 8) & 255])
        return bytes([_LETTERS[code]]) if code in _LETTERS else code

    return _ESCAPE.sub(byte, text.encode()).decode("utf-8", "replace")
