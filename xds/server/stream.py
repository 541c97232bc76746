"""One stream of a discovery service: reads requests into a session, writes what the session says.

Two tasks share the session, and each calls it without awaiting in between: one reads, one writes. What is to be
written waits in an outbox that the session itself keeps short, one response a type at most. Decides nothing
about the protocol.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc

from xds.names import NodeGroup
from xds.publish import Feed, Slot
from xds.server import status
from xds.server.authorisation import refuse_node
from xds.server.fleet import Fleet, StreamRecord
from xds.server.journal import Journal
from xds.server.services import Service, settle
from xds.server.status import Ending
from xds.server.tls import Tls
from xds.server.variants import Request, VariantParts
from xds.server.wire import Garbage
from xds.session import LastGood, Limits, Nacked, Node, Output, Respond, Violated, identify
from xds.snapshot import Frames, Snapshot
from xds.telemetry import EndReason, Logger, Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all streams of a server share; without `tls` they are in plain text. Both time limits are in seconds."""

    feed: Feed
    fleet: Fleet
    metrics: Metrics
    limits: Limits
    frames: Frames
    last_good: defaultdict[NodeGroup, LastGood] = field(default_factory=lambda: defaultdict(LastGood))
    tls: Tls | None = None
    first_request_seconds: float = 30.0
    write_seconds: float = 30.0


