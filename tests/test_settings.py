"""The settings: read once, every mistake told together, no secret told at all."""

import base64
import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.errors import SettingsError
from relay.scrubber import Scrubber
from relay.settings import Settings

SECRET = "tests-only-relay-secret-1"
TOKEN = "tests-only-crosstrade-token-1"
REDIS = "redis://:tests-only-redis-password@redis.example:6379/0"

#: The base64 of 24 bytes.
SIGNING = "whsec_dGVzdHMtb25seS1zaWduaW5nLWtleS0x"

#: Every setting of the specification, and a value that is right for it.
KNOWN = {
    "PORT": "8000",
    "WEB_CONCURRENCY": "2",
    "REDIS_URL": REDIS,
    "RELAY_REDIS_CONNECTIONS": "8",
    "RELAY_SECRET": SECRET,
    "RELAY_SIGNING_SECRET": SIGNING,
    "RELAY_ALLOW_FROM": "tradingview, 203.0.113.0/24, 2001:db8::/32, 198.51.100.7",
    "RELAY_TRUSTED_PROXIES": "1",
    "RELAY_CLIENT_CERT_HEADER": "X-Client-Cert-Subject",
    "RELAY_URL": "https://relay.example",
    "RELAY_REPLY_WITHIN": "2.5",
    "RELAY_MAX_AGE": "60",
    "RELAY_ID_TTL": "86400",
    "RELAY_CONTENT_TTL": "0",
    "RELAY_LEASE": "5",
    "RELAY_KEEP_DAYS": "7",
    "RELAY_KEEP_MB": "100",
    "RELAY_WARN_AFTER": "15",
    "RELAY_ADMIN_PASSWORD": "tests-only-admin-password",
    "RELAY_NOTIFY": "ntfy://tests-only-topic",
    "RELAY_CONFIG": "relay.toml",
    "LOG_LEVEL": "INFO",
    "CROSSTRADE_TOKEN": TOKEN,
    "CROSSTRADE_URL": "https://app.crosstrade.io",
    "CROSSTRADE_TRANSPORT": "http",
    "CROSSTRADE_WS_URL": "wss://app.crosstrade.io/ws/stream",
    "CROSSTRADE_BURST": "20",
    "CROSSTRADE_PER_SECOND": "3",
    "CROSSTRADE_TIMEZONE": "America/Chicago",
    "ALPHAPOINT_URL": "https://host.example:8443/AP",
    "ALPHAPOINT_API_KEY": "tests-only-key",
    "ALPHAPOINT_API_SECRET": "tests-only-api-secret",
    "ALPHAPOINT_USER_ID": "7",
    "ALPHAPOINT_USERNAME": "user",
    "ALPHAPOINT_PASSWORD": "tests-only-password",
    "ALPHAPOINT_OMS_ID": "1",
    "ALPHAPOINT_TRANSPORT": "http",
    "ALPHAPOINT_WS_URL": "wss://host.example:8443/WSGateway",
    "ALPHAPOINT_CANCEL": "by-order",
    "AUTOSHARES_URL": "https://api.autoshares.com",
    "AUTOSHARES_APP_KEY": "tests-only-app-key",
    "AUTOSHARES_USERNAME": "user",
    "AUTOSHARES_PASSWORD": "tests-only-password",
    "AUTOSHARES_VERSION": "1.0",
    "AUTOSHARES_CONFIRM": "oms",
    "AUTOSHARES_PER_MINUTE": "50",
}


def environ(**changes: str) -> dict[str, str]:
    """Give the least that a relay needs, and more."""
    return {"REDIS_URL": REDIS, "RELAY_SECRET": SECRET, **changes}


def mistakes(given: dict[str, str]) -> tuple[str, ...]:
    """Give what is wrong with the settings."""
    with pytest.raises(SettingsError) as refused:
        Settings.read(given)
    return refused.value.mistakes


@pytest.mark.promise(10)
def test_the_least_is_a_redis_and_a_secret() -> None:
    """Everything else has the default that the specification gives it."""
    read = Settings.read({**environ(CROSSTRADE_TOKEN=TOKEN), "PATH": "/bin", "SECRET": "", "RELAY_URL": " "})

    assert read.redis_url.reveal() == REDIS
    assert [each.reveal() for each in read.secrets] == [SECRET]
    assert (read.redis_connections, read.redis_verified) == (8, True)
    assert (read.signing_keys, read.allow_from, read.trusted_proxies) == ((), (), 0)
    assert (read.reply_within_ms, read.max_age_ms, read.lease_ms) == (2_500, 60_000, 5_000)
    assert (read.id_ttl_ms, read.content_ttl_ms, read.keep_ms) == (86_400_000, 30_000, 7 * 86_400_000)
    assert read.crosstrade is not None
    assert read.crosstrade.token.reveal() == TOKEN
    assert (read.crosstrade.url, read.crosstrade.timezone) == ("https://app.crosstrade.io", "UTC")
    assert (read.crosstrade.burst, read.crosstrade.per_second) == (20, Decimal(3))


