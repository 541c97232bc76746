"""Old contents with the keys of today."""

import json
from dataclasses import replace

import pytest

from tests.support.edge import JWKS, cell, edge_options, tenant, topology
from tests.support.translations import GRPC
from xds.names import NodeGroup, Revision, TypeUrl
from xds.publish import Entry, Kind, Recorded
from xds.publish.lanes import with_lanes
from xds.publish.live import with_live_keys, with_live_lanes
from xds.publish.structure import structure_of
from xds.snapshot import SHARED, Content, Place
from xds.translate import AuthMode, AuthOptions, CellBound, EdgeOptions, IssuerOptions, translate

NEW = json.dumps({"keys": [{**json.loads(JWKS)["keys"][0], "kid": "test-2"}]})
OLD_OPTIONS, NEW_OPTIONS = edge_options(), edge_options(jwks=NEW)
TOPOLOGY = topology(cell(), tenant())


def recorded(options: EdgeOptions = OLD_OPTIONS, *, structure: str | None = None) -> Recorded:
    """A snapshot that was made with these options."""
    content = translate(TOPOLOGY, options).content
    entry = Entry(
        number=1,
        revision=Revision(1),
        digest=content.digest,
        at=0.0,
        by="replica-1",
        kind=Kind.CHANGE,
        message="",
        structure=structure_of(options) if structure is None else structure,
    )
    return Recorded(entry=entry, content=content)


def bodies(content: Content) -> dict[Place, bytes]:
    return {place: each.body for place, each in content.items()}


def checks(content: Content) -> bytes:
    """What tokens are checked with."""
    return b"".join(each.body for each in content.tables[SHARED][TypeUrl.EXTENSION].values())


def test_todays_keys_are_in_it_and_the_withdrawn_ones_are_not() -> None:
    live = with_live_keys(recorded(), NEW_OPTIONS.auth)

    assert b"test-1" in checks(recorded().content)
    assert (b"test-2" in checks(live), b"test-1" in checks(live)) == (True, False)


def test_it_is_what_would_have_been_made_with_todays_keys() -> None:
    live = with_live_keys(recorded(), NEW_OPTIONS.auth)

    assert bodies(live) == bodies(translate(TOPOLOGY, NEW_OPTIONS).content)


def test_lanes_have_todays_keys_too() -> None:
    lane = NodeGroup("alphaswarm-edge~next")
    next_options = edge_options(cell_bound=CellBound.OFF)
    both = with_lanes(recorded().content, translate(TOPOLOGY, next_options).content)
    live = with_live_lanes(both, structure_of(next_options), NEW_OPTIONS.auth)

    expected = translate(TOPOLOGY, edge_options(jwks=NEW, cell_bound=CellBound.OFF)).content
    assert {place.group for place in live.changed_since(both).places} == {lane}
    assert bodies(Content(tables={SHARED: {TypeUrl.EXTENSION: live.tables[lane][TypeUrl.EXTENSION]}})) == bodies(
        Content(tables={SHARED: {TypeUrl.EXTENSION: expected.tables[SHARED][TypeUrl.EXTENSION]}})
    )
    same = with_lanes(recorded().content, translate(TOPOLOGY, replace(OLD_OPTIONS, client=("c", 80))).content)
    assert with_live_lanes(same, structure_of(OLD_OPTIONS), NEW_OPTIONS.auth) is same, "they hold the shared check"


def test_nothing_but_the_check_of_tokens_differs() -> None:
    old = recorded(replace(OLD_OPTIONS, grpc_group=GRPC))
    change = with_live_keys(old, NEW_OPTIONS.auth).changed_since(old.content)

    assert {each.kind for each in change.upserts} == {"ecds"}
    assert change.removed == frozenset()


def test_the_rest_of_the_check_is_the_snapshots_own() -> None:
    today = replace(NEW_OPTIONS.auth, clock_skew_seconds=5, websocket_query="token", mode=AuthMode.REQUIRED)

    assert bodies(with_live_keys(recorded(), today)) == bodies(translate(TOPOLOGY, NEW_OPTIONS).content)


def test_with_the_keys_that_it_has_it_is_the_same() -> None:
    assert not with_live_keys(recorded(), OLD_OPTIONS.auth).changed_since(recorded().content)


@pytest.mark.parametrize("structure", ["", "{}", '{"auth": "of another version"}'])
def test_what_another_version_made_is_left_as_it_is(structure: str) -> None:
    old = recorded(structure=structure)

    assert with_live_keys(old, NEW_OPTIONS.auth) is old.content


def test_an_issuer_that_is_no_longer_known_leaves_it_as_it_is() -> None:
    old = recorded()
    other = AuthOptions(issuers=(IssuerOptions(issuer="https://other", audiences=("a",), jwks=NEW),))

    assert with_live_keys(old, other) is old.content


def test_keys_that_are_not_known_yet_leave_it_as_it_is() -> None:
    old = recorded()

    assert with_live_keys(old, edge_options(jwks="").auth) is old.content
