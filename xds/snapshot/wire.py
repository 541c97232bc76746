"""What of protobuf's wire format is done by hand: a length-delimited field, a duration of whole seconds, leaving out.

Everything else is encoded by envoy-data-plane's messages; tests hold the two against each other.
"""

from collections.abc import Collection


def field(number: int, value: bytes) -> bytes:
    """A length-delimited field (string, bytes or message); `number` must be below 16, so that its tag is one byte."""
    size = len(value)
    if size < 0x80:
        return bytes((number << 3 | 2, size)) + value
    return bytes((number << 3 | 2,)) + varint(size) + value


def duration(seconds: int) -> bytes:
    """A google.protobuf.Duration."""
    return b"\x08" + varint(seconds)


def varint(value: int) -> bytes:
    """A number as tags and lengths are written."""
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def without(message: bytes, numbers: Collection[int]) -> bytes:
    """An encoded message without its fields of these numbers."""
    kept, at = bytearray(), 0
    while at < len(message):
        start = at
        tag, at = _read(message, at)
        match tag & 7:
            case 0:
                _, at = _read(message, at)
            case 1:
                at += 8
            case 2:
                size, at = _read(message, at)
                at += size
            case 5:
                at += 4
            case other:
                raise ValueError(f"wire type {other}: expected 0, 1, 2 or 5")
        if tag >> 3 not in numbers:
            kept += message[start:at]
    return bytes(kept)


def _read(message: bytes, at: int) -> tuple[int, int]:
    """The number that starts there, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
