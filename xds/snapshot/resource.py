"""One named xDS object: its bytes, encoded once, and the version that follows from them.

Knows nothing about the message inside the bytes.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from xds.names import ResourceName, Version

_DIGEST_BYTES = 12
"""96 bits, 16 characters: versions are only compared between two contents of one name, and Envoy sends
all of them back on a reconnect, so short is worth something."""


class Ref(NamedTuple):
    """Names one resource of a snapshot."""

    type_url: str
    name: ResourceName


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One named xDS object, ready to be sent.

    `needs` are the resources that a client must be able to use before it learns of this one (a route table
    needs its clusters). `awaits` are those that a client asks for only after it has learned of this one,
    and without which this one is of no use to it (a cluster awaits its endpoints): xDS protocol,
    "Eventual consistency considerations" and "Resource warming". `ttl` is for how many seconds a client may keep it
    without hearing of it again ("TTL"); None for ever.

    Two resources are the same content if name and version are equal; identity is what `==` compares.
    """

    name: ResourceName
    version: Version
    body: bytes
    needs: tuple[Ref, ...] = ()
    awaits: tuple[Ref, ...] = ()
    ttl: int | None = None

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Every resource that this one names."""
        return self.needs + self.awaits

    @property
    def is_sound(self) -> bool:
        """Whether its version is that of its name and bytes: none of them was damaged where they were kept."""
        return self.version == _version(self.name, self.body, self.ttl)


def encode_resource(
    name: ResourceName,
    body: bytes,
    *,
    needs: tuple[Ref, ...] = (),
    awaits: tuple[Ref, ...] = (),
    ttl: int | None = None,
) -> Resource:
    """Make a resource whose version is a hash of its name and bytes: equal content, equal version, anywhere.

    Its TTL counts as content: it is changed, or taken away, by sending the resource again ("TTL").
    """
    return Resource(name, _version(name, body, ttl), body, needs, awaits, ttl)


def _version(name: ResourceName, body: bytes, ttl: int | None) -> Version:
    life = b"" if ttl is None else b"\0%d" % ttl
    digest = blake2b(name.encode() + life + b"\0" + body, digest_size=_DIGEST_BYTES).digest()
    return Version(urlsafe_b64encode(digest).decode())
