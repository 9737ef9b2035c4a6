"""No secret comes out: in no log, no reply, no record and no value in Redis, whatever went wrong."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import redis
import requests

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import deployed, place, raw, settings_for
from tests.running import RunningRelay, until, worker

#: Secrets with every character that an encoding could change.
SECRET = 'invented/se"cret+with=odd&chars\\ümlaut'
TOKEN = 'invented.token~with/odd+chars="quoted"'
WRONG = "an-invented-wrong/secret+that=is&odd"

#: Enough of a secret to be worth something to whoever finds it.
WORTH = 12

#: Requests that no server can read, with a secret where a mistake would put it.
NO_HTTP = [
    "POST /webhook HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {secret}\r\n\r\n",
    "POST /webhook HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\x00\r\n\r\n",
    "POST /webhook HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n {secret}\r\n\r\n",
    "POST /webhook?secret={secret} HTTP/9.9\r\nHost: x\r\n\r\n",
    "POST /webhook?secret={secret} and more HTTP/1.1\r\nHost: x\r\n\r\n",
    "{secret} /webhook HTTP/1.1\r\nHost: x\r\n\r\n",
    'POST /webhook HTTP/1.1\r\nHost: x\r\n\r\n{{"secret": "{secret}"}}\r\n\r\n',
    'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}{{"secret": "{secret}"}}\r\n\r\n',
    'POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"secret={secret}"\r\n\r\n',
]


def traces(secret: str) -> list[str]:
    """Give every shape in which a secret could be found again, cut ones too."""
    bare = [
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        secret.encode("unicode_escape").decode(),
    ]
    coded = [base64.b64encode(secret.encode()).decode().rstrip("=")]
    return [each[:WORTH] for each in bare + coded] + [secret[-WORTH:]]


def found(text: str, *secrets: str) -> list[str]:
    """List what of the secrets stands in a text, with what stands around it."""
    places = [(text.find(trace), trace) for secret in secrets for trace in traces(secret)]
    return [text[max(0, at - 200) : at + 40] for at, _ in places if at != -1]


def everything_in(client: redis.Redis) -> str:
    """Read every key and value in Redis, whatever its type."""
    readers: dict[bytes | str, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        b"list": lambda name: client.lrange(name, 0, -1),
        b"set": client.smembers,
        b"stream": client.xrange,
    }
    values = [(name, readers[client.type(name)](name)) for name in client.scan_iter()]
    assert values
    return "\n".join(_plain(each) for each in values)


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever Redis holds
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return " ".join(_plain(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple | set):
        return " ".join(_plain(each) for each in value)
    return str(value)


@pytest.fixture
def broker() -> Iterator[CrossTradeSandbox]:
    """Run a broker with a token of many characters."""
    with CrossTradeSandbox(TOKEN) as sandbox:
        sandbox.behaviour.burst = None
        yield sandbox


def send(relay: RunningRelay, said: list[str], body: str, **headers: str) -> requests.Response:
    """Send to the webhook, and keep all that comes back."""
    answer = relay.post(body, headers)
    said.append(f"{answer.headers} {answer.text}")
    return answer


def alert(secret: str = SECRET, **fields: Any) -> str:  # noqa: ANN401 - a JSON value
    """Write an alert with a credential in its body."""
    return json.dumps(
        {"secret": secret, "action": "cancel", "vendor": "crosstrade", "account": "Sim101", **fields}
    )


def lies() -> list[Trouble]:
    """Give answers of a broker that tells its client's credential to whoever reads."""
    padded = [f"{'x' * count} {TOKEN} was refused" for count in (0, 250, 280, 290, 295)]
    bodies = [json.dumps({"success": False, "error": text, "detail": text}) for text in padded]
    return [
        *(Trouble(times=1, status=400, answer=body) for body in bodies),
        *(
            Trouble(times=1, leak_header="Authorization", status=status)
            for status in (400, 401, 408, 429, 500)
        ),
        Trouble(times=1, answer=f"<html>{TOKEN}</html>"),
        Trouble(times=1, status=500, answer=TOKEN),
        Trouble(times=1, answer=json.dumps({"success": True, "orderIds": [TOKEN]})),
        Trouble(times=1, status=302, headers={"Location": f"/?token={quote(TOKEN)}"}),
    ]


