"""Resources that a client lets go of unless it hears of them again ("TTL"), in both variants."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse, DiscoveryResponse
from envoy_data_plane.envoy.service.discovery.v3 import Resource as Wrapper

from tests.support.builders import CDS, EDS, Item, eds_cluster, endpoints, snapshot
from tests.support.conversation import VARIANTS, Variant
from xds.names import ResourceName
from xds.session import DeltaRequest, DeltaSession, Limits, Output, Respond, SotwRequest, SotwSession
from xds.session.identity import TTL_FEATURE, WRAPPER_FEATURE
from xds.snapshot import Frames, encode_resource

WRAPPER = "type.googleapis.com/envoy.service.discovery.v3.Resource"
ABLE = frozenset({TTL_FEATURE, WRAPPER_FEATURE})
MINUTE = timedelta(seconds=60)


def mortal(name: str, content: object = 1, *, ttl: int | None = 60) -> Item:
    body = f"{name}={content}".encode()
    return Item(EDS, encode_resource(ResourceName(name), body, ttl=ttl))


def beat(variant: Variant, name: str, ttl: timedelta = MINUTE) -> tuple[str, bool, timedelta]:
    """A heartbeat. In state of the world Envoy (1.40) lets go in spite of one that has no content."""
    return (name, variant == "sotw", ttl)


class Talk:
    """A client of endpoints alone, and what it is told: name, whether with content, TTL."""

    def __init__(self, variant: Variant, *items: Item, features: frozenset[str] = ABLE) -> None:
        self.variant = variant
        kind = DeltaSession if variant == "delta" else SotwSession
        self.session = kind(snapshot(*items), Limits(), Frames(), features)
        self.nonce = ""

    def asks(self, *names: str, known: dict[str, str] | None = None) -> list[tuple[str, bool, timedelta | None]]:
        if isinstance(self.session, DeltaSession):
            request = DeltaRequest(type_url=EDS, subscribe=names, known=known or {})
            return self.hears(self.session.receive(request, 0))
        return self.hears(self.session.receive(SotwRequest(type_url=EDS, names=names), 0))

    def acks(self, *names: str, now: float = 0, error: str | None = None) -> list[tuple[str, bool, timedelta | None]]:
        if isinstance(self.session, DeltaSession):
            return self.hears(self.session.receive(DeltaRequest(type_url=EDS, nonce=self.nonce, error=error), now))
        request = SotwRequest(type_url=EDS, nonce=self.nonce, names=names, error=error)
        return self.hears(self.session.receive(request, now))

    def publishes(self, *items: Item, now: float = 0) -> list[tuple[str, bool, timedelta | None]]:
        return self.hears(self.session.publish(snapshot(*items, number=2), now))

    def waits(self) -> tuple[float, list[tuple[str, bool, timedelta | None]]]:
        """Until the session has something to do: when that is, and what it says then."""
        due = self.session.deadline
        assert due is not None
        return due, self.hears(self.session.expire(due))

    def hears(self, outputs: tuple[Output, ...]) -> list[tuple[str, bool, timedelta | None]]:
        frames = [output for output in outputs if isinstance(output, Respond)]
        self.nonce = frames[-1].nonce if frames else self.nonce
        told = [_told(self.variant, each.frame) for each in frames]
        assert [each.resources for each in frames] == [len(each) for each in told]
        return [one for each in told for one in each]


def _told(variant: Variant, frame: bytes) -> list[tuple[str, bool, timedelta | None]]:
    if variant == "delta":
        return [
            (each.name, each.resource is not None, each.ttl) for each in DeltaDiscoveryResponse.parse(frame).resources
        ]
    told = []
    for message in DiscoveryResponse.parse(frame).resources:
        if message.type_url == WRAPPER:
            wrapper = Wrapper.parse(message.value)
            assert wrapper.resource is None or wrapper.resource.type_url in {CDS, EDS}
            told.append((wrapper.name, wrapper.resource is not None, wrapper.ttl))
        else:
            told.append((message.value.decode().partition("=")[0], True, None))
    return told


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> Variant:
    return cast("Variant", request.param)


def test_rule_42_a_ttl_goes_with_its_own_resource(variant: Variant) -> None:
    talk = Talk(variant, mortal("a"), endpoints("b"))

    assert talk.asks("a", "b") == [("a", True, MINUTE), ("b", True, None)]


@pytest.mark.parametrize(
    ("variant", "features"),
    [
        ("delta", frozenset()),
        ("delta", frozenset({WRAPPER_FEATURE})),
        ("sotw", frozenset()),
        ("sotw", frozenset({TTL_FEATURE})),
        ("sotw", frozenset({WRAPPER_FEATURE})),
    ],
)
def test_rule_42_a_client_that_does_not_say_it_can_is_told_of_no_ttl(
    variant: Variant, features: frozenset[str]
) -> None:
    talk = Talk(variant, mortal("a"), features=features)

    assert talk.asks("a") == [("a", True, None)]
    assert talk.acks("a") == []
    assert talk.session.deadline is None


def test_rule_43_a_heartbeat_has_no_content_in_delta_and_comes_three_times_in_a_ttl(variant: Variant) -> None:
    talk = Talk(variant, mortal("a"), mortal("b", ttl=90), endpoints("c"))
    talk.asks("a", "b", "c")
    assert talk.acks("a", "b", "c") == []

    assert talk.waits() == (20, [beat(variant, "a"), beat(variant, "b", timedelta(seconds=90))])
    assert talk.acks("a", "b", "c", now=21) == []
    assert talk.waits()[0] == 40


def test_rule_43_a_heartbeat_has_the_version_that_was_sent_last() -> None:
    item = mortal("a")
    talk = Talk("delta", item)
    talk.asks("a")
    talk.acks("a")

    (respond,) = talk.session.expire(20)
    assert isinstance(respond, Respond)
    (told,) = DeltaDiscoveryResponse.parse(respond.frame).resources
    assert (told.version, told.resource) == (item.resource.version, None)


def test_rule_43_a_heartbeat_that_is_not_answered_is_not_repeated(variant: Variant) -> None:
    talk = Talk(variant, mortal("a"))
    talk.asks("a")
    talk.acks("a")
    talk.waits()

    assert talk.session.deadline is None
    assert talk.session.expire(1000) == ()
    assert talk.acks("a", now=1000) == [beat(variant, "a")]


def test_rule_43_what_changes_is_sent_whole_and_the_rest_lives_on(variant: Variant) -> None:
    talk = Talk(variant, mortal("a"), mortal("b"))
    talk.asks("a", "b")
    talk.acks("a", "b")

    assert talk.publishes(mortal("a", 2), mortal("b"), now=20) == [("a", True, MINUTE), beat(variant, "b")]


def test_rule_43_what_a_client_rejects_does_not_end_what_it_holds(variant: Variant) -> None:
    talk = Talk(variant, mortal("a"))
    talk.asks("a")
    talk.acks("a")
    talk.publishes(mortal("a", "bad"), now=1)
    assert talk.acks("a", now=2, error="no") == []

    assert talk.waits() == (20, [beat(variant, "a")])


def test_rule_43_a_client_that_comes_back_hears_at_once_of_what_it_brought_along() -> None:
    item = mortal("a")
    talk = Talk("delta", item)

    assert talk.asks("a", known={"a": item.resource.version}) == [("a", False, MINUTE)]


def test_rule_44_a_ttl_is_taken_away_by_sending_the_resource_without_it(variant: Variant) -> None:
    talk = Talk(variant, mortal("a"))
    talk.asks("a")
    talk.acks("a")

    assert talk.publishes(mortal("a", ttl=None)) == [("a", True, None)]
    assert talk.acks("a") == []
    assert talk.waits() == (20, [])
    assert talk.session.deadline is None


def test_rule_44_a_ttl_that_changes_is_a_new_version() -> None:
    versions = {mortal("a", ttl=ttl).resource.version for ttl in (None, 1, 11, 60)}

    assert len(versions) == 4


def test_a_state_of_the_world_that_is_whole_needs_no_heartbeat_beside_it() -> None:
    item = eds_cluster("a")
    dying = Item(CDS, replace(item.resource, ttl=60, awaits=()))
    session = SotwSession(snapshot(dying), Limits(), Frames(), ABLE)
    session.receive(SotwRequest(type_url=CDS), 0)
    session.receive(SotwRequest(type_url=CDS, nonce="1"), 0)

    (respond,) = session.expire(20)
    assert isinstance(respond, Respond)
    assert _told("sotw", respond.frame) == [("a", True, MINUTE)]
