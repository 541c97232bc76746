import pytest

from xds.translate.forwarding import forget_proxies


def test_what_nobody_may_say_of_a_requests_way_is_removed() -> None:
    mutations = forget_proxies(0)

    matchers = [each.remove_on_match.key_matcher for each in mutations if each.remove_on_match]
    assert [each.prefix for each in matchers if each] == ["x-forwarded-", "x-original-", "x-rewrite-"]
    assert [each.remove for each in mutations if each.remove] == ["forwarded", "x-real-ip"]


@pytest.mark.parametrize("hops", [1, 2])
def test_a_proxy_of_ours_is_believed(hops: int) -> None:
    assert forget_proxies(hops) == []