@pytest.mark.promise(10)
@pytest.mark.parametrize("name", KNOWN)
def test_every_setting_of_the_specification_is_known(name: str) -> None:
    """A documented setting is never called unknown; what this version cannot keep says so by name."""
    companions = {each: KNOWN[each] for each in KNOWN if each.startswith(name.partition("_")[0] + "_")}
    companions = companions if name.startswith(("ALPHAPOINT_", "AUTOSHARES_")) else {}
    try:
        Settings.read(environ(**{"RELAY_TRUSTED_PROXIES": "1", **companions, name: KNOWN[name]}))
    except SettingsError as refused:
        said = refused.mistakes
    else:
        return

    assert len(said) == 1
    assert said[0].startswith(f"{name}: ")
    assert "not supported by this version" in said[0]


@pytest.mark.house
def test_settings_cannot_be_changed() -> None:
    """What was read at start stays, for every thread."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings.read(environ()).max_age_ms = 1  # type: ignore[misc]


@pytest.mark.promise(10)
def test_all_mistakes_come_together() -> None:
    """One report names every mistake, so that the operator deploys once more and not ten times."""
    said = mistakes(
        {
            "RELAY_SECRET": "short",
            "RELAY_SIGNING_SECRET": "whsec_c2hvcnQ=",
            "RELAY_ALLOW_FROM": "tradingviw",
            "RELAY_TRUSTED_PROXIES": "one",
            "RELAY_CLIENT_CERT_HEADER": "X-Subject",
            "RELAY_MAX_AGE": "0",
            "RELAY_REPLY_WITHIN": "NaN",
            "RELAY_MAX_AEG": "30",
            "CROSSTRADE_TOKN": TOKEN,
            "CROSSTRADE_URL": "http://app.crosstrade.io",
            "CROSSTRADE_TRANSPORT": "sockets",
            "CROSSTRADE_WS_URL": "ws://app.crosstrade.io/ws/stream",
            "CROSSTRADE_TIMEZONE": "Chicago",
            "LOG_LEVEL": "LOUD",
            "DYNO": "web.1",
        }
    )

    assert sorted(each.split()[0].rstrip(":") for each in said) == [
        "CROSSTRADE_TIMEZONE",
        "CROSSTRADE_TOKN",
        "CROSSTRADE_TRANSPORT",
        "CROSSTRADE_URL",
        "CROSSTRADE_WS_URL",
        "LOG_LEVEL",
        "REDIS_URL",
        "RELAY_ALLOW_FROM",
        "RELAY_CLIENT_CERT_HEADER",
        "RELAY_MAX_AEG",
        "RELAY_MAX_AGE",
        "RELAY_REPLY_WITHIN",
        "RELAY_SECRET",
        "RELAY_SIGNING_SECRET",
        "RELAY_TRUSTED_PROXIES",
    ]


@pytest.mark.promise(10)
def test_the_report_has_a_line_for_each_mistake() -> None:
    """The report says how many there are, and each on a line of its own."""
    with pytest.raises(SettingsError) as refused:
        Settings.read({})

    first, *rest = refused.value.report().splitlines()
    assert "2 mistakes" in first
    assert len(rest) == 2
    assert any("REDIS_URL is missing" in line and "python -m relay run" in line for line in rest)
    assert any("RELAY_SECRET is missing" in line and "token_urlsafe" in line for line in rest)


@pytest.mark.promise(10)
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("CROSSTRADE_TOKN", "CROSSTRADE_TOKEN"),
        ("RELAY_SECRETS", "RELAY_SECRET"),
        ("RELAY_TRUSTED_PROXY", "RELAY_TRUSTED_PROXIES"),
        ("ALPHAPOINT_USER_NAME", "ALPHAPOINT_USERNAME"),
        ("AUTOSHARES_APPKEY", "AUTOSHARES_APP_KEY"),
    ],
)
def test_an_unknown_name_that_looks_like_ours_is_a_mistake(written: str, meant: str) -> None:
    """A misspelt setting is never silently without effect."""
    (said,) = mistakes(environ(**{written: "x"}))

    assert said.startswith(f"{written} is no setting")
    assert f"did you mean {meant}?" in said


@pytest.mark.promise(10)
@pytest.mark.parametrize("name", ["RELAY_PORT", "RELAY_SERVICE_HOST", "RELAY_PORT_80_TCP", "RELAY_DB_NAME"])
def test_a_name_is_no_service_link_where_there_is_no_service(name: str) -> None:
    """Only a `…=tcp://…` shows that a container platform wrote these names."""
    assert len(mistakes(environ(**{name: "8000"}))) == 1


@pytest.mark.promise(10)
@pytest.mark.parametrize("prefix", ["RELAY", "RELAY_REDIS", "CROSSTRADE_SANDBOX"])
def test_a_container_platforms_service_links_are_nobodys_mistake(prefix: str) -> None:
    """Kubernetes and Docker set these for a service that happens to be called like us."""
    links = {
        f"{prefix}_SERVICE_HOST": "10.0.0.1",
        f"{prefix}_SERVICE_PORT": "80",
        f"{prefix}_SERVICE_PORT_HTTP": "80",
        f"{prefix}_PORT": "tcp://10.0.0.1:80",
        f"{prefix}_PORT_80_TCP": "tcp://10.0.0.1:80",
        f"{prefix}_PORT_80_TCP_PROTO": "tcp",
        f"{prefix}_PORT_80_TCP_PORT": "80",
        f"{prefix}_PORT_80_TCP_ADDR": "10.0.0.1",
        f"{prefix}_NAME": "/web/redis",
    }

    assert Settings.read(environ(**links)).redis_url.reveal() == REDIS


@pytest.mark.promise(9)
@pytest.mark.parametrize("name", ["CROSSTRADE_URL", "RELAY_URL", "ALPHAPOINT_URL", "AUTOSHARES_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "http://app.crosstrade.io",
        "http://10.0.0.7:8080",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://app.crosstrade.io",
        "app.crosstrade.io",
        "https://",
        "https://user:tests-only-url-password@app.crosstrade.io",
        "https://:tests-only-url-password@app.crosstrade.io",
        "http://127.0.0.1@example.com",
        "https://app.crosstrade.io?a=b",
        "https://app.crosstrade.io?",
        "https://app.crosstrade.io#",
        "https://app.crosstrade.io:port",
        "https://app.cross trade.io",
        "https://[app",
    ],
)
def test_an_address_that_is_not_safe_is_refused(name: str, url: str) -> None:
    """A credential never goes out unencrypted, nor to an address that holds more than it should."""
    said = [each for each in mistakes(environ(**{name: url})) if each.startswith(f"{name} ")]

    assert len(said) == 1
    assert "tests-only-url-password" not in said[0]


@pytest.mark.promise(10)
@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://app.crosstrade.io/", "https://app.crosstrade.io"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("http://127.8.9.1:8081", "http://127.8.9.1:8081"),
        ("http://[::1]:8081/", "http://[::1]:8081"),
        ("http://localhost:8081", "http://localhost:8081"),
        ("https://proxy.example/crosstrade/", "https://proxy.example/crosstrade"),
    ],
)
def test_an_https_address_or_this_very_machine_is_taken(url: str, read: str) -> None:
    """A stand-in on the loopback needs no certificate."""
    found = Settings.read(environ(CROSSTRADE_TOKEN=TOKEN, CROSSTRADE_URL=url)).crosstrade

    assert found is not None
    assert found.url == read


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"RELAY_SECRET": "x" * 15}, 1),
        ({"RELAY_SECRET": f"{SECRET},short"}, 1),
        ({"RELAY_SECRET": ","}, 1),
        ({"RELAY_SECRET": "  "}, 1),
        ({"RELAY_SIGNING_SECRET": "dGVzdHMtb25seS1zaWduaW5nLWtleS0x"}, 1),
        ({"RELAY_SIGNING_SECRET": "whsec_"}, 1),
        ({"RELAY_SIGNING_SECRET": "whsec_no base64 at all, surely"}, 1),
        ({"RELAY_ALLOW_FROM": "203.0.113.7/24"}, 1),
        ({"RELAY_ALLOW_FROM": "everyone"}, 1),
        ({"RELAY_TRUSTED_PROXIES": "-1"}, 1),
        ({"RELAY_CLIENT_CERT_HEADER": "X-Subject"}, 1),
        ({"RELAY_CLIENT_CERT_HEADER": "X-Subject", "RELAY_TRUSTED_PROXIES": "0"}, 1),
        ({"RELAY_CLIENT_CERT_HEADER": "X-Subject", "RELAY_TRUSTED_PROXIES": "0", "RELAY_LEASE": "x"}, 2),
        ({"CROSSTRADE_TOKEN": "tests-only\ntoken"}, 1),
        ({"CROSSTRADE_TOKEN": "tests-only-tökën"}, 1),
        ({"RELAY_SECRET": "tests-only-\udcff-not-utf-8"}, 1),
    ],
)
def test_a_setting_that_would_let_strangers_in_or_nobody_out_is_refused(
    changes: dict[str, str], count: int
) -> None:
    """A guard that cannot guard, and a credential that no header can carry, keep the relay from starting."""
    assert len(mistakes(environ(**changes))) == count


@pytest.mark.promise(8)
def test_several_secrets_are_for_rotation() -> None:
    """Old and new secrets both count, blanks around them do not."""
    read = Settings.read(environ(RELAY_SECRET=f" {SECRET} , another-{SECRET} ,"))

    assert [each.reveal() for each in read.secrets] == [SECRET, f"another-{SECRET}"]


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("changes", "proxies"),
    [
        ({}, 0),
        ({"DYNO": "web.1"}, 1),
        ({"DYNO": "web.1", "RELAY_TRUSTED_PROXIES": "2"}, 2),
        ({"DYNO": "web.1", "RELAY_TRUSTED_PROXIES": "0"}, 0),
        ({"RELAY_TRUSTED_PROXIES": "3"}, 3),
    ],
)
def test_on_heroku_one_proxy_is_trusted(changes: dict[str, str], proxies: int) -> None:
    """Heroku's router is one hop; elsewhere nobody is believed unless it is said."""
    assert Settings.read(environ(**changes)).trusted_proxies == proxies


