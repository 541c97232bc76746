import re
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from tests.support.edge import AUDIENCE, GROUP, INTERNAL, ISSUER, edge_options
from xds.names import NodeGroup, TenantId
from xds.translate import AuthMode, AuthOptions, ClusterOptions, ConnectionOptions, IssuerOptions

ONE = IssuerOptions(issuer=ISSUER, audiences=(AUDIENCE,))


@pytest.mark.parametrize("missing", [{"issuer": ""}, {"audiences": ()}, {"audiences": ("a", "")}])
def test_options_with_which_envoy_would_not_check_tokens_are_refused(missing: dict[str, object]) -> None:
    given: dict[str, object] = {"issuer": "i", "audiences": ("a",)}

    with pytest.raises(ValueError, match=re.escape("must not be empty: Envoy would not check them")):
        IssuerOptions(**{**given, **missing})  # type: ignore[arg-type]  # any of the fields


@pytest.mark.parametrize("empty", [{"tenant_claim": ()}, {"tenant_claim": ("a", "")}, {"cell_claim": ("",)}])
def test_a_claim_has_a_name(empty: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match="a claim's path must not be empty"):
        replace(ONE, **empty)  # type: ignore[arg-type]  # of the right type


@pytest.mark.parametrize("mode", [AuthMode.REQUIRED, AuthMode.OPTIONAL])
def test_tokens_are_never_checked_against_nobody(mode: AuthMode) -> None:
    with pytest.raises(ValueError, match="there must be one"):
        AuthOptions(issuers=(), mode=mode)


def test_with_no_token_looked_at_every_request_is_somebodys() -> None:
    with pytest.raises(ValueError, match="anonymous tenant's: there must be one"):
        AuthOptions(issuers=(), mode=AuthMode.OFF)
    assert AuthOptions(issuers=(), mode=AuthMode.OFF, anonymous_tenant=TenantId("acme")).public_tenant == "acme"


def test_while_tokens_are_required_nobody_is_anonymous() -> None:
    assert AuthOptions(issuers=(ONE,), anonymous_tenant=TenantId("acme")).public_tenant is None


def test_an_issuer_is_named_once() -> None:
    with pytest.raises(ValueError, match="named once"):
        AuthOptions(issuers=(ONE, replace(ONE, audiences=("other",))))


@pytest.mark.parametrize("place", [{"websocket_query": 'a"b'}, {"websocket_cookie": "a]b"}])
def test_a_places_name_can_stand_in_a_script(place: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        AuthOptions(issuers=(ONE,), **place)  # type: ignore[arg-type]  # of the right type


def test_whose_pages_may_use_a_cookie_must_be_said() -> None:
    with pytest.raises(ValueError, match="whose may use it"):
        AuthOptions(issuers=(ONE,), websocket_cookie="session")


def test_new_keys_are_those_of_their_issuer_only() -> None:
    fixed = replace(ONE, issuer="https://ours", jwks="fixed")
    auth = AuthOptions(issuers=(ONE, fixed)).with_keys({ISSUER: "new"})

    assert [each.jwks for each in auth.issuers] == ["new", "fixed"]


@pytest.mark.parametrize("options", [ClusterOptions(), ConnectionOptions()])
def test_no_duration_is_below_what_can_be_encoded(options: ClusterOptions | ConnectionOptions) -> None:
    # betterproto2 writes negative durations wrong; Envoy refuses most zero ones.
    durations = [getattr(options, each.name) for each in fields(options)]

    assert all(each > timedelta(0) for each in durations if isinstance(each, timedelta))


def test_a_health_check_ends_before_the_next_begins() -> None:
    options = ClusterOptions()

    assert options.health_timeout < options.health_interval


def test_a_node_group_is_envoys_or_grpc_clients() -> None:
    with pytest.raises(ValueError, match=f"node group {GROUP} is gRPC clients' and can't be Envoys' too"):
        replace(edge_options(), grpc_group=GROUP)


@pytest.mark.parametrize("missing", ["certificate_file", "key_file", "ca_file", "allowed_sans"])
def test_an_internal_listener_that_would_let_anyone_in_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match="must not be empty: any caller would be let in"):
        replace(INTERNAL, **{missing: type(getattr(INTERNAL, missing))()})


def test_internal_listeners_groups_are_envoys_too() -> None:
    inside = NodeGroup("inside")
    options = edge_options(internal=replace(INTERNAL, listeners={inside: ("127.0.0.1", 1), GROUP: ("127.0.0.1", 2)}))

    assert options.groups == (GROUP, inside)
    with pytest.raises(ValueError, match="node group inside is gRPC clients'"):
        replace(options, grpc_group=inside)


def test_options_are_values() -> None:
    assert edge_options() == edge_options()
    assert replace(edge_options(), client=("host", 1)) != edge_options()
