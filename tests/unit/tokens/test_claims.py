import pytest

from xds.tokens.claims import claim_path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("tenant_id", ("tenant_id",)),
        ("org.tenant", ("org", "tenant")),
        ("/org/tenant", ("org", "tenant")),
        ("/https:~1~1x.example~1tenant", ("https://x.example/tenant",)),
        ("/a~01/b.c", ("a~1", "b.c")),
    ],
)
def test_a_claim_is_named_by_steps_or_by_a_json_pointer(name: str, path: tuple[str, ...]) -> None:
    assert claim_path(name) == path


@pytest.mark.parametrize("name", ["", ".", "a..b", "a.", "/", "/a/", "//a"])
def test_no_part_of_it_is_empty(name: str) -> None:
    with pytest.raises(ValueError, match="expected a claim's name"):
        claim_path(name)
