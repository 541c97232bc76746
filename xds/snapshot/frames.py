"""Response bodies on the wire, joined from resources that are encoded already.

A response is `body + nonce`: all streams that are sent the same change share the body. Field numbers:
envoy/service/discovery/v3/discovery.proto. Knows nothing about when a response is due.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from xds.names import Nonce, ResourceName
from xds.snapshot.resource import Resource
from xds.snapshot.wire import duration, field

_WRAPPER = b"type.googleapis.com/envoy.service.discovery.v3.Resource"

_MEMO = 64
"""Bodies that are kept: one a type and recent change, for the streams that are still to be sent it."""

_MEMO_BYTES = 64 << 20
"""How much they may add up to: with 100,000 scopes, one state-of-the-world body has 27 MB."""


@dataclass(frozen=True, slots=True)
class Mortality:
    """What a response says of TTLs: whether it tells them, and which resources live on unchanged ("TTL")."""

    is_told: bool
    alive: tuple[Resource, ...] = ()


IMMORTAL = Mortality(is_told=False)


class Frames:
    """Builds response bodies and keeps the newest, since many streams ask for the same."""

    def __init__(self) -> None:
        self._memo: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._bytes = 0

    def delta(
        self,
        type_url: str,
        system_version: str,
        upserts: Sequence[Resource],
        removed: Sequence[ResourceName],
        mortality: Mortality = IMMORTAL,
    ) -> bytes:
        """A DeltaDiscoveryResponse without its nonce."""
        key = ("delta", type_url, system_version, tuple(upserts), tuple(removed), mortality)
        return self._memoized(key) or self._keep(
            key, _delta_body(type_url, system_version, upserts, removed, mortality)
        )

    def sotw(
        self, type_url: str, version_info: str, resources: Sequence[Resource], *, tells_ttl: bool = False
    ) -> bytes:
        """A DiscoveryResponse without its nonce."""
        key = ("sotw", type_url, version_info, tuple(resources), tells_ttl)
        body = self._memoized(key)
        return body or self._keep(key, _sotw_body(type_url, version_info, resources, tells_ttl=tells_ttl))

    def _memoized(self, key: tuple[object, ...]) -> bytes | None:
        body = self._memo.get(key)
        if body is not None:
            self._memo.move_to_end(key)
        return body

    def _keep(self, key: tuple[object, ...], body: bytes) -> bytes:
        self._memo[key] = body
        self._bytes += len(body)
        while len(self._memo) > _MEMO or (self._bytes > _MEMO_BYTES and len(self._memo) > 1):
            self._bytes -= len(self._memo.popitem(last=False)[1])
        return body


def with_nonce(body: bytes, nonce: Nonce) -> bytes:
    """The whole response; the nonce is field 5 in both variants."""
    return body + field(5, nonce.encode())


def delta_size(type_url: str, resource: Resource) -> int:
    """How many bytes a resource adds to a delta response, to a few bytes."""
    return len(resource.body) + len(type_url) + len(resource.name) + len(resource.version) + 16


def removal_size(name: ResourceName) -> int:
    """How many bytes a removed name adds to a delta response, to a few bytes."""
    return len(name.encode()) + 4


def _delta_body(
    type_url: str,
    system_version: str,
    upserts: Sequence[Resource],
    removed: Sequence[ResourceName],
    mortality: Mortality,
) -> bytes:
    kind = field(1, type_url.encode())
    parts = [field(1, system_version.encode())]
    parts.extend(field(2, _resource(kind, resource, with_ttl=mortality.is_told)) for resource in upserts)
    parts.extend(field(2, _heartbeat(resource)) for resource in mortality.alive)
    parts.append(field(4, type_url.encode()))
    parts.extend(field(6, name.encode()) for name in removed)
    return b"".join(parts)


def _sotw_body(type_url: str, version_info: str, resources: Sequence[Resource], *, tells_ttl: bool) -> bytes:
    kind = field(1, type_url.encode())
    wrapper = field(1, _WRAPPER)
    parts = [field(1, version_info.encode())]
    for resource in resources:
        if tells_ttl and resource.ttl is not None:
            message = wrapper + field(2, _resource(kind, resource, with_ttl=True))
        else:
            message = kind + field(2, resource.body)
        parts.append(field(2, message))
    parts.append(field(4, type_url.encode()))
    return b"".join(parts)


def _resource(kind: bytes, resource: Resource, *, with_ttl: bool) -> bytes:
    """An encoded Resource, the wrapper of one resource."""
    message = field(2, kind + field(2, resource.body))
    life = b"" if resource.ttl is None or not with_ttl else field(6, duration(resource.ttl))
    return field(1, resource.version.encode()) + message + field(3, resource.name.encode()) + life


def _heartbeat(resource: Resource) -> bytes:
    """The same without its content: it lives on ("TTL")."""
    life = b"" if resource.ttl is None else field(6, duration(resource.ttl))
    return field(1, resource.version.encode()) + field(3, resource.name.encode()) + life