@pytest.mark.promise(8)
def test_on_heroku_a_certificates_header_is_a_mistake() -> None:
    """The router ends TLS there, so anyone could send the header."""
    (said,) = mistakes(environ(DYNO="web.1", RELAY_CLIENT_CERT_HEADER="X-Subject", RELAY_TRUSTED_PROXIES="1"))

    assert said.startswith("RELAY_CLIENT_CERT_HEADER")
    assert "Heroku" in said


@pytest.mark.promise(10)
def test_on_heroku_redis_may_sign_for_itself() -> None:
    """Heroku's certificates are self-signed; everywhere else they are verified."""
    assert not Settings.read(environ(DYNO="web.1")).redis_verified
    assert Settings.read(environ()).redis_verified


@pytest.mark.promise(10)
@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://localhost:6379", "redis://", "unix://", "redis://host:port", "redis"]
)
def test_a_redis_address_that_is_none_is_refused_without_being_told(url: str) -> None:
    """The address may hold a password, so it is described and not repeated."""
    (said,) = mistakes(environ(REDIS_URL=url))
    assert said.startswith("REDIS_URL is not an address such as")


@pytest.mark.promise(7)
def test_what_has_no_effect_yet_is_warned_of() -> None:
    """The operator is told at start that nobody would be told, and that no vendor is on."""
    warnings = " · ".join(Settings.read(environ(RELAY_ADMIN_PASSWORD="tests-only-password")).warnings)

    assert "nobody is told when a cancel fails: set RELAY_NOTIFY" in warnings
    assert "no vendor is configured" in warnings
    assert "RELAY_ADMIN_PASSWORD has no effect" in warnings
    assert "tests-only-password" not in warnings


