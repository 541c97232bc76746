"""The one piece of protobuf's wire format that is written by hand: a length-delimited field.

Everything else is encoded by envoy-data-plane's messages; tests hold the two against each other.
"""


def field(number: int, value: bytes) -> bytes:
    """A length-delimited field (string, bytes or message); `number` must be below 16, so that its tag is one byte."""
    size = len(value)
    if size < 0x80:
        return bytes((number << 3 | 2, size)) + value
    head = bytearray((number << 3 | 2,))
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + value
