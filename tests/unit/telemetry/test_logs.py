"""One pipeline for every log line, and no secret comes out of it."""

import io
import json
import logging
import re
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from xds.names import TypeUrl
from xds.settingvalues import Address
from xds.telemetry import configure, get_logger, redact

_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl-_x"
_PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def _fail(error: Exception) -> None:
    raise error


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _only_line(stream: io.StringIO) -> dict[str, object]:
    (line,) = _lines(stream)
    return line


def test_a_line_is_json_with_event_level_and_time_in_utc(stream: io.StringIO) -> None:
    configure("info", "json", stream)

    get_logger().info("session.nacked", nonce="7")

    line = _only_line(stream)
    assert (line["event"], line["level"], line["nonce"]) == ("session.nacked", "info", "7")
    written = datetime.fromisoformat(str(line["timestamp"]))
    assert written.tzinfo == UTC
    assert abs((datetime.now(UTC) - written).total_seconds()) < 60


def test_bound_keys_are_on_every_line(stream: io.StringIO) -> None:
    configure("info", "json", stream)
    log = get_logger().bind(node_id="edge-1", type_url=TypeUrl.CLUSTER)

    log.info("session.subscribed")
    log.warning("session.nacked")

    assert [line["node_id"] for line in _lines(stream)] == ["edge-1", "edge-1"]
    assert _lines(stream)[0]["type_url"] == str(TypeUrl.CLUSTER)


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    configure("warning", "json", stream)

    get_logger().info("session.acked")
    logging.getLogger("alembic").info("quiet")
    get_logger().warning("session.nacked")

    assert [line["event"] for line in _lines(stream)] == ["session.nacked"]


@pytest.mark.parametrize("library", ["grpc", "aiohttp.server", "asyncio", "alembic", "sqlalchemy.engine"])
def test_a_librarys_line_comes_out_of_the_same_pipeline(stream: io.StringIO, library: str) -> None:
    configure("info", "json", stream)

    logging.getLogger(library).warning("cannot reach %s", "postgresql://u:sesame@db/x")

    line = _only_line(stream)
    assert (line["event"], line["level"], line["library"]) == ("library.logged", "warning", library)
    assert line["message"] == "cannot reach postgresql://u:***@db/x"
    assert "timestamp" in line


def test_a_python_warning_comes_out_of_the_same_pipeline(stream: io.StringIO) -> None:
    configure("info", "json", stream)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning("out of date", DeprecationWarning, "x.py", 1)

    assert _only_line(stream)["library"] == "py.warnings"


def test_an_exceptions_traceback_is_a_key_without_secrets_or_local_variables(stream: io.StringIO) -> None:
    configure("info", "json", stream)
    password = "sesame"

    try:
        _fail(ConnectionError(f"cannot reach postgresql://u:{password}@db/x with {_JWT}"))
    except ConnectionError:
        get_logger().exception("registry.lost")
        logging.getLogger("asyncio").exception("lost")

    for line in _lines(stream):
        assert "Traceback (most recent call last)" in str(line["exception"])
        assert "ConnectionError: cannot reach postgresql://u:***@db/x with ***" in str(line["exception"])
    assert password not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["console", "auto"])
def test_a_terminal_gets_console_lines(log_format: str) -> None:
    stream = _Terminal()
    configure("info", log_format, stream)  # type: ignore[arg-type]  # a parameter of the test

    get_logger().info("session.opened", node_id="edge-1", peer_token=_JWT)
    try:
        _fail(ValueError(_JWT))
    except ValueError:
        get_logger().exception("http.failed")

    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert "[info     ] session.opened" in text
    assert "node_id=edge-1" in text
    assert "ValueError: ***" in text
    assert _JWT not in text


def test_what_is_no_terminal_gets_json_by_itself(stream: io.StringIO) -> None:
    configure(stream=stream)

    get_logger().info("session.opened")

    assert _only_line(stream)["event"] == "session.opened"


def test_the_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    get_logger().info("session.opened")

    captured = capsys.readouterr()
    assert '"event": "session.opened"' in captured.err
    assert captured.out == ""


