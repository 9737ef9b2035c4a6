"""Who sent it, and may that sender: credentials on bytes, signatures, addresses, certificates."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict
from standardwebhooks import Webhook

from relay.authenticate import Authenticator, Origin, Sender, origin_of
from relay.errors import Forbidden, HttpsRequired, Unauthenticated
from relay.settings import Settings
from schemas.settings import TRADINGVIEW

OLD, NEW = "tests-only-relay-secret-1", "tests-only-relay-secret-2"

#: Not ASCII, and its last byte is a no-break space to whoever takes UTF-8 for Latin-1.
FOREIGN = "tests-only-sécret-voilà"

KEY = "whsec_dGVzdHMtb25seS1zaWduaW5nLWtleS0x"
OTHER_KEY = "whsec_dGVzdHMtb25seS1zaWduaW5nLWtleS0y"

#: 2026-11-21T14:30:00Z in Unix seconds.
NOW = 1_795_271_400

DEFAULT = Sender("default")


def authenticator(**environ: str) -> Authenticator:
    """Give the authenticator of a relay with these settings."""
    needed = {"REDIS_URL": "redis://127.0.0.1", "RELAY_SECRET": f"{OLD},{NEW},{FOREIGN}"}
    return Authenticator(Settings.read({**needed, **environ}))


def on_the_wire(**headers: str) -> CaseInsensitiveDict[str]:
    """Give headers as a server hands them over: bytes read as Latin-1."""
    return CaseInsensitiveDict(
        {name.replace("_", "-"): value.encode().decode("latin-1") for name, value in headers.items()}
    )


def signed(body: str, *, key: str = KEY, message_id: str = "msg_1", at: int = NOW) -> dict[str, str]:
    """Sign a body as the Standard Webhooks library does."""
    signature = Webhook(key).sign(message_id, datetime.fromtimestamp(at, UTC), body)
    return {"webhook_id": message_id, "webhook_timestamp": str(at), "webhook_signature": signature}


@pytest.mark.promise(8)
@pytest.mark.parametrize("secret", [OLD, NEW, FOREIGN])
def test_each_secret_is_taken_in_a_header_and_in_the_body(secret: str) -> None:
    """Old and new secrets work side by side, in letters of any script."""
    relay = authenticator()

    assert relay.by_header(on_the_wire(Authorization=f"Bearer {secret}"), b"", NOW) == DEFAULT
    assert relay.by_header(on_the_wire(authorization=f" bearer  {secret} "), b"", NOW) == DEFAULT
    assert relay.by_body(secret, None) == DEFAULT


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        OLD,
        f"Basic {OLD}",
        f"Bearer {OLD}x",
        f"Bearer {OLD[:-1]}",
        f"Bearer {OLD.upper()}",
        f"Bearer {OLD},{NEW}",
        f"Bearer {OLD} {OLD}",
        "Bearer sécret",
    ],
)
def test_a_wrong_header_is_refused(authorization: str) -> None:
    """A credential that is present and wrong lets nobody in, whatever stands in the body."""
    with pytest.raises(Unauthenticated):
        authenticator().by_header(on_the_wire(Authorization=authorization), b"", NOW)


@pytest.mark.promise(8)
@pytest.mark.parametrize("secret", ["", "wrong", OLD[:-1], f"{OLD} ", "sécret", 17, True, [OLD], {"a": OLD}])
def test_a_wrong_secret_in_the_body_is_refused(secret: object) -> None:
    """Only the very text counts: no other type, no blank around it."""
    with pytest.raises(Unauthenticated):
        authenticator().by_body(secret, None)
    with pytest.raises(Unauthenticated):
        authenticator().by_body(secret, DEFAULT)


@pytest.mark.promise(8)
def test_without_any_credential_nobody_is_let_in() -> None:
    """No header and no secret in the body is a 401; a header alone is enough."""
    relay = authenticator()

    assert relay.by_header(on_the_wire(X_Other="x"), b"{}", NOW) is None
    with pytest.raises(Unauthenticated):
        relay.by_body(None, None)
    assert relay.by_body(None, DEFAULT) == DEFAULT


@pytest.mark.promise(8)
def test_one_wording_for_every_wrong_credential() -> None:
    """The refusal tells nothing of what was wrong, and repeats nothing."""
    relay = authenticator(RELAY_SIGNING_SECRET=KEY)
    told = set()
    for headers in (
        on_the_wire(Authorization="Bearer wrong-and-shown-nowhere"),
        on_the_wire(Authorization="Basic wrong-and-shown-nowhere"),
        on_the_wire(**signed("another body")),
        on_the_wire(**signed("body", at=NOW - 301)),
        on_the_wire(webhook_id="msg_1"),
    ):
        with pytest.raises(Unauthenticated) as refused:
            relay.by_header(headers, b"body", NOW)
        told.add(refused.value.detail)

    assert len(told) == 1
    assert "wrong-and-shown-nowhere" not in told.pop()


@pytest.mark.promise(8)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    body=st.text(),
    message_id=st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=1, max_size=40),
    at=st.integers(NOW - 300, NOW + 300),
    key=st.sampled_from([KEY, OTHER_KEY]),
)
def test_what_the_standards_library_signs_is_taken(body: str, message_id: str, at: int, key: str) -> None:
    """Any body signed with one of the keys, within five minutes, is its sender's."""
    relay = authenticator(RELAY_SIGNING_SECRET=f"{KEY},{OTHER_KEY}")
    headers = on_the_wire(**signed(body, key=key, message_id=message_id, at=at))

    assert relay.by_header(headers, body.encode(), NOW) == Sender("default", headers["webhook-id"])


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"webhook_id": "msg_2"}, id="another id"),
        pytest.param({"webhook_id": ""}, id="no id"),
        pytest.param({"webhook_timestamp": str(NOW + 1)}, id="another time"),
        pytest.param({"webhook_timestamp": ""}, id="no time"),
        pytest.param({"webhook_timestamp": "soon"}, id="a time that is none"),
        pytest.param({"webhook_timestamp": f"{NOW}.0"}, id="a time with a fraction"),
        pytest.param({"webhook_timestamp": "9" * 5000}, id="a time of 5000 digits"),
        pytest.param({"webhook_signature": ""}, id="no signature"),
        pytest.param({"webhook_signature": "v1,"}, id="an empty signature"),
        pytest.param({"webhook_signature": "v1"}, id="no comma"),
        pytest.param({"webhook_signature": "v1,ø"}, id="not base64"),
        pytest.param(
            {"webhook_signature": signed("body")["webhook_signature"].replace("v1", "v1a")}, id="v1a"
        ),
        pytest.param(signed("body", key=OTHER_KEY), id="another key"),
        pytest.param(signed("body "), id="another body"),
        pytest.param(signed("body", at=NOW - 301), id="older than five minutes"),
        pytest.param(signed("body", at=NOW + 301), id="newer than five minutes"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(changes: dict[str, str]) -> None:
    """Id, time and body are signed together, and the time must be of now."""
    headers = on_the_wire(**{**signed("body"), **changes})

    with pytest.raises(Unauthenticated):
        authenticator(RELAY_SIGNING_SECRET=KEY).by_header(headers, b"body", NOW)


@pytest.mark.promise(8)
def test_one_fitting_signature_among_several_is_enough() -> None:
    """A sender that rotates its key sends a signature by each."""
    headers = signed("body")
    others = signed("body", key=OTHER_KEY)["webhook_signature"]
    headers["webhook_signature"] = f"v1a,abc {others} {headers['webhook_signature']}"

    found = authenticator(RELAY_SIGNING_SECRET=KEY).by_header(on_the_wire(**headers), b"body", NOW)
    assert found == Sender("default", "msg_1")


@pytest.mark.promise(8)
def test_a_signature_proves_nobody_where_no_key_is_set() -> None:
    """Without RELAY_SIGNING_SECRET there is nothing to check with, so nobody gets in by it."""
    with pytest.raises(Unauthenticated):
        authenticator().by_header(on_the_wire(**signed("body")), b"body", NOW)


@pytest.mark.promise(8)
@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic x", "Bearer "])
def test_two_credentials_that_disagree_are_refused(authorization: str) -> None:
    """A right one does not make up for a wrong one beside it."""
    relay = authenticator(RELAY_SIGNING_SECRET=KEY)
    headers = on_the_wire(**signed("body"), Authorization=authorization)
    with pytest.raises(Unauthenticated):
        relay.by_header(headers, b"body", NOW)

    sender = relay.by_header(on_the_wire(**signed("body")), b"body", NOW)
    with pytest.raises(Unauthenticated):
        relay.by_body("wrong", sender)
    assert relay.by_body(NEW, sender) == Sender("default", "msg_1")


def origin(forwarded: str | None, *, proxies: int, peer: str | None = "10.0.0.1", **headers: str) -> Origin:
    """Give a request's origin as the trusted proxies say."""
    given = {**headers, **({} if forwarded is None else {"X-Forwarded-For": forwarded})}
    return origin_of(
        CaseInsensitiveDict(given), peer, trusted_proxies=proxies, certificate_header="X-Subject"
    )


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        pytest.param("6.6.6.6", 0, "10.0.0.1", id="nobody is believed"),
        pytest.param("203.0.113.7", 1, "203.0.113.7", id="one proxy"),
        pytest.param("6.6.6.6, 203.0.113.7", 1, "203.0.113.7", id="one proxy, and a liar"),
        pytest.param("6.6.6.6,203.0.113.7 , 10.1.1.1", 2, "203.0.113.7", id="two proxies, and a liar"),
        pytest.param("203.0.113.7", 2, "10.0.0.1", id="fewer hops than proxies"),
        pytest.param("", 1, "10.0.0.1", id="an empty header"),
        pytest.param(None, 1, "10.0.0.1", id="no header"),
        pytest.param(" , ,", 1, "10.0.0.1", id="commas"),
    ],
)
def test_only_what_trusted_proxies_added_is_believed(forwarded: str, proxies: int, address: str) -> None:
    """Whoever adds to X-Forwarded-For in front of the proxies changes nothing."""
    assert origin(forwarded, proxies=proxies).address == address


