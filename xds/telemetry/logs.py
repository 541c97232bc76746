"""Log lines: one pipeline for ours and for every library's, with no secret in any of them.

An event's name is a constant `area.past_tense`; everything variable is a key. What a library logs through
the standard library comes out as `library.logged`. Must not know what the events are about.
"""

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

Logger = FilteringBoundLogger
"""A logger: `info("area.past_tense", key=value)`, and `bind(key=value)` for a logger that repeats keys."""

_NAME = "alphaswarm-xds"
_HIDDEN = "***"
_TOO_DEEP = "[too deep]"
_DEEPEST = 12  # of nested containers: nothing sensible is deeper, and a container may hold itself

# The words that make a key look secret.
_WORD = (
    r"(?:authorization|bearer|token|passw(?:or)?d|passphrase|secret|credential|cookie|dsn|database[-_.]?url"
    r"|api[-_.]?key|private[-_.]?key|signing[-_.]?key|key[-_.]?material)"
)
_SECRET_KEY = re.compile(_WORD, re.IGNORECASE)
_JWK_PRIVATE = frozenset(("d", "k", "p", "q", "dp", "dq", "qi", "oth"))  # RFC 7518, section 6

_Container = Mapping[object, object] | list[object] | tuple[object, ...] | set[object] | frozenset[object]

# What is hidden inside texts. Repetitions are possessive or bounded, so that a text made to be slow to search is
# not. A quoted value ends at the quote that it began with, however deeply escaped; where a value opens a bracket,
# the rest is hidden, since its end cannot be told.
_NAME_END = r"[\w.-]{0,32}"
_QUOTED = r"b?(?P<quote>\\{0,64}[\"'])(?s:.*?)(?:(?<!\\)(?P=quote)|\Z)"
_BRACKET = r"[\w.]{0,64}[\[{(<]"
_BARE = r"[^\s&,;)}\]]++"
_SECRET_TEXT = (
    # A JWT (or JWE): base64url of `{"`, and two or more further parts.
    (re.compile(r"eyJ(?:(?!eyJ)[\w-])*+\.[\w-]*+\.[\w-]*+(?:\.[\w-]*+){0,2}", re.ASCII), _HIDDEN),
    # An API key of ours, but for its id.
    (re.compile(r"(ask_[0-9a-f]{1,16}_)[\w-]++"), rf"\1{_HIDDEN}"),
    # A private key in PEM; one that is cut short is hidden up to the text's end.
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z ]{0,40}-----|\Z)", re.DOTALL), _HIDDEN),
    # A URL's password, which may hold anything up to the last @ of the word.
    (re.compile(r"(://[^\s:/@]{0,256}:)\S{0,512}@"), rf"\1{_HIDDEN}@"),
    # An HTTP header, and a bearer token anywhere.
    (re.compile(r"((?:authorization|cookie)\s{0,8}:\s{0,8})[^\"'\r\n]++", re.IGNORECASE), rf"\1{_HIDDEN}"),
    (re.compile(r"\b(bearer\s{1,8})[^\s\"',;]++", re.IGNORECASE), rf"\1{_HIDDEN}"),
    # name=value, as in a libpq connection string, a query string or a dataclass' repr.
    (
        re.compile(rf"({_WORD}{_NAME_END}\s{{0,8}}=\s{{0,8}})(?:{_QUOTED}|{_BRACKET}.*|{_BARE})", re.IGNORECASE),
        rf"\1{_HIDDEN}",
    ),
    # "name": value, as in JSON or a dictionary's repr; then the private parts of a JWK alike.
    (
        re.compile(
            rf"({_WORD}{_NAME_END}\\{{0,64}}[\"']\s{{0,8}}:\s{{0,8}})(?:{_QUOTED}|{_BRACKET}(?s:.*)|{_BARE})",
            re.IGNORECASE,
        ),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(rf"([\"'](?:d|k|p|q|dp|dq|qi)\\{{0,64}}[\"']\s{{0,8}}:\s{{0,8}}){_QUOTED}"), rf"\1{_HIDDEN}"),
)
# A text that has none of these, lower-cased, is innocent. Most are, and then cost 1 us instead of 20.
_MARKS = (
    "eyj",
    "ask_",
    "key",
    "://",
    "bearer",
    "auth",
    "token",
    "pass",
    "secret",
    "cred",
    "cookie",
    "dsn",
    "url",
    "kty",
)