def test_a_later_configure_replaces_the_earlier_one_even_for_old_loggers(stream: io.StringIO) -> None:
    log = get_logger()
    configure("info", "json", io.StringIO())
    log.info("session.opened")

    configure("info", "json", stream)
    log.info("session.ended")
    logging.getLogger("grpc").info("once")

    assert [line["event"] for line in _lines(stream)] == ["session.ended", "library.logged"]


def test_any_value_can_be_logged(stream: io.StringIO) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    endless: list[object] = []
    endless.append(endless)
    configure("info", "json", stream)

    get_logger().info(
        "session.opened",
        broken=Broken(),
        endless=endless,
        path=Path("/x"),
        raw=b"a\xff",
        names=frozenset(("b", "a")),
        address=Address("h", 1),
        by_number={1: 1.5, ("a", "b"): None},
    )

    line = _only_line(stream)
    assert line["broken"] == "[Broken: RuntimeError]"
    assert "[too deep]" in str(line["endless"])
    assert (line["path"], line["raw"], line["names"]) == ("/x", "a\\xff", ["a", "b"])
    assert (line["address"], line["by_number"]) == (["h", 1], {"1": 1.5, "('a', 'b')": None})


@pytest.mark.parametrize(
    "key",
    [
        "authorization",
        "Authorization",
        "proxy-authorization",
        "token",
        "accessToken",
        "id_token",
        "password",
        "PGPASSWORD",
        "db_passwd",
        "client_secret",
        "private_key",
        "privateKey",
        "signing-key",
        "key_material",
        "api_key",
        "dsn",
        "database_url",
        "DATABASE_URL",
        "set-cookie",
        "credentials",
    ],
)
@pytest.mark.parametrize("value", ["sesame", 12345, ["sesame"], {"a": "sesame"}, b"sesame"])
def test_what_stands_under_a_secret_key_is_hidden(key: str, value: object) -> None:
    assert redact({"a": [{key: value}]}) == {"a": [{key: "***"}]}


def test_that_a_secret_is_missing_is_no_secret() -> None:
    assert redact({"token": None, "has_password": True}) == {"token": None, "has_password": True}