@pytest.mark.promise(8)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(lies=st.lists(st.text(max_size=8)), proxies=st.integers(1, 4), data=st.data())
def test_no_lie_moves_the_address(lies: list[str], proxies: int, data: st.DataObject) -> None:
    """For any number of proxies, and anything that a client wrote, the address is the one they saw."""
    hops = data.draw(st.lists(st.ip_addresses().map(str), min_size=proxies, max_size=proxies))

    assert origin(", ".join([*lies, *hops]), proxies=proxies).address == hops[0]


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("proto", "proxies", "over_https"),
    [
        pytest.param("https", 1, True, id="https"),
        pytest.param("HTTPS", 1, True, id="in capitals"),
        pytest.param("http", 1, False, id="http"),
        pytest.param("https, http", 1, False, id="a liar before the proxy"),
        pytest.param("http, https", 2, False, id="plain to the outer proxy"),
        pytest.param("https, http", 2, True, id="plain between the proxies alone"),
        pytest.param("https", 2, True, id="one word from two proxies"),
        pytest.param("http", 0, None, id="nobody is believed"),
    ],
)
def test_the_proxy_says_whether_the_sender_came_over_https(
    proto: str, proxies: int, *, over_https: bool | None
) -> None:
    """It is the sender's own connection that counts, as the outermost trusted proxy saw it."""
    assert origin("1.1.1.1", proxies=proxies, **{"X-Forwarded-Proto": proto}).over_https is over_https


