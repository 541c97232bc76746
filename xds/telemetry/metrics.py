"""The metrics, each with its meaning, its labels and its buckets.

Every label has few values, all known beforehand: a node or a tenant is never one. Must not know who counts.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from xds.names import TypeUrl

Variant = Literal["delta", "sotw"]
"""The two variants of the protocol."""

RequestKind = Literal["subscribe", "ack", "nack"]
"""What a request was: a subscription or a change of one, or the answer to a response."""

EndReason = Literal["closed", "reset", "drained", "refused", "failed"]
"""Why a stream ended.

Envoy closed it; the connection was lost; we ended it on shutdown; Envoy broke the protocol; our own fault.
"""

CalloutOutcome = Literal["admitted", "refused", "undecided"]
"""What became of a request with a session token: it got its tenant, or not; or nobody could say."""

LookupSource = Literal["table", "cache", "introspection", "joined"]
"""Who knew a session token: the table; the cache; its issuer, asked for it, or for another request that waited."""

Exchanged = Literal["granted", "denied", "limited", "failed"]
"""What became of an API key that was presented: a token; none; too often; the registry did not answer."""

Validated = Literal["allowed", "refused", "limited"]
"""What became of the question whether a token is good in a cell."""

_PREFIX = "alphaswarm_xds"
_OTHER_TYPE = "other"
_CONVERGENCE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PUBLISH = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CALLOUT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1)
_CHANGES = (0, 1, 2, 5, 10, 100, 1_000, 10_000, 100_000, 1_000_000)


_PUBLISH_MODES = ("auto", "manual", "frozen", "pinned")
_ROLLOUT_STATES = ("pending", "running", "done", "stopped")


class Metrics:
    """All metrics of one control plane, in a registry of their own.

    Those without labels are attributes of the Prometheus client's types; those with labels have methods,
    so that a wrong label is a type error. `type_url` is None for a type that this server does not serve.
    """

    content_type = CONTENT_TYPE_PLAIN_0_0_4
    """The media type of `render`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._add_streams()
        self._add_publishes()
        self._add_registry()
        self._add_callouts()
        self._add_tokens()
        ProcessCollector(registry=self._registry)

    def _add_streams(self) -> None:
        self._streams = self._gauge("streams", "Open ADS streams.", "variant")
        self._ended = self._counter("streams_ended", "ADS streams that ended, by reason.", "reason")
        self._requests = self._counter("requests", "Requests received from Envoys.", "type", "variant", "kind")
        self._responses = self._counter("responses", "Responses sent to Envoys.", "type", "variant")
        self._bytes = self._counter("response_bytes", "Bytes of the responses sent.", "type", "variant")
        self._nacks = self._counter("nacks", "Responses that an Envoy rejected.", "type")
        self._convergence = self._histogram(
            "convergence_seconds", "From a snapshot's publishing to an Envoy's ACK of it.", _CONVERGENCE, "type"
        )
        for variant in ("delta", "sotw"):
            self._streams.labels(variant)
        for type_url in TypeUrl:
            self._nacks.labels(type_url.label)

    def _add_publishes(self) -> None:
        self.publishes = self._counter("publishes", "Snapshots published.")
        """Snapshots published."""
        self.publish_seconds = self._histogram(
            "publish_seconds", "From a wake-up to the snapshot's hand-over to the sessions.", _PUBLISH
        )
        """From a wake-up to the snapshot's hand-over to the sessions."""
        self.publish_changes = self._histogram(
            "publish_changes", "Resources that a publish added, changed or removed.", _CHANGES
        )
        """Resources that a publish added, changed or removed."""
        self.snapshot = self._gauge("snapshot", "Number of the snapshot in force.")
        """Number of the snapshot in force."""
        self.publisher = self._gauge("publisher", "1 while this process is the one that records snapshots, else 0.")
        """1 while this process is the one that records snapshots, else 0."""
        self.publish_held = self._gauge("publish_held", "1 while changes wait for an operator's word, else 0.")
        """1 while changes wait for an operator's word, else 0."""
        self.publish_unrecorded = self._gauge(
            "publish_unrecorded", "1 while something is served that could not be recorded, else 0."
        )
        """1 while something is served that could not be recorded, else 0."""
        self._rollout = self._gauge("rollout", "1 for the state of the newest rollout of settings, else 0.", "state")
        self._rollout_wave = self._gauge("rollout_wave", "Its wave, counted from 1; 0 if there was none.")
        self._rollout_nodes = self._gauge("rollout_nodes", "Envoys that it has been given to.")
        self._publish_mode = self._gauge("publish_mode", "1 for how publishing goes, else 0.", "mode")
        self.problems = self._gauge("problems", "Registry rows left out because they cannot be translated.")
        """Registry rows left out because they cannot be translated."""
        self.tenants = self._gauge("tenants", "Tenants in the published topology.")
        """Tenants in the published topology."""
        self._resources = self._gauge("resources", "Resources in the snapshots in force.", "type")
        self._cells = self._gauge("cells", "Cells in the published topology.", "state")
        self._states: set[str] = set()

    def _add_registry(self) -> None:
        self.ready = self._gauge("ready", "1 while /readyz answers 200, else 0.")
        """1 while /readyz answers 200, else 0."""
        self.registry_revision = self._gauge("registry_revision", "Revision of the registry that is published.")
        """Revision of the registry that is published."""
        self.registry_connected = self._gauge("registry_connected", "1 while the registry can be reached, else 0.")
        """1 while the registry can be reached, else 0."""
        self.registry_reconnects = self._counter("registry_reconnects", "Connections to the registry made again.")
        """Connections to the registry made again."""
        self.tokens_required = self._gauge("tokens_required", "1 while every request to a cell needs a token, else 0.")
        self.operator_tokens_required = self._gauge(
            "operator_tokens_required", "1 while other machines need an operator's token to ask over HTTP, else 0."
        )
        """1 while every request to a cell needs a token, else 0."""
        self.jwks_keys = self._gauge("jwks_keys", "Public keys that issuers publish now.")
        """Public keys that issuers publish now."""
        self.jwks_failures = self._counter("jwks_failures", "Fetches of keys that failed; the last good ones stay.")
        """Fetches of keys that failed; the last good ones stay."""
        self._info = Info(_PREFIX, "The control plane and its modes.", registry=self._registry)

    def _add_callouts(self) -> None:
        self._callouts = self._histogram(
            "callout_seconds", "From a question about a session token to its answer.", _CALLOUT, "outcome"
        )
        self._lookups = self._counter("callout_lookups", "Session tokens looked up, by who knew.", "source")
        self.callout_suspended = self._gauge(
            "callout_suspended", "1 while the introspection endpoint has failed and is not asked, else 0."
        )
        """1 while the introspection endpoint has failed and is not asked, else 0."""

    def _add_tokens(self) -> None:
        self._exchanges = self._counter("token_exchanges", "API keys presented for a token, by outcome.", "outcome")
        self._validations = self._counter("token_validations", "Questions whether a token is good.", "outcome")
        for exchanged in get_args(Exchanged):
            self._exchanges.labels(exchanged)
        for validated in get_args(Validated):
            self._validations.labels(validated)

    def count_exchange(self, outcome: Exchanged) -> None:
        """Count an API key that was presented."""
        self._exchanges.labels(outcome).inc()

    def count_validation(self, outcome: Validated) -> None:
        """Count a token that was asked about."""
        self._validations.labels(outcome).inc()

    def open_stream(self, variant: Variant) -> None:
        """Count a stream as open."""
        self._streams.labels(variant).inc()

    def end_stream(self, variant: Variant, reason: EndReason) -> None:
        """Count a stream, opened before, as ended."""
        self._streams.labels(variant).dec()
        self._ended.labels(reason).inc()

    def count_request(self, type_url: TypeUrl | None, variant: Variant, kind: RequestKind) -> None:
        """Count a request received; one of kind `nack` counts as a NACK too."""
        self._requests.labels(_label(type_url), variant, kind).inc()
        if kind == "nack":
            self._nacks.labels(_label(type_url)).inc()

    def count_response(self, type_url: TypeUrl | None, variant: Variant, size: int) -> None:
        """Count a response sent, of `size` bytes."""
        self._responses.labels(_label(type_url), variant).inc()
        self._bytes.labels(_label(type_url), variant).inc(size)

    def observe_convergence(self, type_url: TypeUrl, seconds: float) -> None:
        """Record that an Envoy acknowledged a type `seconds` after its snapshot was published."""
        self._convergence.labels(type_url.label).observe(seconds)

    def observe_callout(self, outcome: CalloutOutcome, seconds: float) -> None:
        """Record that a question about a session token was answered after `seconds`."""
        self._callouts.labels(outcome).observe(seconds)

    def count_lookup(self, source: LookupSource) -> None:
        """Count a session token as looked up."""
        self._lookups.labels(source).inc()

    def set_resources(self, counts: Mapping[TypeUrl, int]) -> None:
        """Set how many resources of each type are in force; a type not named has none."""
        for type_url in TypeUrl:
            self._resources.labels(type_url.label).set(counts.get(type_url, 0))

    def set_cells(self, counts: Mapping[str, int]) -> None:
        """Set how many cells are in each state; a state not named has none."""
        self._states |= counts.keys()
        for state in self._states:
            self._cells.labels(state).set(counts.get(state, 0))

    def set_rollout(self, state: str, *, wave: int, nodes: int) -> None:
        """Set where the newest rollout is: pending, running, done or stopped; its wave is counted from 1."""
        for each in _ROLLOUT_STATES:
            self._rollout.labels(each).set(each == state)
        self._rollout_wave.set(wave)
        self._rollout_nodes.set(nodes)

    def set_publish_mode(self, mode: str) -> None:
        """Set how publishing goes: auto, manual, frozen or pinned."""
        for each in _PUBLISH_MODES:
            self._publish_mode.labels(each).set(each == mode)

    def set_info(self, *, version: str, auth_mode: str, cba_mode: str, http_auth: str) -> None:
        """Set what never changes while the process runs."""
        self.tokens_required.set(auth_mode == "required")
        self.operator_tokens_required.set(http_auth != "off")
        self._info.info({"version": version, "auth_mode": auth_mode, "cba_mode": cba_mode})

    def render(self) -> bytes:
        """Every metric in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", meaning, labels, registry=self._registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", meaning, labels, buckets=tuple(buckets), registry=self._registry)


def _label(type_url: TypeUrl | None) -> str:
    return _OTHER_TYPE if type_url is None else type_url.label