def secrets_of(values: dict[str, str]) -> list[str]:
    """Give the parts of settings that must never be seen."""
    invented = [value for value in values.values() if "tests-only" in value]
    return [*invented, SIGNING.removeprefix("whsec_"), "tests-only-redis-password"]


@pytest.mark.promise(9)
def test_no_secret_is_in_what_the_settings_print() -> None:
    """A `repr` in a log or a traceback shows stars."""
    values = {name: value for name, value in KNOWN.items() if name != "RELAY_CONFIG"}
    read = Settings.read(values)

    shown = f"{read!r} {read} {read.crosstrade!r} {read.secrets} {read.signing_keys!s} {read.warnings}"
    shown += f" {read.alphapoint!r} {read.autoshares!r}"
    assert "***" in shown
    assert not [secret for secret in secrets_of(values) if secret in shown]
    key = read.signing_keys[0].reveal()
    assert key not in shown


_WRONG: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(sorted(KNOWN)),
    st.sampled_from(
        ["tests-only-å", "redis://u:tests-only-p@", "http://u:tests-only-p@h", "whsec_tests-only"]
    ),
    min_size=1,
)


@pytest.mark.promise(9)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(_WRONG)
def test_no_value_is_in_the_report_of_mistakes(wrong: dict[str, str]) -> None:
    """A mistake names the setting and what it should be, never the value: it may be a secret."""
    public = {"RELAY_ALLOW_FROM"}  # addresses: the wrong word among many is worth telling
    try:
        Settings.read({**KNOWN, **{name: value for name, value in wrong.items() if name not in public}})
    except SettingsError as refused:
        told = refused.report() + str(refused) + repr(refused)
    else:
        told = ""

    assert "tests-only" not in told


