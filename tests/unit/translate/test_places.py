from dataclasses import replace

from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from tests.support.edge import edge_options
from xds.translate import AuthOptions
from xds.translate.places import hide_tokens, places

AUTH = edge_options().auth
ALL = replace(AUTH, websocket_query="access_token", websocket_cookie="session", websocket_origins=("*",))
APP, ADMIN = "https://app.example", "https://admin.example:8443"


def looked_for(auth: AuthOptions) -> list[tuple[str, list[str], list[str]]]:
    """Each place, and which headers and parameters a request must have to be looked at there."""
    matches = [(place.name, place.match("/ws")) for place in places(auth)]
    return [
        (name, [each.name for each in match.headers], [each.name for each in match.query_parameters])
        for name, match in matches
    ]


def test_the_header_comes_first_then_the_query_and_the_last_is_for_all_others() -> None:
    assert looked_for(ALL) == [("header", ["Authorization"], []), ("query", [], ["access_token"]), ("cookie", [], [])]
    assert looked_for(replace(ALL, websocket_cookie="")) == [("header", ["Authorization"], []), ("query", [], [])]
    assert looked_for(AUTH) == [("header", [], [])]


def test_a_cookie_counts_if_a_page_of_one_of_the_origins_sends_it_and_else_a_header_is_wanted() -> None:
    named = places(replace(ALL, websocket_origins=(APP, ADMIN)))

    assert [place.name for place in named] == ["header", "query", "cookie", "cookie", "header"]
    for place, origin in zip(named[2:4], (APP, ADMIN), strict=True):
        (asked,) = place.match("/ws").headers
        assert (asked.name, asked.string_match) == ("origin", StringMatcher(exact=origin))
    assert not named[-1].match("/ws").headers


def test_what_is_not_configured_is_not_hidden() -> None:
    assert hide_tokens(AUTH) is None


def test_the_script_knows_both_names() -> None:
    script = hide_tokens(ALL)

    assert script is not None
    assert script.default_source_code is not None
    assert script.default_source_code.inline_string is not None
    assert script.default_source_code.inline_string.startswith('local QUERY, COOKIE = "access_token", "session"')