@pytest.mark.promise(9)
def test_plain_http_is_refused() -> None:
    """A secret that crossed the network in the clear should be changed, and the refusal says so."""
    relay = authenticator()

    with pytest.raises(HttpsRequired) as refused:
        relay.admit(Origin("203.0.113.7", over_https=False, certificate=None))
    assert "change the secret" in refused.value.detail
    relay.admit(Origin("203.0.113.7", over_https=True, certificate=None))
    relay.admit(Origin("203.0.113.7", over_https=None, certificate=None))


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("allow", "inside", "outside"),
    [
        ("tradingview", list(TRADINGVIEW), ["52.89.214.239", "", "tradingview", "::1"]),
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"], ["203.0.114.0"]),
        ("198.51.100.7", ["198.51.100.7"], ["198.51.100.8", "198.51.100.7:443", "198.51.100.07"]),
        ("2001:db8::/32", ["2001:db8:1::7"], ["2001:db9::1", "203.0.113.1"]),
        ("TradingView, 10.0.0.0/8", [TRADINGVIEW[0], "10.9.8.7"], ["11.0.0.0", "unknown", "10.0.0.1, 1"]),
    ],
)
def test_only_allowed_addresses_are_let_in(allow: str, inside: list[str], outside: list[str]) -> None:
    """Addresses, networks and TradingView's own; whatever is no address is outside."""
    relay = authenticator(RELAY_ALLOW_FROM=allow)

    for address in inside:
        relay.admit(Origin(address, over_https=True, certificate=None))
    for address in outside:
        with pytest.raises(Forbidden):
            relay.admit(Origin(address, over_https=True, certificate=None))


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("subject", "lets_in"),
    [
        ("C=US, ST=Ohio, L=Westerville, O=TradingView\\, Inc., CN=TradingView Webhooks", True),
        ("CN=TradingView Webhooks,O=TradingView\\, Inc.,L=Westerville,ST=Ohio,C=US", True),
        ("/C=US/ST=Ohio/L=Westerville/O=TradingView, Inc./CN=TradingView Webhooks", True),
        ("CN = TradingView Webhooks", True),
        (None, False),
        ("", False),
        ("TradingView Webhooks", False),
        ("CN=TradingView Webhooks Inc", False),
        ("CN=tradingview webhooks", False),
        ("CN=evil, OU=TradingView Webhooks", False),
        ("XCN=TradingView Webhooks", False),
        ("CN=evil\\,CN=TradingView Webhooks", False),
        ("CN=evil\\, CN=TradingView Webhooks, O=Evil", False),
    ],
)
def test_only_tradingviews_certificate_is_let_in(subject: str | None, *, lets_in: bool) -> None:
    """The subject's common name is TradingView's, not a part of another name."""
    relay = authenticator(RELAY_CLIENT_CERT_HEADER="X-Subject", RELAY_TRUSTED_PROXIES="1")
    headers = {} if subject is None else {"X-Subject": subject}
    came_from = origin("203.0.113.7", proxies=1, **headers)

    if lets_in:
        relay.admit(came_from)
    else:
        with pytest.raises(Forbidden):
            relay.admit(came_from)


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    "body",
    [
        f'{{"secret": "{NEW}", "action": "cancel" "vendor": "crosstrade"}}',
        f"{{“secret”: “{OLD}”, “action”: “cancel”}}",
        f'{{"action": "cancel", "note": "a "quote" inside", "secret":"{NEW}"}}',
        f"key={OLD}; command=CANCELORDERS; account",
        f"action=cancel&secret={FOREIGN}&note=%ff",
        f'{{"secret": "none of ours", "key": "{NEW}", "NaN": NaN}}',
    ],
)
def test_a_body_that_cannot_be_read_may_still_say_whose_it_is(body: str) -> None:
    """A chart's slip of a comma is told to its trader, who sees no answer of ours."""
    assert authenticator().by_unreadable(body.encode()) == DEFAULT


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe{",
        b'{"secret": "tests-only-wrong",',
        f'{{"note": "{NEW}",'.encode(),
        f'{{"secret": "{NEW}x",'.encode(),
        f"mykey={NEW};".encode(),
        b'{"secret": ' * 1_400,
    ],
)
def test_an_unreadable_body_without_a_secret_is_nobodys(body: bytes) -> None:
    """Only a whole secret, where a secret belongs, says whose it is."""
    assert authenticator().by_unreadable(body) is None