ALPHAPOINT = {
    "ALPHAPOINT_URL": "https://host.example:8443/AP",
    "ALPHAPOINT_API_KEY": "tests-only-key",
    "ALPHAPOINT_API_SECRET": "tests-only-api-secret",
    "ALPHAPOINT_USER_ID": "7",
}
AUTOSHARES = {
    "AUTOSHARES_URL": "https://api.autoshares.com",
    "AUTOSHARES_APP_KEY": "tests-only-app-key",
    "AUTOSHARES_USERNAME": "user",
    "AUTOSHARES_PASSWORD": "tests-only-password",
}


@pytest.mark.promise(10)
@pytest.mark.parametrize(
    ("part", "missing"),
    [
        pytest.param({name: each for name, each in whole.items() if name != left_out}, left_out, id=left_out)
        for whole in (ALPHAPOINT, AUTOSHARES)
        for left_out in whole
    ],
)
def test_half_a_credential_keeps_the_relay_from_starting(part: dict[str, str], missing: str) -> None:
    """Whoever set a part of a vendor's settings believes it is on: what is missing is said by name."""
    with pytest.raises(SettingsError) as refused:
        Settings.read(environ(**part))

    assert any(missing in said for said in refused.value.mistakes)


@pytest.mark.promise(10)
def test_a_vendor_is_on_when_its_credentials_are_there() -> None:
    """An address alone switches nothing on, and says so; either way to log in at AlphaPoint does."""
    by_password = {
        "ALPHAPOINT_URL": ALPHAPOINT["ALPHAPOINT_URL"],
        "ALPHAPOINT_USERNAME": "user",
        "ALPHAPOINT_PASSWORD": "tests-only-password",
    }
    for part in (ALPHAPOINT, by_password, ALPHAPOINT | by_password):
        assert Settings.read(environ(**part)).alphapoint is not None
    assert Settings.read(environ(**AUTOSHARES)).autoshares is not None

    off = Settings.read(environ(ALPHAPOINT_URL=ALPHAPOINT["ALPHAPOINT_URL"]))
    assert off.alphapoint is None
    assert any(said.startswith("ALPHAPOINT_URL has no effect") for said in off.warnings)


@pytest.mark.promise(9)
def test_a_secret_of_digits_alone_is_masked_as_a_number_of_its_own() -> None:
    """A numeric password that comes back is masked; digits of an order's id are not taken for it."""
    scrubber = Scrubber(Settings.read(environ(**{**AUTOSHARES, "AUTOSHARES_PASSWORD": "12345678"})))

    assert scrubber.scrub_bytes(b'{"error": "bad password 12345678"}') == b'{"error": "bad password ***"}'
    assert scrubber.scrub_bytes(b'{"OrderId": 9123456781}') == b'{"OrderId": 9123456781}'


@pytest.mark.promise(9)
def test_basic_credentials_are_known_in_the_form_in_which_they_are_sent() -> None:
    """Name and password as HTTP's Basic joins them are masked wherever they come back."""
    part = {
        "ALPHAPOINT_URL": ALPHAPOINT["ALPHAPOINT_URL"],
        "ALPHAPOINT_USERNAME": "user",
        "ALPHAPOINT_PASSWORD": "tests-only-password",
    }
    encoded = base64.b64encode(b"user:tests-only-password").decode()

    assert Scrubber(Settings.read(environ(**part))).scrub(f"Authorization: Basic {encoded}") == (
        "Authorization: Basic ***"
    )


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    "body",
    [
        rb'{"Message": "Bad call by Tr\u0026de\u002B2026\u0027xy"}',
        rb'{"Message": "Bad call by \u0054r\u0026de+2026\u0027xy"}',
        '{"Message": "Bad call by Tr&de+2026\'xy"}'.encode("utf-16"),
    ],
    ids=["as .NET escapes", "every letter escaped", "UTF-16"],
)
def test_no_way_of_writing_json_hides_a_secret(body: bytes) -> None:
    """However a vendor's serialiser writes it, a credential that comes back is masked."""
    given = {**AUTOSHARES, "AUTOSHARES_PASSWORD": "Tr&de+2026'xy"}

    scrubbed = Scrubber(Settings.read(environ(**given))).scrub_bytes(body)

    assert json.loads(scrubbed) == {"Message": "Bad call by ***"}


