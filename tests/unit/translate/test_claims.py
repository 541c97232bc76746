from envoy_data_plane.envoy.type.matcher.v3 import MetadataMatcher, ValueMatcher

from xds.translate.claims import is_or_has


def read(matcher: MetadataMatcher) -> tuple[list[str], ValueMatcher, bool]:
    """A condition's path, value and inversion, as Envoy would read them."""
    held = MetadataMatcher.parse(bytes(matcher))
    assert held.filter == "envoy.filters.http.jwt_authn"
    assert held.value is not None
    return [segment.key or "" for segment in held.path], held.value, held.invert


def exact(value: ValueMatcher | None) -> str | None:
    assert value is not None
    assert value.string_match is not None
    return value.string_match.exact


def test_a_claim_is_a_string_or_a_list_that_has_it() -> None:
    path, value, invert = read(is_or_has(("roles",), "operator"))

    assert (path, invert) == (["payload", "roles"], False)
    assert value.or_match is not None
    alone, among = value.or_match.value_matchers
    assert among.list_match is not None
    assert exact(alone) == exact(among.list_match.one_of) == "operator"


def test_a_claim_inside_another_is_reached_step_by_step() -> None:
    assert read(is_or_has(("a", "https://x.example/b"), "x"))[0] == ["payload", "a", "https://x.example/b"]
