"""A fleet that follows a registry: Envoys and gRPC clients of both variants, each asking for everything.

Must not know what is in a resource.
"""

from collections import deque
from dataclasses import dataclass, field

from tests.support.conversation import VARIANTS, Variant
from tests.support.translations import NOW, full
from xds.model import Topology
from xds.names import NodeGroup, TypeUrl
from xds.session import DeltaRequest, DeltaSession, Limits, Output, Respond, SotwRequest, SotwSession
from xds.snapshot import Frames, Snapshot
from xds.translate import Translation, retranslate


class Client:
    """A client that asks for everything there is, of all types, and accepts whatever it is sent."""

    def __init__(self, variant: Variant, snapshot: Snapshot) -> None:
        kind = DeltaSession if variant == "delta" else SotwSession
        self._session: DeltaSession | SotwSession = kind(snapshot, Limits(), Frames())
        self.frames: list[bytes] = [frame for type_url in TypeUrl for frame in self._listen(self._ask(type_url))]

    def publish(self, snapshot: Snapshot) -> list[bytes]:
        """What comes of a newer snapshot."""
        return [*self._listen(self._session.publish(snapshot, 0)), *self._listen(self._session.expire(1e9))]

    def _listen(self, outputs: tuple[Output, ...]) -> list[bytes]:
        frames: list[bytes] = []
        queue = deque(outputs)
        while queue:
            if isinstance(output := queue.popleft(), Respond):
                frames.append(output.frame)
                queue.extend(self._ask(output.type_url, output.nonce))
        return frames

    def _ask(self, type_url: str, nonce: str = "") -> tuple[Output, ...]:
        if isinstance(self._session, DeltaSession):
            names = () if nonce else ("*",)
            return self._session.receive(DeltaRequest(type_url=type_url, nonce=nonce, subscribe=names), 0)
        return self._session.receive(SotwRequest(type_url=type_url, nonce=nonce, names=("*",)), 0)


@dataclass(slots=True)
class Fleet:
    """One client of each kind, current with a topology."""

    translation: Translation
    clients: dict[tuple[NodeGroup, Variant], Client] = field(init=False)

    def __post_init__(self) -> None:
        snapshots = self.translation.snapshots(1)
        self.clients = {
            (group, variant): Client(variant, snapshots[group]) for group in sorted(snapshots) for variant in VARIANTS
        }

    def follow(self, newer: Topology) -> dict[tuple[NodeGroup, Variant], list[bytes]]:
        """What each client is sent as the registry becomes `newer`."""
        self.translation = retranslate(self.translation, self.translation.topology.changes_to(newer), now=NOW)
        snapshots = self.translation.snapshots(2)
        return {(group, variant): each.publish(snapshots[group]) for (group, variant), each in self.clients.items()}


def sent(before: Topology, after: Topology) -> bytes:
    """Every byte that a fleet is sent, from its first requests until it has followed a change."""
    fleet = Fleet(full(before))
    first = [frame for client in fleet.clients.values() for frame in client.frames]
    then = [frame for frames in fleet.follow(after).values() for frame in frames]
    return b"".join(first + then)
