"""No value reaches another address: not at the broker, not in its headers, not here."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import Stage, deployed, leftovers, place, state
from tests.running import SECRET, TOKEN, RunningRelay, until

#: Names that would lead elsewhere, were they put into an address as they are.
HOSTILE = [
    "..",
    ".",
    "../Sim102",
    "Sim102/..",
    "Sim102/../Sim101",
    "..\\Sim102",
    "Sim102/orders/cancel#",
    "Sim102/orders/cancel?",
    "Sim102/orders/cancel;",
    "Sim102/",
    "/Sim102",
    "//evil.example",
    "Sim102%2F..",
    "%2e%2e",
    "%2E%2E%2FSim102",
    "..%2fSim102",
    "%252e%252e",
    "..;/Sim102",
    "Sim101;Sim102",
    "Sim101?account=Sim102",
    "Sim101#Sim102",
    "Sim101&account=Sim102",
    "@evil.example",
    "Sim101 HTTP/1.1\r\nHost: evil.example",
    "Sim101\nX-Injected: yes",
    "Sim101\r\nX-Injected: yes",
    "Sim101\x00",
    "Sim101\u2028X-Injected: yes",
    "Sim101\u0085X-Injected: yes",
    "\uff0e\uff0e\uff0fSim102",
    "\u2025/Sim102",
    "Sim\u0131\u0307101",
    "日本",
    "😀",
    "\u202eSim101",
    "Sim101" * 17,
]


@pytest.mark.promise(4)
@pytest.mark.parametrize("where", ["account", "order_id", "list"])
@pytest.mark.parametrize("name", HOSTILE, ids=[quote(name) for name in HOSTILE])
def test_a_name_stays_one_part_of_the_address(
    relay: RunningRelay, broker: CrossTradeSandbox, name: str, where: str
) -> None:
    """Whatever stands in an account's or an order's name, the raw path at the broker says that name."""
    orders = [place(broker, account=account) for account in ("Sim101", "Sim102", "SimLive")]
    fields: dict[str, dict[str, Any]] = {
        "account": {"account": name, "instrument": "MES 12-26"},
        "order_id": {"account": "Sim101", "order_id": name},
        "list": {"account": [name], "scope": "account", "side": "buy"},
    }

    answer = relay.alert(**fields[where])

    assert answer.status_code in {422, 424, 202, 200}, answer.text
    if answer.status_code == 422:
        assert broker.calls == []
        return
    record = relay.ended(answer.json()["alert_id"])
    assert record["status"] in {"rejected", "nothing_to_cancel"}, record
    account, order = (name.strip(), None) if where != "order_id" else ("Sim101", name.strip())
    for call in broker.calls:
        head, version, api, accounts, given, *rest = call.path.partition("?")[0].split("/")[0:99]
        assert (head, version, api, accounts) == ("", "v1", "api", "accounts"), call.path
        assert unquote(given) == account
        assert rest in (["orders"], ["orders", "cancel"]) if order is None else unquote(rest[1]) == order
        assert call.path.isascii()
        assert not {name.lower() for name in call.headers} & {"x-injected"}
        assert call.headers["Host"] == f"127.0.0.1:{broker.port}"
        assert call.headers["Authorization"] == f"Bearer {TOKEN}"
    assert {state(broker, each) for each in orders} == {"Working"}


@pytest.mark.promise(4, 8)
def test_nothing_of_the_senders_headers_travels_on(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """The broker sees the call's own headers, with one credential: its own."""
    place(broker)
    sent = {
        "X-Request-ID": "sent-by-me",
        "Idempotency-Key": "sent-by-me",
        "Cookie": "a=sent-by-me",
        "User-Agent": "sent-by-me",
        "X-Forwarded-For": "203.0.113.9",
    }

    relay.ended(relay.alert(account="Sim101", scope="account", headers=sent).json()["alert_id"])

    known = {"host", "accept", "user-agent", "authorization", "content-type", "content-length"}
    known |= {"connection", "accept-encoding"}
    for call in broker.calls:
        assert {name.lower() for name in call.headers} <= known
        assert not any("sent-by-me" in value for value in call.headers.values())
        assert SECRET not in json.dumps(dict(call.headers)) + call.body.decode()