class Stream:
    """One client's stream, until the client closes, breaks a rule or is too slow, or `end` is called."""

    def __init__(
        self,
        service: Service,
        variant: VariantParts,
        context: Any,  # noqa: ANN401 -- grpc has no types
        around: Surroundings,
        log: Logger,
    ) -> None:
        self._service = service
        self._variant = variant
        self._context = context
        self._around = around
        self._log = log
        self._wake = asyncio.Event()
        self._outbox: deque[Respond] = deque()
        self._node: Node | None = None
        self._ending: Ending | None = None
        self._is_aged = False
        self._is_cautious = True

    def end(self, ending: Ending) -> None:
        """Have the stream end; the first reason given is the one that counts."""
        self._ending = self._ending or ending
        self._wake.set()

    def retire(self) -> None:
        """Have the stream end for its age, as soon as no NACK stands on it.

        An Envoy that rejected a response may, on its next stream, no longer ask for that type (Envoy issue 34334).
        """
        self._is_aged = True
        self._wake.set()

    async def wait(self, seconds: float) -> None:
        """Wait for the stream's turn, or for its end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def run(self) -> Ending:
        """Serve the stream; returns how it is to end."""
        if self._ending:
            return self._ending
        try:
            async with asyncio.timeout(self._around.first_request_seconds):
                first = await self._read()
        except TimeoutError:
            self.end(status.SILENT)
            first = None
        slot = self._choose()
        if first is None or slot is None or self._node is None:
            ending = self._ending or status.CLOSED
            self._refuse(ending)
            return ending
        self._last_good = self._around.last_good[slot.snapshot.group]
        self._session = self._variant.session(
            self._settled(slot), self._around.limits, self._around.frames, self._node.features
        )
        record = StreamRecord(self._node, self._variant.name, self._context.peer(), slot.snapshot.group, self._session)
        self._record = record
        self._journal = Journal(record, self._around.metrics, self._log)
        self._slot = slot
        with self._around.fleet.member(record), self._around.feed.subscription(self._node.group, self._wake.set):
            await self._converse(first, self._node)
        return self._ending or status.CLOSED

    def _refuse(self, ending: Ending) -> None:
        log = self._log.bind(peer=self._context.peer())
        if self._node:
            log = log.bind(node_id=self._node.id, node_group=self._node.group)
        note = log.warning if ending.is_alarming else log.info
        note("stream.refused", reason=ending.reason, text=ending.text)

    def _choose(self) -> Slot | None:
        """The snapshot of the node's group; None if the stream is to end instead."""
        if self._node is None or self._ending:
            return None
        refusal = refuse_node(self._around.tls, self._context, self._node)
        slot = refusal or choose(self._around.feed, self._node)
        if isinstance(slot, Ending):
            self.end(slot)
            return None
        return slot

    async def _converse(self, first: Request, node: Node) -> None:
        self._journal.opened()
        reason: EndReason = "failed"
        try:
            self._receive(first)
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read_all())
                await self._write_all(node)
                reader.cancel()
            reason = self._ending.reason if self._ending else status.CLOSED.reason
        except asyncio.CancelledError:
            reason = "reset"
            raise
        finally:
            self._journal.ended(reason, self._ending.text if self._ending else "")

    # Reading

    async def _read_all(self) -> None:
        while self._ending is None:
            request = await self._read()
            if request is not None:
                self._receive(request)

    async def _read(self) -> Request | None:
        """The next request; None if there is none, and then the stream is to end."""
        data = await self._context.read()
        if data is grpc.aio.EOF:
            self.end(status.CLOSED)
            return None
        try:
            claimed, request = self._variant.decode(data)
        except Garbage as garbage:
            self.end(status.violated(str(garbage)))
            return None
        node = identify(claimed, self._node)
        if isinstance(node, Violated):
            self.end(status.violated(node.reason))
            return None
        self._node = node
        settled = settle(request, self._service.type_url)
        if isinstance(settled, Violated):
            self.end(status.violated(settled.reason))
            return None
        return settled

    def _receive(self, request: Request) -> None:
        outputs = self._session.receive(request, self._now())
        self._journal.received(request.type_url, self._session.subscribed(request.type_url), outputs)
        self._perform(outputs)
        self._attest(request.type_url)
        if self._is_aged or self._session.deadline is not None:
            self._wake.set()  # there may be less time to wait than there was

    def _attest(self, type_url: str) -> None:
        """If the client holds all of a type, have it given to those that come."""
        standing = self._session.standings().get(type_url)
        if standing and not self._last_good.is_good(standing.table) and standing.is_complete:
            is_news = self._last_good.accept(standing.table)
            if is_news and self._node:
                self._around.feed.remind(self._node.group)

    def _settled(self, slot: Slot) -> Snapshot:
        """The snapshot for this client: without what its group has rejected, if that was so when it came."""
        settled = self._last_good.settle(slot.snapshot) if self._is_cautious else slot.snapshot
        self._is_cautious = settled is not slot.snapshot
        return settled

    # Writing

    async def _write_all(self, node: Node) -> None:
        # Left to grpc it goes with the first response, and if that is given up, again with the status: an error.
        await self._sent(self._context.send_initial_metadata(()))
        while self._ending is None:
            await self._wait()
            slot = self._around.feed.slot(node)
            if slot is not None and (slot is not self._slot or self._is_cautious):
                self._slot = slot
                self._last_good = self._around.last_good[slot.snapshot.group]
                self._record.lane = slot.snapshot.group
                self._perform(self._session.publish(self._settled(slot), self._now()))
            while self._outbox and self._ending is None:
                await self._write(self._outbox.popleft())
            if self._is_aged and not any(each.has_nack for each in self._session.standings().values()):
                self.end(status.AGED)

    async def _wait(self) -> None:
        """Until there is something to do: a wake-up, or what the session held back is due."""
        try:
            async with asyncio.timeout_at(self._session.deadline):
                await self._wake.wait()
        except TimeoutError:
            self._perform(self._session.expire(self._now()))
        self._wake.clear()

    async def _write(self, respond: Respond) -> None:
        if await self._sent(self._context.write(respond.frame)):
            self._journal.wrote(respond)

    async def _sent(self, sending: Awaitable[None]) -> bool:
        """Whether it left in time; if not, the stream is to end."""
        try:
            async with asyncio.timeout(self._around.write_seconds):
                await sending
        except TimeoutError:
            self.end(status.TOO_SLOW)
        except grpc.aio.InternalError:
            self.end(status.LOST)  # grpc cancels this task for the same reason, but may do so a moment later
        else:
            return True
        return False

    def _perform(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            self._journal.note(output, self._now(), self._slot.published_at)
            match output:
                case Respond():
                    self._outbox.append(output)
                    self._wake.set()
                case Nacked():
                    self._last_good.reject(output)
                case Violated():
                    self.end(status.violated(output.reason))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def choose(feed: Feed, node: Node) -> Slot | Ending:
    """The newest snapshot for a node, or why there is none."""
    slot = feed.slot(node)
    if slot is None:
        return status.unknown_group(node.group, feed.groups) if feed.groups else status.NOT_READY
    return slot