def test_a_jwks_public_parts_are_shown_and_its_private_parts_hidden() -> None:
    key = {"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"}
    private = {"d": "sesame", "p": "sesame", "q": "sesame", "dp": "sesame", "dq": "sesame", "qi": "sesame"}

    assert redact(key) == key
    assert redact(key | private) == key | dict.fromkeys(private, "***")
    assert "sesame" not in str(redact(json.dumps({"keys": [key | private]})))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"got {_JWT}, expected none", "got ***, expected none"),
        (f"\\n{_JWT}", "\\n***"),
        ("x eyJh.eyJi.", "x ***"),
        (f"{_JWT}.part4.part5 end", "*** end"),
        ("Bearer abc.def-1", "Bearer ***"),
        ("authorization: Basic dTpw", "authorization: ***"),
        ("{'Authorization': 'Bearer abc'}", "{'Authorization': ***}"),
        ("{\"a\": \"{'token': 'x'}\", 'b': 1}", "{\"a\": \"{'token': ***}\", 'b': 1}"),
        (repr([str({"api_key": "it's", "b": 1})]), """['{\\'api_key\\': ***, \\'b\\': 1}']"""),
        ("{'secrets': ['a', {'b': 'c'}], 'd': 1}", "{'secrets': ***"),
        ("Login(user='u', password='a b', tries=2)", "Login(user='u', password=***, tries=2)"),
        ("Login(password=SecretStr('a b'), tries=2)\nnext", "Login(password=***\nnext"),
        ("{'password': 12345, 'b': 1}", "{'password': ***, 'b': 1}"),
        ("{'password': b'a b', 'b': 1}", "{'password': ***, 'b': 1}"),
        (f"key {_PEM} end", "key *** end"),
        (_PEM.replace("\n", "\\n"), "***"),
        (_PEM[:40], "***"),
        (_PEM.replace("RSA ", "ENCRYPTED "), "***"),
        ("postgresql://u:p@h", "postgresql://u:***@h"),
        ("postgresql://:p@h/d?x=1", "postgresql://:***@h/d?x=1"),
        ("postgres://u:p@ss/w:rd@h:5432/d", "postgres://u:***@h:5432/d"),
        ("https://u:p@h/a, https://v:q@i/b", "https://u:***@h/a, https://v:***@i/b"),
        ("host=h user=u password=sesame dbname=d", "host=h user=u password=*** dbname=d"),
        ("password='open sesame' dbname=d", "password=*** dbname=d"),
        ("/cb?access_token=abc&x=1", "/cb?access_token=***&x=1"),
        ('{"password": "a", "client_secret": "a\\"b"}', '{"password": ***, "client_secret": ***}'),
        ('{"token": "cut sho', '{"token": ***'),
        ("no tenant ask_0123456789abcdef_a-b_c, nor d", "no tenant ask_0123456789abcdef_***, nor d"),
        ("ask_01_x", "ask_01_***"),
    ],
)
def test_a_secret_inside_a_text_is_hidden_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "session.nacked",
        "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "a token is missing; the secret is kept; the password was wrong",
        "http://10.0.0.1:8080/api?x=1",
        "postgresql://u@h/d",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "keyJumper.v1",
        "ask_me_later",
        "key 0123456789abcdef",
        "authorization failed",
        "token bearer:",
    ],
)
def test_an_innocent_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ",
        "eyJ.",
        "a.eyJ",
        "bearer ",
        "token",
        "token=",
        "token='",
        "'token':\\",
        "'d':\"kty",
        "dsn",
        "cookie:",
        "-----BEGIN PRIVATE KEY",
        '"token-',
    ],
)
def test_a_text_made_to_be_slow_to_search_is_not(unit: str) -> None:
    started = time.perf_counter()

    redact(unit * (200_000 // len(unit)))

    assert time.perf_counter() - started < 2


_SECRETS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", min_size=16, max_size=40)
_FORMS = st.sampled_from(
    [
        lambda s: {"password": s},
        lambda s: {"x-Api-Key": [s]},
        lambda s: {"database_url": {"a": s}},
        lambda s: f"Bearer {s}",
        lambda s: f"see eyJ{s}.{s}.{s} there",
        lambda s: f"postgresql://user:{s}@host/db",
        lambda s: f"-----BEGIN PRIVATE KEY-----\n{s}\n{s}\n-----END PRIVATE KEY-----",
        lambda s: ValueError(f"cannot use password={s}"),
        lambda s: ConnectionError({"client_secret": s}),
        lambda s: {f"Bearer {s}": 1},
        lambda s: {"kty": "oct", "k": s},
        lambda s: {"secrets": [1, {"a": [s]}, s, (s,)]},
        lambda s: f"host=h password = '{s}' dbname=d",
        lambda s: f"Authorization: {s}".encode(),
    ]
)
_WRAPS = st.lists(
    st.sampled_from(
        [
            lambda inner: [inner],
            lambda inner: (1, inner, "x"),
            lambda inner: {"key": inner},
            lambda inner: {"a": {"b": inner}, "c": None},
            lambda inner: f"it says: {inner}",
        ]
    ),
    max_size=20,
)


@settings(deadline=None)  # the first example pays for the first formatter
@given(secret=_SECRETS, form=_FORMS, wraps=_WRAPS)
def test_a_secret_at_any_depth_never_comes_out(secret: str, form: object, wraps: list[object]) -> None:
    value = form(secret)  # type: ignore[operator]  # hypothesis does not know what it samples
    for wrap in wraps:
        value = wrap(value)  # type: ignore[operator]
    for log_format in ("json", "console"):
        stream = io.StringIO()
        configure("info", log_format, stream)

        get_logger().info("session.opened", value=value)
        logging.getLogger("grpc").warning("%s", value)

        assert "session.opened" in stream.getvalue()
        assert secret not in stream.getvalue()
