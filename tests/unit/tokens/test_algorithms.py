import pytest

from tests.unit.tokens.jwks import curve, encoded, rsa
from xds.tokens.algorithms import ALGORITHMS, DEFAULT_ALGORITHMS, algorithms_of, material


def test_there_is_no_none_and_nothing_that_whoever_checks_could_sign_with() -> None:
    assert not [each for each in ALGORITHMS if each.lower() == "none" or each.startswith("HS")]
    assert set(DEFAULT_ALGORITHMS) <= set(ALGORITHMS)


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (rsa(), ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (curve(), ("ES256",)),
        (curve("P-384", 48), ("ES384",)),
        (curve("P-521", 66), ("ES512",)),
        ({"kty": "OKP", "crv": "Ed25519", "x": encoded(b"x" * 32)}, ("EdDSA",)),
    ],
)
def test_a_key_is_good_for_the_algorithms_of_its_type(key: dict[str, str], algorithms: tuple[str, ...]) -> None:
    assert algorithms_of(key) == algorithms
    assert material({**key, "x5c": ["a"], "kid": "1"}).keys() == key.keys() - {"kid"}


@pytest.mark.parametrize("key", [{}, {"kty": "oct", "k": "a"}, curve("P-256K"), {"kty": "OKP", "crv": "X25519"}])
def test_other_types_are_not_supported(key: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not supported"):
        algorithms_of(key)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (rsa(bits=1024), "RSA of 1024 bits; expected 2048 or more"),
        (rsa(n=""), "'n' is missing"),
        (rsa(e=5), "'e' is missing"),
        (rsa(n="a!"), "'n' is not in base64url"),
        (curve(size=31), "'x' has another length than 32 bytes"),
    ],
)
def test_a_weak_or_broken_key_is_told(key: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        material(key)