def redact(value: object) -> object:
    """`value` as plain JSON types (what is neither text, number nor container becomes text), its secrets hidden.

    Hidden are what stands under a key that looks secret, and tokens, private keys and passwords inside any text.
    """
    return _redacted(value, 0)


def configure(
    level: str = "info",
    format: Literal["auto", "json", "console"] = "auto",  # noqa: A002 -- the setting's own name
    stream: TextIO | None = None,
) -> None:
    """Send every log line of `level` and above to `stream` (the standard error); may be called again.

    `auto` is console on a terminal and JSON elsewhere.
    """
    stream = stream or sys.stderr
    severity = logging.getLevelNamesMapping()[level.upper()]
    is_console = format == "console" or (format == "auto" and stream.isatty())
    ours: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(stream)
    handler.set_name(_NAME)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_library, *ours],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact_event,
                _console(stream) if is_console else structlog.processors.JSONRenderer(),
            ],
        )
    )
    _replace_handler(handler, severity)
    structlog.configure(
        processors=[*ours, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=lambda *_: logging.getLogger(_NAME),
        cache_logger_on_first_use=False,  # a module's logger must follow a later `configure`
    )


def get_logger() -> Logger:
    """A logger that obeys the latest `configure`; cheap, and safe to make when a module is imported."""
    return cast(Logger, structlog.get_logger())


def _replace_handler(handler: logging.Handler, severity: int) -> None:
    root = logging.getLogger()
    for old in [held for held in root.handlers if held.get_name() == _NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(severity)
    logging.captureWarnings(capture=True)


def _console(stream: TextIO) -> Processor:
    # Not structlog's default: its rich tracebacks show local variables, and those hold secrets.
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=30
    )


def _name_library(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = cast(logging.LogRecord, event["_record"])
    event["message"] = event["event"]
    event["event"] = "library.logged"
    event["library"] = record.name
    return event


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return cast(EventDict, redact(event))


def _redacted(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _redacted_text(str(value))  # an enum becomes its plain value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _redacted_container(value, depth) if depth < _DEEPEST else _TOO_DEEP
    return _redacted_text(_to_text(value))


def _redacted_container(value: _Container, depth: int) -> object:
    if isinstance(value, Mapping):
        return _redacted_mapping(value, depth)
    items = [_redacted(item, depth + 1) for item in value]
    return sorted(items, key=str) if isinstance(value, set | frozenset) else items


def _redacted_mapping(mapping: Mapping[object, object], depth: int) -> dict[str, object]:
    hidden = _JWK_PRIVATE if "kty" in mapping else frozenset[str]()
    redacted: dict[str, object] = {}
    for key, value in mapping.items():
        name, is_secret = _classify(_to_text(key))
        if (is_secret or name in hidden) and not _is_flag(value):
            redacted[name] = _HIDDEN
        else:
            redacted[name] = _redacted(value, depth + 1)
    return redacted


@lru_cache(maxsize=1024)  # keys are few and come again with every line
def _classify(key: str) -> tuple[str, bool]:
    return _redacted_text(key), _SECRET_KEY.search(key) is not None


def _is_flag(value: object) -> bool:
    return value is None or isinstance(value, bool)


def _to_text(value: object) -> str:
    try:
        return value.decode(errors="backslashreplace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception as error:  # noqa: BLE001 -- a value's broken __str__ must not cost the log line
        return f"[{type(value).__name__}: {type(error).__name__}]"


def _redacted_text(text: str) -> str:
    lowered = text.lower()
    for mark in _MARKS:
        if mark in lowered:
            break
    else:
        return text
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text
