"""What becomes of what is desired: published, or held for an operator's word. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xds.model import Topology
from xds.names import Revision
from xds.publish.guard import Guard
from xds.publish.history import Candidate, Entry, Kind, Recorded
from xds.publish.lanes import has_lanes, is_rollouts
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.structure import structure_of
from xds.snapshot import Content
from xds.translate import Translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A content that may become a snapshot, and what will be known of it."""

    content: Content
    revision: Revision
    structure: str
    counts: Mapping[str, int]
    kind: Kind = Kind.CHANGE
    by: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to publish, unless nothing differs; and what is held."""

    draft: Draft
    held: Candidate | None = None


def draft_of(translation: Translation, base: Recorded | None) -> Draft:
    """What the registry, the keys and the settings ask for."""
    structure = structure_of(translation.options)
    is_same = base is not None and base.entry.structure == structure
    first_or_new = Kind.FIRST if base is None else Kind.STRUCTURE
    return Draft(
        content=translation.content,
        revision=translation.topology.revision,
        structure=structure,
        counts=counts_of(translation.topology),
        kind=Kind.CHANGE if is_same else first_or_new,
    )


def in_force(recorded: Recorded, rollout: Rollout | None) -> str:
    """The structure that all nodes have, or are to have now.

    That of the newest snapshot, also if a rollback put it back: the publisher's own settings then go by rollout, like
    any that differ. Or that of a rollout that was done since: as long as its lanes stand there it is not everyone's
    yet, though keys may have been published meanwhile.
    """
    entry = recorded.entry
    if rollout is not None and rollout.state is RolloutState.DONE:
        has_ended_since = (rollout.ended_at or 0.0) > entry.at
        if has_ended_since or (entry.kind is not Kind.ROLLBACK and has_lanes(recorded.content)):
            return rollout.structure
    return entry.structure


def redraft(entry: Entry, content: Content, *, kind: Kind = Kind.CHANGE, by: str = "", message: str = "") -> Draft:
    """A snapshot's content again, perhaps with other keys."""
    return Draft(
        content=content,
        revision=entry.revision,
        structure=entry.structure,
        counts=entry.counts,
        kind=kind,
        by=by,
        message=message,
    )


def counts_of(topology: Topology) -> dict[str, int]:
    """How many cells, in all and by state, tenants and endpoints there are."""
    counts = {"tenants": len(topology.tenants), "cells": 0, "endpoints": 0}
    for cell in topology.cells.values():
        counts["cells"] += cell.state.is_pushed
        counts["endpoints"] += len(cell.endpoints) if cell.state.is_pushed else 0
        counts[cell.state.value] = counts.get(cell.state.value, 0) + 1
    return counts


def decide(
    wanted: Draft,
    base: Recorded,
    current: Draft,
    policy: Policy,
    guard: Guard,
    *,
    seen: Draft | None = None,
    doubt: str = "",
) -> Decision:
    """Publish `wanted`, or `current`: what is in force, with today's keys; or what an operator approved of.

    `seen` is what was held when an operator last looked: what is approved is that, though there may be more by now.
    `doubt` is why the registry itself is not believed, if it is not.
    """
    is_open = policy.approved and policy.pinned is None and not policy.is_frozen
    if is_open and base.content.digest != policy.approved:
        approved = next((each for each in (wanted, seen) if each and each.content.digest == policy.approved), None)
        if approved is not None:
            return Decision(draft=_approved(approved, policy))
    gone = wanted.content.changed_since(base.content)
    hold = policy.hold
    if hold and is_rollouts(wanted.content, current.content):
        hold = policy.stop
    reason = hold or doubt or guard.objection(base.entry.counts, wanted.counts, base.content, gone)
    if not reason:
        return Decision(draft=wanted)
    change = wanted.content.changed_since(current.content)
    if not change:
        return Decision(draft=current)
    held = Candidate(
        digest=wanted.content.digest,
        revision=wanted.revision,
        reason=reason,
        change=change,
        counts=wanted.counts,
    )
    return Decision(draft=current, held=held)


def _approved(draft: Draft, policy: Policy) -> Draft:
    return Draft(
        content=draft.content,
        revision=draft.revision,
        structure=draft.structure,
        counts=draft.counts,
        kind=Kind.OPERATOR,
        by=policy.by,
        message=policy.message,
    )