@pytest.mark.promise(8)
def test_a_request_id_is_believed_from_a_trusted_proxy_only(
    relay: RunningRelay, environ: dict[str, str]
) -> None:
    """Nobody else may choose what stands in our log lines; and a proxy's must be of plain characters."""
    mine = {"X-Request-ID": "req-12345"}
    fields = {"account": "Sim101", "scope": "account"}

    direct = relay.alert(**fields, dry_run=True, headers=mine)
    assert direct.headers["X-Request-ID"] != "req-12345"
    assert relay.line_of(direct.headers["X-Request-ID"])["request_id"] != "req-12345"
    assert "req-12345" not in relay.text

    with deployed({**environ, "RELAY_TRUSTED_PROXIES": "1"}) as behind:
        through = behind.alert(**fields, dry_run=True, headers=mine)
        assert through.headers["X-Request-ID"] == "req-12345"
        assert behind.line_of("req-12345")
        for odd in ("x" * 101, 'a"b', "a b", "a\tb", "ü".encode().decode("latin-1"), ""):
            answer = behind.alert(**fields, dry_run=True, headers={"X-Request-ID": odd})
            assert answer.headers["X-Request-ID"] != odd


@pytest.mark.promise(8)
def test_only_the_trusted_proxies_word_on_an_address_counts(
    broker: CrossTradeSandbox, environ: dict[str, str]
) -> None:
    """RELAY_ALLOW_FROM judges the address that the proxy saw, never one that the sender wrote before it."""
    settings = {**environ, "RELAY_TRUSTED_PROXIES": "1", "RELAY_ALLOW_FROM": "203.0.113.0/24"}
    fields: dict[str, Any] = {"account": "Sim101", "scope": "account", "dry_run": True}
    with deployed(settings) as behind:
        allowed = behind.alert(**fields, headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
        forged = behind.alert(**fields, headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})
        silent = behind.alert(**fields)
        plain = behind.alert(
            **fields, headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
        )

    assert allowed.status_code == 200, allowed.text
    assert [answer.status_code for answer in (forged, silent, plain)] == [403, 403, 403]
    assert forged.json()["type"].endswith("forbidden")
    assert plain.json()["type"].endswith("https-required")
    assert broker.calls == []


@pytest.mark.promise(8)
def test_a_record_is_for_who_has_the_secret(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """GET /alerts/{id} wants the bearer secret, and says no more of an id that is not there than 404."""
    order = place(broker)
    alert_id = relay.alert(account="Sim101", scope="account").json()["alert_id"]
    address = f"{relay.url}/alerts/{alert_id}"
    bearer = {"Authorization": f"Bearer {SECRET}"}

    for headers in (
        {},
        {"Authorization": "Bearer an-invented-secret-that-is-wrong"},
        {"Authorization": SECRET},
    ):
        answer = requests.get(address, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert order not in answer.text
    assert requests.get(f"{address}?secret={SECRET}", timeout=10).status_code == 401
    assert requests.get(address, headers=bearer, timeout=10).json()["alert_id"] == alert_id
    for unknown in (
        "0" * 32,
        "x",
        "..",
        alert_id.upper(),
        f"{alert_id}%00",
        f"{alert_id}:index",
        "%2e%2e%2fdue",
    ):
        answer = requests.get(f"{relay.url}/alerts/{unknown}", headers=bearer, timeout=10)
        assert answer.status_code == 404, unknown
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.promise(5)
def test_a_record_tells_each_step(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """The history has what came in, each call to the vendor, and the end, in their order."""
    place(broker)
    alert_id = relay.alert(account="Sim101", instrument="MES 12-26").json()["alert_id"]

    history = relay.ended(alert_id)["history"]

    assert [history[0]["step"], history[-1]["step"]] == ["received", "confirmed"]
    calls = [(step["method"], step["path"], step["status"]) for step in history if step["step"] == "call"]
    assert calls == [(call.method, call.path, call.status) for call in broker.calls]
    assert [step["at"] for step in history] == sorted(step["at"] for step in history)


@pytest.mark.promise(1)
def test_health_tells_a_live_process_from_a_ready_one(tmp_path: Path) -> None:
    """/healthz says that the process lives; /readyz says that Redis is away, and that it is back."""
    with EmbeddedRedis(tmp_path) as server, Stage(server) as stage:
        address = stage.relay.url
        assert requests.get(f"{address}/readyz", timeout=10).json()["status"] == "ready"
        server.kill()

        alive = requests.get(f"{address}/healthz", timeout=10)
        away = requests.get(f"{address}/readyz", timeout=10)
        assert (alive.status_code, alive.json()["status"]) == (200, "alive")
        assert away.status_code == 503
        assert "Redis" in away.text
        server.start()
        until(lambda: requests.get(f"{address}/readyz", timeout=10).ok, what="readiness")
        assert leftovers(stage.redis) == []