@pytest.mark.promise(5, 9)
@pytest.mark.parametrize("body", [rb'{"a": "\u0022 \u005c \\u0041 \n"}', '{"a": "å"}'.encode(), b"", b"\xff"])
def test_an_answer_means_the_same_after_the_look_for_secrets(body: bytes) -> None:
    """What JSON needs escaped stays so, a backslash before a u too, and what is no JSON is left alone."""
    scrubbed = Scrubber(Settings.read(environ())).scrub_bytes(body)

    if body.startswith(b"{"):
        assert json.loads(scrubbed) == json.loads(body)
    else:
        assert scrubbed == body


@pytest.mark.promise(9)
def test_a_session_in_use_is_not_forgotten_for_others_log_ins() -> None:
    """However many log-ins fail elsewhere, a session stays a secret until it is replaced twice."""
    scrubber = Scrubber(Settings.read(environ()))
    scrubber.learn(["a-session-token"], of="one")
    for number in range(100):
        scrubber.learn([f"signature-{number}"])

    assert scrubber.scrub("a-session-token signature-99 signature-0") == "*** *** signature-0"


@pytest.mark.promise(9)
def test_a_session_is_a_secret_from_the_moment_it_is_learnt() -> None:
    """What a log-in brings is masked in answers and in texts; a number alone is left as it is."""
    scrubber = Scrubber(Settings.read(environ()))
    scrubber.learn(["a-session-token", "1795271400000"])

    assert scrubber.scrub("APToken: a-session-token") == "APToken: ***"
    assert scrubber.scrub_bytes(b"a-session-token 1795271400000") == b"*** 1795271400000"
    assert scrubber.holds("note a-session-token")


@pytest.mark.promise(10)
def test_a_websocket_alone_is_an_address() -> None:
    """AlphaPoint's calls all go over its WebSocket: its gateway may be left out, its own address may not."""
    credential = {name: value for name, value in ALPHAPOINT.items() if name != "ALPHAPOINT_URL"}
    over = {**credential, "ALPHAPOINT_TRANSPORT": "websocket"}

    found = Settings.read(environ(**over, ALPHAPOINT_WS_URL="wss://host.example/WSGateway/")).alphapoint

    assert found is not None
    assert (found.url, found.address) == (None, "wss://host.example/WSGateway/")
    assert [each.split()[0] for each in mistakes(environ(**over))] == ["ALPHAPOINT_WS_URL"]
    assert [each.split()[0] for each in mistakes(environ(**credential))] == ["ALPHAPOINT_URL"]


@pytest.mark.promise(10)
@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("RELAY_URL", "https://your-relay.example"),
        ("CROSSTRADE_URL", "https://app.crosstrade.io"),
        ("CROSSTRADE_WS_URL", "wss://app.crosstrade.io/ws/stream"),
        ("ALPHAPOINT_URL", "https://api.ndax.io:8443/AP"),
        ("ALPHAPOINT_WS_URL", "wss://api.ndax.io/WSGateway/"),
        ("AUTOSHARES_URL", "https://api.autoshares.com"),
    ],
)
def test_an_address_is_asked_for_by_an_example_of_its_own(name: str, example: str) -> None:
    """Nobody is shown one broker's address where another's is wanted."""
    given = {"REDIS_URL": REDIS, "RELAY_SECRET": SECRET, name: "nowhere"}

    assert f"{name} is not an address such as {example}" in mistakes(given)


@pytest.mark.promise(10)
def test_the_relays_own_address_is_not_the_webhooks() -> None:
    """Links in messages begin with it, and would lead nowhere."""
    given = {"REDIS_URL": REDIS, "RELAY_SECRET": SECRET, "RELAY_URL": "https://relay.example/webhook/"}

    assert mistakes(given) == ("RELAY_URL is the webhook's: write the relay's own address, without /webhook",)
