"""What holds and what does not, at times of the test's own. tests/e2e/test_verifier_agrees.py asks Envoy."""

import json
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from xds.tokens import Reason, Refused, TrustedIssuer, Verified, Verifier, find_claim
from xds.tokens.verifier import LONGEST_TOKEN

KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
NOW = 1_800_000_000


def _jwks(key: ec.EllipticCurvePrivateKey) -> str:
    return json.dumps({"keys": [ECAlgorithm.to_jwk(key.public_key(), as_dict=True)]})


IDP = TrustedIssuer(issuer="https://idp", audiences=("api", "https://other/"), jwks=_jwks(KEY), clock_skew_seconds=60)
OURS = TrustedIssuer(
    issuer="https://ours", audiences=("api",), jwks=_jwks(OTHER), tenant_claim="org.tenant", cell_claim="org.cell"
)
VERIFIER = Verifier([IDP, OURS])


def token(key: ec.EllipticCurvePrivateKey = KEY, **claims: object) -> str:
    good = {"iss": "https://idp", "aud": "api", "exp": NOW + 300, "tenant_id": "acme"}
    kept = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.api_jws.encode(json.dumps(kept).encode(), key, "ES256")


def refusal(text: str, now: float = NOW) -> Reason | None:
    outcome = VERIFIER.verify(text, now)
    return outcome.reason if isinstance(outcome, Refused) else None


def verified(text: str) -> Verified:
    outcome = VERIFIER.verify(text, NOW)
    assert isinstance(outcome, Verified), outcome
    return outcome


def test_a_good_token_tells_its_issuer_tenant_and_claims() -> None:
    outcome = verified(token(sub="u"))
    assert (outcome.issuer, outcome.tenant, outcome.cell) == ("https://idp", "acme", None)
    assert outcome.claims["sub"] == "u"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.MALFORMED),
        ("abc", Reason.MALFORMED),
        ("a.b.c", Reason.MALFORMED),
        (token() + "\n", Reason.MALFORMED),
        (token() + "=", Reason.MALFORMED),
        (token().replace(".", ".\u0661", 1), Reason.MALFORMED),
        (token(exp="soon"), Reason.MALFORMED),
        (token(exp=True), Reason.MALFORMED),
        (token(exp=10**400), Reason.MALFORMED),
        (token(aud=[1]), Reason.MALFORMED),
        (token(iss="https://elsewhere"), Reason.ISSUER),
        (token(iss=None), Reason.ISSUER),
        (token(exp=None), Reason.NO_EXPIRY),
        (token(aud="other"), None),
        (token(aud="others"), Reason.AUDIENCE),
        (token(OTHER), Reason.SIGNATURE),
        (token(iss="https://ours"), Reason.SIGNATURE),
        (token(OTHER, iss="https://ours"), None),
    ],
)
def test_a_token_is_refused_with_the_reason(text: str, reason: Reason | None) -> None:
    assert refusal(text) is reason


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (NOW + 360, None),
        (NOW + 360.9, None),
        (NOW + 361, Reason.EXPIRED),
        (NOW - 260, None),
        (NOW - 261, Reason.NOT_YET),
    ],
)
def test_times_count_to_the_second_and_with_the_skew(now: float, reason: Reason | None) -> None:
    assert refusal(token(nbf=NOW - 200, exp=NOW + 300), now) is reason


def test_no_algorithm_but_a_public_keys_is_accepted() -> None:
    payload = token().split(".")[1]
    for algorithm in ("none", "None", "NONE", "HS256", "HS512", "", "RS256"):
        head = urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
        assert refusal(f"{head}.{payload}.c2ln") in (Reason.SIGNATURE, Reason.MALFORMED)


def test_what_is_longer_than_a_request_may_be_is_not_read() -> None:
    assert refusal("a" * LONGEST_TOKEN) is Reason.MALFORMED
    assert refusal("a" * (LONGEST_TOKEN + 1)) is Reason.TOO_LONG


def test_brackets_without_end_are_only_malformed() -> None:
    deep = urlsafe_b64encode(b'{"alg":' + b"[" * 40_000).rstrip(b"=").decode()
    assert refusal(f"{deep}.{deep[:100]}.c2ln") is Reason.MALFORMED


@pytest.mark.parametrize(
    ("value", "tenant"),
    [("acme", "acme"), (42, "42"), (42.0, "42"), (True, "true"), (4.5, ""), (["acme"], ""), ({}, "")],
)
def test_a_tenant_is_what_envoy_would_write_into_the_header(value: object, tenant: str) -> None:
    assert verified(token(tenant_id=value)).tenant == tenant


@pytest.mark.parametrize(("value", "cell"), [("cell-a", "cell-a"), ("", None), (None, None), (7, ""), (["cell-a"], "")])
def test_a_token_is_bound_unless_its_cell_is_empty_or_null(value: object, cell: str | None) -> None:
    assert verified(token(cell=value)).cell == cell


def test_each_issuer_has_its_own_claims_and_a_dot_goes_into_an_object() -> None:
    outcome = verified(token(OTHER, iss="https://ours", org={"tenant": "globex", "cell": "cell-b"}))
    assert (outcome.tenant, outcome.cell) == ("globex", "cell-b")
    assert find_claim({"a": {"b": None}}, "a.b") == (None,)
    assert find_claim({"a": "b"}, "a.b") == find_claim({}, "a") == ()


def test_what_the_issuer_calls_critical_is_refused() -> None:
    text = jwt.api_jws.encode(token().encode(), KEY, "ES256", headers={"crit": ["moon"], "moon": "full"})
    assert refusal(text) is Reason.MALFORMED


@pytest.mark.parametrize("faulty", [{"issuer": ""}, {"audiences": ()}, {"audiences": ("api", "")}])
def test_an_issuer_of_which_not_all_would_be_checked_is_never_built(faulty: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        TrustedIssuer(**({"issuer": "i", "audiences": ("a",), "jwks": "{}"} | faulty))  # type: ignore[arg-type]


def test_an_issuer_is_named_once() -> None:
    with pytest.raises(ValueError, match="https://idp: expected once"):
        Verifier([IDP, IDP])


@given(st.text() | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_whatever_comes_is_refused_and_raises_nothing(text: str) -> None:
    assert refusal(text) is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
    st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "jti", "tenant_id", "cell"]),
)
def test_whatever_the_issuer_signs_raises_nothing(value: object, name: str) -> None:
    outcome = VERIFIER.verify(token(KEY, **{name: value}), NOW)
    assert isinstance(outcome, Verified | Refused)


@given(st.data())
def test_a_token_with_any_character_changed_is_refused_or_says_the_same(data: st.DataObject) -> None:
    text = token()
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters()) + text[at + 1 :]
    outcome = VERIFIER.verify(changed, NOW)
    # The last character of a part has bits that base64 does not use.
    assert isinstance(outcome, Refused) or outcome == verified(text)
