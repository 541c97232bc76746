"""Types that Envoy has and this control plane has no resources of: the session treats them by what they name.

The made-up resources below need and await each other as a mesh's do: filters' config (ECDS) and certificates (SDS)
are named by listeners and clusters, a scope by nothing.
"""

import pytest

from tests.support.builders import CDS, LDS, RDS, SRDS, Item, anchor, item, listener, ref, route, scope
from tests.support.conversation import VARIANTS, Conversation, Variant

ECDS = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
SDS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

USES = [(ECDS, LDS), (SDS, LDS), (SDS, CDS)]
"""What is named, and by what."""
each_use = pytest.mark.parametrize(("named", "by"), USES, ids=["ecds-lds", "sds-lds", "sds-cds"])
each_variant = pytest.mark.parametrize("variant", VARIANTS)


def user(type_url: str, of: str, name: str, content: object = 1) -> Item:
    """A resource that is of no use without another, which its client asks for once it has this."""
    return item(type_url, "user", content, awaits=(ref(of, name),))


def connected(variant: Variant, named: str, by: str) -> Conversation:
    """A client that holds `x`, and what names it."""
    conversation = Conversation(variant, (user(by, named, "x"), item(named, "x")))
    conversation.asks(by)
    conversation.asks(named, "x")
    conversation.settles()
    return conversation


def told(lines: list[str]) -> list[str]:
    """What was said, without types and numbers; acknowledgements left out."""
    return [line.partition(": ")[2] for line in lines if "acked" not in line]


# Eventual consistency considerations


@each_variant
def test_rule_41_a_scope_follows_the_route_table_and_the_listener_that_it_refers_to(variant: Variant) -> None:
    before = (listener("l"), route("r"), anchor("r"), scope("t", "r"))
    conversation = Conversation(variant, before)
    conversation.asks(LDS)
    conversation.asks(SRDS)
    conversation.asks(RDS, "r", "s")
    conversation.settles()

    moved = item(SRDS, "t", "s", needs=(ref(RDS, "s"), ref(LDS, "m")))
    assert told(conversation.publishes(*before[:3], listener("m"), route("s"), moved)) == [
        "m=1" if variant == "delta" else "l=1 m=1",
        "s=1",
    ]
    assert told(conversation.acks(LDS)) == []
    assert told(conversation.acks(RDS)) == ["t=s" if variant == "delta" else "-/r=1 t=s"]


@each_use
@each_variant
def test_rule_41_what_is_needed_goes_before_what_needs_it(variant: Variant, named: str, by: str) -> None:
    conversation = Conversation(variant, (item(by, "user", needs=(ref(named, "x"),)), item(named, "x")))
    conversation.asks(named, "x", "y")
    conversation.asks(by)
    conversation.settles()

    newer = (item(by, "user", 2, needs=(ref(named, "y"),)), item(named, "x"), item(named, "y"))
    assert told(conversation.publishes(*newer)) == ["y=1"]
    assert told(conversation.acks(named)) == ["user=2"]


@each_use
@each_variant
def test_rule_41_what_is_named_is_removed_after_what_named_it(variant: Variant, named: str, by: str) -> None:
    conversation = connected(variant, named, by)

    assert told(conversation.publishes(user(by, named, "y", 2), item(named, "y"))) == ["user=2"]
    is_said = variant == "delta" and named != ECDS
    assert told(conversation.acks(by)) == (["-x"] if is_said else []), "in sotw none can be said, nor of a filter"


def test_rule_41_a_filters_config_that_does_not_exist_is_not_said_to_be_missing_and_is_sent_once_it_exists() -> None:
    conversation = Conversation("delta", ())

    assert told(conversation.asks(ECDS, "x")) == []
    assert told(conversation.publishes(item(ECDS, "x"))) == ["x=1"]
    assert told(conversation.acks(ECDS)) == []
    assert told(conversation.publishes()) == []
    assert told(conversation.publishes(item(ECDS, "x"))) == ["x=1"]


@each_use
@each_variant
def test_rule_41_what_is_still_named_is_never_removed(variant: Variant, named: str, by: str) -> None:
    conversation = connected(variant, named, by)
    assert told(conversation.publishes(user(by, named, "y", 2), item(named, "y"))) == ["user=2"]

    assert told(conversation.nacks(by)) == []
    assert conversation.session.deadline is None
    assert told(conversation.waits(1000)) == []


# Resource warming


@each_use
@each_variant
def test_rule_40_what_is_awaited_is_sent_again_after_what_awaits_it(variant: Variant, named: str, by: str) -> None:
    conversation = connected(variant, named, by)

    changed = conversation.publishes(user(by, named, "x", 2), item(named, "x"))

    assert told(changed) == ["user=2", "x=1"]
