"""Through the router an alert is confirmed, and what the router says is believed: no more, no less."""

from collections.abc import Iterator

import pytest

from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import message, place, state
from tests.heroku.stage import STORE_PASSWORD, Dyno, Heroku
from tests.running import SECRET, TOKEN, relay_command


@pytest.fixture(scope="module")
def dyno(platform: Heroku) -> Iterator[Dyno]:
    """Run one web dyno that takes alerts from one address alone."""
    with platform.up(RELAY_ALLOW_FROM="127.0.0.1") as running:
        yield running


@pytest.mark.promise(5)
def test_an_alert_over_tls_is_confirmed(heroku: Heroku, dyno: Dyno) -> None:
    """The reply says so, the broker's book shows it, and the router's request id is in reply and log."""
    order = place(heroku.broker)

    answer = heroku.alert(instrument="MES 12-26", reply_when="confirmed")

    assert (answer.status, answer.body["status"]) == (200, "confirmed")
    assert state(heroku.broker, order) == "Cancelled"
    request_id = answer.headers["X-Request-ID"]
    assert len(request_id) == 32
    assert dyno.line_of(request_id)["alert_id"] == answer.body["alert_id"]


@pytest.mark.promise(8)
def test_a_forged_address_does_not_pass(heroku: Heroku, dyno: Dyno) -> None:
    """Of X-Forwarded-For only what the router appended counts: it knows who really called."""
    order = place(heroku.broker)
    alert = message(secret=SECRET, account="Sim101", order_id=order)

    forged = heroku.ask(
        "POST", "/webhook", alert, headers={"X-Forwarded-For": "127.0.0.1"}, source="127.0.0.2"
    )
    honest = heroku.ask("POST", "/webhook", alert, headers={"X-Forwarded-For": "198.51.100.7"})

    assert (forged.status, forged.body["type"].rpartition(":")[2]) == (403, "forbidden")
    assert "127.0.0.2" in forged.body["detail"]
    assert honest.status == 200
    assert dyno.running.poll() is None


@pytest.mark.promise(8, 9)
@pytest.mark.usefixtures("dyno")
def test_plain_http_is_refused(heroku: Heroku) -> None:
    """Heroku's addresses answer it too; the secret has then been read on its way."""
    order = place(heroku.broker)
    alert = message(secret=SECRET, account="Sim101", order_id=order)

    answer = heroku.ask("POST", "/webhook", alert, plain=True, headers={"X-Forwarded-Proto": "https"})

    assert (answer.status, answer.body["type"].rpartition(":")[2]) == (403, "https-required")
    assert state(heroku.broker, order) == "Working"


@pytest.mark.promise(9)
@pytest.mark.usefixtures("heroku")
def test_no_secret_is_in_a_dynos_log(dyno: Dyno) -> None:
    """Neither the sender's, nor the broker's, nor the store's password."""
    for secret in (SECRET, TOKEN, STORE_PASSWORD):
        assert secret not in dyno.text


@pytest.mark.promise(8)
def test_a_store_that_signs_for_itself_is_trusted_on_a_dyno_alone(
    heroku: Heroku, broker: CrossTradeSandbox
) -> None:
    """Elsewhere its certificate is verified: refused as it stands, taken where the machine trusts it."""
    settings = {**heroku.config, "CROSSTRADE_URL": broker.url}
    trusting = {**settings, "SSL_CERT_FILE": str(heroku.certificate)}

    elsewhere = relay_command("check", environ=settings)
    assert elsewhere.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in elsewhere.stdout
    assert "Redis answers" in relay_command("check", environ=trusting).stdout
    assert "Redis answers" in relay_command("check", environ={**settings, "DYNO": "run.1"}).stdout
