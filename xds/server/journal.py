"""What happened on a stream: its log lines, its metrics and its record in the fleet.

No decision depends on it.
"""

from xds.names import TypeUrl
from xds.server.fleet import StreamRecord
from xds.session import Acked, Ignored, Nacked, Output, Respond, Violated
from xds.telemetry import Logger, Metrics, RequestKind

_NAMES_LOGGED = 20
_WORDS_LOGGED = 500
"""Characters of a rejection. Some of Envoy's quote the whole resource; the fleet's record has them."""

_LARGE = 4 << 20
"""Bytes of a response: gRPC's own clients refuse larger ones by default, and without a word. Envoy's does not."""


class Journal:
    """Notes what the session of one stream says. Times are in seconds of the loop's clock."""

    def __init__(self, record: StreamRecord, metrics: Metrics, log: Logger) -> None:
        self._record = record
        self._metrics = metrics
        self._log = log.bind(node_id=record.node.id, node_group=record.node.group)
        self._published_at: dict[str, float] = {}

    def opened(self) -> None:
        """The stream has told who its client is."""
        self._log.info("stream.opened", user_agent=self._record.node.user_agent, peer=self._record.peer)

    def ended(self, reason: str, text: str) -> None:
        """The stream is over: one line that sums it up, by type: sent/acknowledged/rejected."""
        sums = {_label(url): f"{of.sent}/{of.acked}/{of.nacked}" for url, of in self._record.types.items()}
        # Under one key: a type that the client made up must not become a key of ours.
        self._log.info("stream.ended", reason=reason, text=text, responses=sums)

    def received(self, type_url: str, subscribed: int | None, outputs: tuple[Output, ...]) -> None:
        """A request came, and caused these outputs."""
        self._metrics.count_request(_known(type_url), self._record.variant, _kind(outputs))
        self._record.of_type(type_url).subscribed = subscribed

    def note(self, output: Output, now: float, published_at: float) -> None:
        """The session said this, while the newest snapshot was that published at `published_at`."""
        match output:
            case Respond():
                if output.cause == "publish":
                    self._published_at[output.type_url] = published_at
                sizes = {"resources": output.resources, "removed": output.removed}
                self._log.debug("session.responded", **_keys(output), **sizes)
            case Acked():
                self._log.debug("session.acked", **_keys(output))
                self._measure(output.type_url, now)
            case Nacked():
                self._published_at.pop(output.type_url, None)
                names = output.names[:_NAMES_LOGGED]
                self._log.error(
                    "session.nacked", **_keys(output), error=output.error[:_WORDS_LOGGED], resource_names=names
                )
            case Ignored():
                self._log.debug("session.ignored", type_url=output.type_url, nonce=output.nonce, why=output.reason)
            case Violated():
                self._log.warning("session.violated", why=output.reason)
                return
        self._record.of_type(output.type_url).note(output)

    def wrote(self, respond: Respond) -> None:
        """The response has left."""
        if len(respond.frame) > _LARGE:
            self._log.warning("session.large", **_keys(respond), bytes=len(respond.frame))
        self._metrics.count_response(_known(respond.type_url), self._record.variant, len(respond.frame))

    def _measure(self, type_url: str, now: float) -> None:
        published_at = self._published_at.pop(type_url, None)
        known = _known(type_url)
        if published_at is not None and known is not None:
            self._metrics.observe_convergence(known, now - published_at)


def _kind(outputs: tuple[Output, ...]) -> RequestKind:
    for output in outputs:
        match output:
            case Acked():
                return "ack"
            case Nacked():
                return "nack"
    return "subscribe"


def _keys(output: Respond | Acked | Nacked) -> dict[str, object]:
    """The keys of every line about a response."""
    return {
        "type_url": output.type_url,
        "nonce": output.nonce,
        "version": output.version_info,
        "snapshot": output.snapshot,
    }


def _known(type_url: str) -> TypeUrl | None:
    try:
        return TypeUrl(type_url)
    except ValueError:
        return None


def _label(type_url: str) -> str:
    known = _known(type_url)
    return known.label if known else type_url
