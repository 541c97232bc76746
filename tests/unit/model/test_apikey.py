"""When a key is good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from xds.model import ApiKey, KeyState
from xds.names import KeyId, TenantId

NOW = datetime(2027, 1, 1, tzinfo=UTC)
KEY = ApiKey(
    id=KeyId("k"), tenant=TenantId("acme"), name="ci", created_at=NOW, created_by="me", expires_at=NOW + timedelta(1)
)


def test_a_key_is_good_until_it_expires_unless_it_is_revoked() -> None:
    moment = timedelta(microseconds=1)
    assert KEY.state(KEY.expires_at - moment) is KeyState.VALID
    assert KEY.state(KEY.expires_at) is KeyState.EXPIRED
    revoked = replace(KEY, revoked_at=NOW)
    assert revoked.state(NOW) is revoked.state(KEY.expires_at) is KeyState.REVOKED
