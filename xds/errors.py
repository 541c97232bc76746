"""Every exception of this package, and who is at fault.

    XdsError
    ├── SettingsError         the operator: a setting is missing or wrong; lists every fault at once
    ├── RequestError          the caller of an operation: bad input, nothing was changed
    │   ├── NotFound          … it names something that does not exist
    │   └── Conflict          … the registry's present state forbids it
    │       └── Stale         … what it would change is not what its caller has seen
    ├── RegistryError         the dependency
    │   ├── RegistryUnavailable   cannot be reached now; retried, the last snapshot stays in force
    │   ├── ChangesPruned         its change log cannot tell what happened since a revision; load anew
    │   └── RegistryMismatch      its schema is not the one this version needs
    ├── KeysError             the dependency: an issuer's keys
    │   ├── KeysUnavailable   cannot be had now; retried, the last good ones stay in force
    │   └── KeysUnusable      are there, and can't be used
    ├── ReplicaUnavailable    the dependency: a running server that was asked something
    ├── EvidenceUnavailable   the dependency: what a canary is judged by cannot be had; that is never a "go"
    ├── InconsistentSnapshot  us: a snapshot that points at what it does not hold; never published
    └── LocalFailure          this machine: a port is taken, a binary cannot run

What a peer does wrong is no exception here: a NACK, a stale nonce and a protocol violation are outputs
of a session, and a registry row that cannot be translated is a `Problem`.

Each message is one line that a user can act on: what was expected, what came, and where.
"""


class XdsError(Exception):
    """The root: anything this package raises on purpose."""


class SettingsError(XdsError):
    """One or more settings are missing or wrong; `faults` has one line each, led by the variable's name."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class RequestError(XdsError):
    """An operation was asked for with input that makes no sense; nothing was changed."""


class NotFound(RequestError):
    """An operation names a cell or tenant that does not exist."""


class Conflict(RequestError):
    """An operation is refused by the present state of the registry."""


class Stale(Conflict):
    """An operation is about to change what somebody else has changed since its caller looked."""


class RegistryError(XdsError):
    """The registry could not answer."""


class RegistryUnavailable(RegistryError):
    """The registry cannot be reached now."""


class ChangesPruned(RegistryError):
    """The change log no longer reaches back to a revision, or not yet up to it: load everything anew."""


class RegistryMismatch(RegistryError):
    """The registry answers, but its schema is not the one this version needs."""


class ReplicaUnavailable(XdsError):
    """A running server did not answer, or not what was expected."""


class KeysError(XdsError):
    """The keys that an issuer's tokens are checked with are not to be had."""


class KeysUnavailable(KeysError):
    """The keys cannot be had now."""


class KeysUnusable(KeysError):
    """What came as a JWKS is none, or holds nothing that tokens can be checked with."""


class EvidenceUnavailable(XdsError):
    """Something that a canary is judged by cannot be had now."""


class InconsistentSnapshot(XdsError):
    """A snapshot names resources that it does not hold."""


class LocalFailure(XdsError):
    """Something on this machine is in the way: a port is taken, a binary is missing or cannot run."""
