"""Response bodies on the wire, joined from resources that are encoded already.

A response is `body + nonce`: all streams that are sent the same change share the body. Field numbers:
envoy/service/discovery/v3/discovery.proto. Knows nothing about when a response is due.
"""

from collections import OrderedDict
from collections.abc import Sequence

from xds.names import Nonce, ResourceName
from xds.snapshot.resource import Resource
from xds.snapshot.wire import field

_MEMO = 64
"""Bodies that are kept: one a type and recent change, for the streams that are still to be sent it."""

_MEMO_BYTES = 64 << 20
"""How much they may add up to: with 100,000 scopes, one state-of-the-world body has 27 MB."""


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
    ) -> bytes:
        """A DeltaDiscoveryResponse without its nonce."""
        key = ("delta", type_url, system_version, tuple(upserts), tuple(removed))
        return self._memoized(key) or self._keep(key, _delta_body(type_url, system_version, upserts, removed))

    def sotw(self, type_url: str, version_info: str, resources: Sequence[Resource]) -> bytes:
        """A DiscoveryResponse without its nonce."""
        key = ("sotw", type_url, version_info, tuple(resources))
        return self._memoized(key) or self._keep(key, _sotw_body(type_url, version_info, resources))

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
    type_url: str, system_version: str, upserts: Sequence[Resource], removed: Sequence[ResourceName]
) -> bytes:
    kind = field(1, type_url.encode())
    parts = [field(1, system_version.encode())]
    for resource in upserts:
        message = kind + field(2, resource.body)
        parts.append(
            field(2, field(1, resource.version.encode()) + field(2, message) + field(3, resource.name.encode()))
        )
    parts.append(field(4, type_url.encode()))
    parts.extend(field(6, name.encode()) for name in removed)
    return b"".join(parts)


def _sotw_body(type_url: str, version_info: str, resources: Sequence[Resource]) -> bytes:
    kind = field(1, type_url.encode())
    parts = [field(1, version_info.encode())]
    parts.extend(field(2, kind + field(2, resource.body)) for resource in resources)
    parts.append(field(4, type_url.encode()))
    return b"".join(parts)
