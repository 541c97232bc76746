"""What a server could know of its client, kept independently of the sessions, to hold them to their rules.

It is told every request as the session reads it and every response as it is sent, and writes down each breach:

    in flight   two responses of a type at once
    order       an upsert that names what is not acknowledged, a removal of what may still be in use
    hot loop    something that the client has rejected, sent again although nothing has changed

A client that comes back with resources whose content the server can't know is given the benefit of the doubt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.builders import CDS, LDS, SRDS
from xds.names import ResourceName
from xds.session import Acked, Nacked, Respond
from xds.snapshot import Ref, Resource, Snapshot

WHOLE = (CDS, LDS, SRDS)
"""In state of the world, a response of these is the whole set."""

Changes = Mapping[ResourceName, Resource | None]


@dataclass(slots=True)
class Rejection:
    """A rejected response: the versions that it offered, and the names that may be sent again all the same."""

    offered: dict[ResourceName, str | None]
    excused: set[ResourceName]

    def forbids(self, name: ResourceName, version: str | None) -> bool:
        """Whether that would be sent again although it was rejected."""
        return name in self.offered and name not in self.excused and self.offered[name] == version


@dataclass(slots=True)
class Page:
    """One type on one stream."""

    is_begun: bool = False
    names: set[str] = field(default_factory=set)
    star: bool = False
    acked: dict[ResourceName, Resource] = field(default_factory=dict)
    in_flight: Changes | None = None
    is_bound: bool = False
    """Whether the order between types binds: not for the first response, and in state of the world not before
    the first that is accepted."""
    due_again: set[ResourceName] = field(default_factory=set)
    """Asked for, or awaited, since the response in flight was sent."""
    rejected: list[Rejection] = field(default_factory=list)

    def covers(self, name: str) -> bool:
        """Whether the client is known to ask for that name."""
        return self.star or name in self.names

    def may_hold(self) -> list[Resource]:
        """Everything the client may hold now."""
        offered = [each for each in (self.in_flight or {}).values() if each]
        return [*self.acked.values(), *offered]


@dataclass(slots=True)
class Ledger:
    """All types of one stream."""

    is_delta: bool
    snapshot: Snapshot
    pages: dict[str, Page] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)

    def reads(self, type_url: str, names: set[str], *, star: bool, asked: set[str], told: list[Resource]) -> None:
        """The session reads a request, by which the client subscribes to these names; `asked` are told anew.

        By it the client is known to hold what is `told`.
        """
        page = self._page(type_url)
        asked = asked | (names - page.names)
        page.is_begun, page.names, page.star = True, names, star
        page.acked = {name: each for name, each in page.acked.items() if page.covers(name)}
        page.acked.update({each.name: each for each in told})
        page.is_bound = page.is_bound or bool(told)
        if asked and not page.is_bound and not self.is_delta:
            page.rejected.clear()  # a client that has accepted nothing is told everything, or nothing
        for name in asked:
            held = page.acked.get(ResourceName(name))
            self._allow(page, ResourceName(name))
            for awaited in held.awaits if held else ():
                self._allow(self._page(awaited.type_url), awaited.name)

    def answered(self, output: Acked | Nacked) -> None:
        """The session took note of an acknowledgement."""
        page = self.pages[output.type_url]
        changes, page.in_flight = page.in_flight or {}, None
        due_again, page.due_again = page.due_again, set()
        if isinstance(output, Nacked):
            offered: dict[ResourceName, str | None] = {
                name: each.version if each else None for name, each in changes.items()
            }
            page.rejected.append(Rejection(offered, due_again))
            self._reconsider(output.type_url, page)
            return
        page.is_bound = True
        for name, resource in changes.items():
            page.acked.pop(name, None)
            if resource and page.covers(name):
                page.acked[name] = resource

    def sends(self, respond: Respond, changes: Changes) -> None:
        """The session sends a response, which changes this."""
        page = self.pages[respond.type_url]
        if page.in_flight is not None:
            self.breaches.append(f"in flight: {respond.type_url} #{respond.nonce}")
        for name, resource in changes.items():
            self._hold_to_order(page, respond, name, resource)
            version = resource.version if resource else None
            page.due_again.discard(name)
            if any(rejected.forbids(name, version) for rejected in page.rejected):
                self.breaches.append(f"hot loop: {name} {version} in #{respond.nonce}")
            for awaited in resource.awaits if resource else ():
                self._allow(self._page(awaited.type_url), awaited.name)
        page.in_flight = changes
        page.is_bound = page.is_bound or self.is_delta

    def publishes(self, snapshot: Snapshot) -> None:
        """A newer snapshot: what differs from a rejected response may be sent again."""
        self.snapshot = snapshot
        for type_url, page in self.pages.items():
            self._reconsider(type_url, page)

    def _reconsider(self, type_url: str, page: Page) -> None:
        table = self.snapshot.tables[type_url]
        page.rejected = [
            rejected
            for rejected in page.rejected
            if all(version == getattr(table.get(name), "version", None) for name, version in rejected.offered.items())
            and (self.is_delta or page.is_bound or set(table) == rejected.offered.keys())
        ]

    def _hold_to_order(self, page: Page, respond: Respond, name: ResourceName, resource: Resource | None) -> None:
        if not page.is_bound:
            return
        if resource:
            missing = [need for need in resource.needs if not self._is_usable(need)]
            if missing:
                self.breaches.append(f"order: {name} in #{respond.nonce} names {missing}")
        elif name in page.acked:
            used_by = [each.name for each in self._users(Ref(respond.type_url, name))]
            if used_by:
                self.breaches.append(f"order: {name} removed in #{respond.nonce}, used by {used_by}")

    def _page(self, type_url: str) -> Page:
        return self.pages.setdefault(type_url, Page())

    def _users(self, ref: Ref) -> list[Resource]:
        """What the client may hold that names `ref`.

        In state of the world it can't be told to let go of a route table: one that is gone, and that nothing
        uses, uses nothing.
        """
        return [
            each
            for type_url, page in self.pages.items()
            for each in page.may_hold()
            if ref in each.refs and not (self._is_implied(type_url, each) and not self._users(Ref(type_url, each.name)))
        ]

    def _is_implied(self, type_url: str, resource: Resource) -> bool:
        partial = not self.is_delta and type_url not in WHOLE
        return partial and resource.name not in self.snapshot.tables[type_url]

    def _is_usable(self, ref: Ref) -> bool:
        page = self.pages.get(ref.type_url)
        if page is None or not page.is_begun:
            return True
        return ref.name in page.acked and (page.in_flight or {}).get(ref.name, page) is not None

    @staticmethod
    def _allow(page: Page, name: ResourceName) -> None:
        page.due_again.add(name)
        for rejected in page.rejected:
            rejected.excused.add(name)
