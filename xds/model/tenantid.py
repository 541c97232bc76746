"""What a tenant's id may look like.

Envoys find a tenant by the header into which they write a token's claim, and write claims that are no text there too:
numbers and truth values as text, lists and objects as base64 of their JSON. What such a claim could become is reserved,
so that it names nobody.
"""

import json
import re
from base64 import b64decode

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# Of numbers, Envoy rounds those of more than 15 digits and those with a fraction; it writes exponents as in `1e-07`
# and `1e+20`, whose plus is in no id. Smaller whole numbers are what they look like: 42 and "42" are the same tenant.
_NO_TEXT = re.compile(r"true|false|null|[0-9]{16,}|[0-9]+\.[0-9]+(e-[0-9]+)?|[0-9]+e-[0-9]+")

_OPENING = ("W", "e")
"""What the base64 of `[…` and `{…` begins with: most ids need no closer look."""


def is_tenant_id(text: str) -> bool:
    """Whether `text` can be a tenant's id: a plain header value, not the reserved `-`, and no claim that is no text."""
    return _PLAIN.fullmatch(text) is not None and not is_reserved(text)


def is_reserved(text: str) -> bool:
    """Whether a claim that is no text could become `text`."""
    return _NO_TEXT.fullmatch(text) is not None or (text.startswith(_OPENING) and _is_encoded(text))


def _is_encoded(text: str) -> bool:
    standard = text.replace("-", "+").replace("_", "/")
    try:
        value = json.loads(b64decode(standard + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        return False
    return isinstance(value, list | dict)
