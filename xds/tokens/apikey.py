"""API keys as texts: `ask_<id>_<secret>`, made, read and hashed.

The hash is a plain SHA-256: a slow one is for what people think of, and 256 random bits cannot be guessed however
fast the guesses are checked. Must not know where keys are kept, or whose they are.
"""

import hashlib
import hmac
import re
import secrets

from xds.names import KeyId

_FORM = re.compile(r"ask_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_NOBODY = KeyId("0" * 16)


def make_key() -> tuple[KeyId, str]:
    """A new key: its id, which may be shown, and its text, which nobody but its owner may ever see again."""
    key_id = KeyId(secrets.token_hex(8))
    return key_id, f"ask_{key_id}_{secrets.token_urlsafe(32)}"


def id_of(text: str) -> KeyId:
    """The id in a key's text; that of nobody for what is no key, so that it costs the same to refuse."""
    form = _FORM.fullmatch(text)
    return KeyId(form[1]) if form else _NOBODY


def digest(text: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def nobodys_digest() -> bytes:
    """What stands in where nothing is stored: the digest of no key that anybody could find."""
    return secrets.token_bytes(32)


def is_key(text: str, stored: bytes) -> bool:
    """Whether `text` is the key of which `stored` is the digest; takes the same time whatever the answer."""
    return hmac.compare_digest(digest(text), stored)
