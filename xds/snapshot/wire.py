"""What of protobuf's wire format is written by hand: a length-delimited field, and a duration of whole seconds.

Everything else is encoded by envoy-data-plane's messages; tests hold the two against each other.
"""


def field(number: int, value: bytes) -> bytes:
    """A length-delimited field (string, bytes or message); `number` must be below 16, so that its tag is one byte."""
    size = len(value)
    if size < 0x80:
        return bytes((number << 3 | 2, size)) + value
    return bytes((number << 3 | 2,)) + _varint(size) + value


def duration(seconds: int) -> bytes:
    """A google.protobuf.Duration."""
    return b"\x08" + _varint(seconds)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