@pytest.mark.promise(9)
def test_no_secret_comes_out_whatever_goes_wrong(redis_url: str, broker: CrossTradeSandbox) -> None:
    """A mix of successes, refusals, lies and mistakes: neither the secret nor the token is to be found."""
    environ = {**settings_for(redis_url, broker.url), "RELAY_SECRET": SECRET, "CROSSTRADE_TOKEN": TOKEN}
    environ |= {"RELAY_LEASE": "1", "LOG_LEVEL": "DEBUG"}
    said: list[str] = []
    ids: list[str] = []
    other = worker(environ).start()
    try:
        with redis.Redis.from_url(redis_url) as client, deployed(environ) as relay:
            relay.secret = SECRET
            place(broker)
            ids.append(send(relay, said, alert(scope="account", reply_when="confirmed")).json()["alert_id"])
            send(relay, said, alert(scope="account", dry_run=True))
            for number, trouble in enumerate(lies()):
                client.delete(*client.scan_iter("relay:budget:*"), "none")
                order = place(broker)
                broker.trouble = trouble
                target = ({"instrument": "MES 12-26"}, {"order_id": order}, {"scope": "everything"})[
                    number % 3
                ]
                body = alert(id=f"lie-{number}", max_age=2, **target)
                if "scope" in target:
                    body = body.replace('"account": "Sim101", ', "")
                answer = send(relay, said, body)
                ids.append(answer.json()["alert_id"])
            broker.trouble = None
            for body in (
                alert(SECRET, scope="account", note=SECRET),
                alert(SECRET, scope="account", id=f"x{SECRET}"),
                alert(SECRET, scope="account", **{TOKEN: 1}),
                alert(SECRET, scope="account", **{SECRET: 1}),
                alert(SECRET, scope=SECRET),
                alert(SECRET, instrument=TOKEN),
                alert(SECRET, account=[SECRET, SECRET], scope="account"),
                alert(SECRET, scope="account", side=SECRET, timestamp=SECRET, vendor=TOKEN),
                alert(SECRET, scope="account") + "x",
                json.dumps({"action": "cancel", SECRET: 1})[:-1] + ', "a": NaN}',
                f"secret={quote(SECRET)}&{quote(SECRET)}=1&action=cancel",
            ):
                send(relay, said, body)
                send(relay, said, body, Authorization=f"Bearer {SECRET}".encode().decode("latin-1"))
            for path in (
                quote(SECRET),
                "x" * 190 + quote(SECRET),
                f"alerts/{quote(SECRET)}",
                f"?s={quote(SECRET)}",
            ):
                answer = requests.get(f"{relay.url}/{path}", timeout=10)
                said.append(f"{answer.headers} {answer.text}")
            client.hset("relay:alert:" + "0" * 32, mapping={"record": "damaged", "received": 1, "token": ""})
            credential = {"Authorization": f"Bearer {SECRET}".encode()}
            answer = requests.get(f"{relay.url}/alerts/{'0' * 32}", headers=credential, timeout=10)
            assert answer.status_code == 503
            said.append(answer.text)
            for alert_id in ids:
                answer = requests.get(f"{relay.url}/alerts/{alert_id}", headers=credential, timeout=10)
                said.append(f"{answer.headers} {answer.text}")
            kept = everything_in(client)
            relay.kill()
            other.kill()
    finally:
        if other.running.poll() is None:
            other.kill()

    assert relay.log("unforeseen")
    leaks = {
        "replies": found("\n".join(said), SECRET, TOKEN),
        "Redis": found(kept, SECRET, TOKEN),
        "output": found(relay.text + other.text, SECRET, TOKEN),
    }
    assert leaks == {"replies": [], "Redis": [], "output": []}


@pytest.mark.promise(9)
def test_a_wrong_credential_is_not_kept_either(redis_url: str, broker: CrossTradeSandbox) -> None:
    """What was sent in error may be somebody's other password: it is in no log and in no reply."""
    environ = {**settings_for(redis_url, broker.url), "LOG_LEVEL": "DEBUG"}
    said: list[str] = []
    with redis.Redis.from_url(redis_url) as client, deployed(environ) as relay:
        basic = base64.b64encode(f"me:{WRONG}".encode()).decode()
        for _ in range(3):
            send(relay, said, alert(WRONG, scope="account"))
            send(relay, said, alert(WRONG, scope="account") + "x")
            send(relay, said, alert(WRONG, scope="account"), Authorization=f"Bearer {WRONG}")
            send(relay, said, "{}", Authorization=f"Basic {basic}")
            send(relay, said, f"key={WRONG}; command=CANCELALLORDERS;")
            send(relay, said, f"secret={quote(WRONG)}&action=cancel")
            send(relay, said, "{}", **{"X-Request-ID": WRONG, "Idempotency-Key": WRONG})
            send(relay, said, "{}", **{"webhook-id": WRONG, "webhook-signature": f"v1,{WRONG}"})
        credential = {"Authorization": f"Bearer {WRONG}"}
        answer = requests.get(f"{relay.url}/alerts/{'0' * 32}", headers=credential, timeout=10)
        said.append(f"{answer.headers} {answer.text}")
        assert answer.status_code == 429
        kept = everything_in(client)
        relay.kill()

    leaks = {"replies": found("\n".join(said), WRONG), "Redis": found(kept, WRONG)}
    assert {**leaks, "output": found(relay.text, WRONG)} == {"replies": [], "Redis": [], "output": []}


@pytest.mark.promise(9)
def test_a_request_that_is_no_http_leaves_no_secret(environ: dict[str, str]) -> None:
    """A sender who counts wrong, or forgets a colon, leaves his secret in no log."""
    secret = "tests-only-relay-secret-1"
    with deployed({**environ, "LOG_LEVEL": "DEBUG"}) as relay:
        answers = [raw(relay.port, request.format(secret=secret).encode()) for request in NO_HTTP]
        until(lambda: requests.get(f"{relay.url}/healthz", timeout=5).ok)
        relay.kill()

    assert not any(answer.startswith(b"HTTP/1.1 2") for answer in answers)
    assert found(relay.text, secret) == []
