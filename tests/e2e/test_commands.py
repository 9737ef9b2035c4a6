"""`python -m relay send`, `alerts`, `show` and `retry` against a relay as deployed."""

import contextlib
import http.server
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.trouble import Trouble
from tests.e2e import Stage, place, raw, settings_for, state
from tests.running import ROOT, SECRET, TOKEN, RunningRelay, free_port, relay_command

#: Named by every alert here.
WORDS = ("vendor=crosstrade", "account=Sim101")


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis) -> Iterator[Stage]:
    """Run a relay for all tests of this file."""
    with Stage(redis_server) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(stage: Stage) -> None:
    stage.clean()


class Ended:
    """A command that ended: its status, and what it said; the secret is in neither."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        for said in (out, err):
            assert SECRET not in said
            assert TOKEN not in said
            assert "Traceback" not in said

    @property
    def json(self) -> dict[str, Any]:
        """Read all of standard output as one document."""
        document: dict[str, Any] = json.loads(self.out)
        return document


def environ(url: str, **more: str) -> dict[str, str]:
    """Give what such a command needs, and nothing of the relay's own settings."""
    return {"RELAY_URL": url, "RELAY_SECRET": f"{SECRET},the-secret-before-this-one", **more}


def do(stage: Stage, *words: str, **more: str) -> Ended:
    """Run a command against the stage's relay."""
    return at(stage.relay.url, *words, **more)


def at(url: str, *words: str, **more: str) -> Ended:
    """Run a command against whatever listens there."""
    ended = relay_command(*words, environ=environ(url, **more))
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@contextlib.contextmanager
def beside(url: str, *words: str, file: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start a command, so that a test can act while it runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "relay", *words],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", os.defpath), **environ(url)},
        stdin=subprocess.DEVNULL if file is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def line_with(running: subprocess.Popen[str], text: str) -> str:
    """Read standard error up to the line that has this text."""
    assert running.stderr is not None
    for line in running.stderr:
        if text in line:
            return line
    raise AssertionError(f"it ended without saying {text}")


def end(running: subprocess.Popen[str]) -> Ended:
    """Wait for a command's end."""
    out, err = running.communicate(timeout=60)
    return Ended(running.returncode, out, err)


@pytest.mark.promise(5, 10)
def test_send_ends_with_0_when_the_orders_are_gone(stage: Stage) -> None:
    """What became of it goes to standard output, what happened on the way to standard error."""
    order = place(stage.broker)

    ended = do(stage, "send", *WORDS, "instrument=MES 12-26")

    assert ended.status == 0, ended.err
    first, show = ended.out.splitlines()
    assert first == "confirmed: MES 12-26 in Sim101: 1 cancelled. Checked at the broker."
    assert re.fullmatch(r"  python -m relay show [0-9a-f]{32}", show)
    assert re.search(
        r"^\d\d:\d\d:\d\d to http://127.0.0.1:\d+, as send-[0-9a-f]{16}$", ended.err, re.MULTILINE
    )
    assert state(stage.broker, order) == "Cancelled"


@pytest.mark.promise(5)
def test_send_for_a_script_is_one_document(stage: Stage) -> None:
    """The webhook's reply as it stands at the end, with the HTTP status that it would have."""
    order = place(stage.broker)

    ended = do(stage, "send", *WORDS, f"order_id={order}", "--id", "exit-1", "note=of the desk", "--json")

    assert ended.status == 0, ended.err
    assert (ended.json["status"], ended.json["http"]) == ("confirmed", 200)
    assert ended.json["cancels"][0]["orders"] == [{"order_id": order, "outcome": "cancelled"}]
    reply = stage.relay.alert(account="Sim101", order_id=order, id="exit-1", note="of the desk")
    assert reply.status_code == 422, "a timestamp was made, which makes it another alert than this one"
    record = stage.relay.record(ended.json["alert_id"])
    assert record["note"] == "of the desk"
    assert {name: record[name] for name in ended.json} == ended.json


@pytest.mark.promise(2)
def test_the_very_same_command_is_the_same_alert(stage: Stage) -> None:
    """With its id and its timestamp the broker is asked once, and the second is told to be the first's."""
    now = requests.get(f"{stage.relay.url}/healthz", timeout=5).headers["Date"]
    words = ("send", *WORDS, f"order_id={place(stage.broker)}", "--id", "exit-2", f"timestamp={iso(now)}")

    first, second = do(stage, *words), do(stage, *words)

    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert "The relay had this very alert already" in second.out
    assert len(stage.broker.cancel_calls) == 1


def iso(date: str) -> str:
    """Write an HTTP date as alerts have it."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - for this alone

    return parsedate_to_datetime(date).isoformat()


@pytest.mark.promise(5, 7)
@pytest.mark.parametrize("words", [("order_id=no-such-order",), ("instrument=MES 12-26", "must_exist=true")])
def test_send_ends_with_1_when_the_cancel_did_not_succeed(stage: Stage, words: Sequence[str]) -> None:
    """Refused, or nothing there where something must be: with the broker's or the relay's reason."""
    ended = do(stage, "send", *WORDS, *words, "--json")

    assert ended.status == 1, ended.err
    assert ended.json["http"] == 424
    shown = do(stage, "show", ended.json["alert_id"])
    assert (shown.status, shown.out.splitlines()[0]) == (
        1,
        f"{ended.json['status']}: {ended.json['message']}",
    )


@pytest.mark.promise(7, 8)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("send", *WORDS, "instrumnet=MES 12-26"), 'instrumnet: unknown field; did you mean "instrument"?'),
        (("send", "MES"), "Each word is name=value"),
        (("send", *WORDS, "account=Sim102"), "A name stands there twice"),
        (("send", *WORDS, "id=1", "--id", "2"), "id: given twice, and not the same"),
        (("send",), "What is to be cancelled?"),
        (("send", "--file", "/nowhere/at-all.json"), "/nowhere/at-all.json cannot be read: No such file"),
        (("send", *WORDS, "scope=account", "--dry"), "unrecognized arguments: --dry."),
        (("send", *WORDS, "scope=account", "dry-run"), "Each word is name=value"),
        (("send", *WORDS, "--wait", "soon"), '"soon" is no number of seconds from 0 to 90000'),
        (("show", "0" * 32), "There is no such alert of this sender's"),
        (("show", "../webhook"), "There is nothing at this address for GET"),
        (("retry", "0" * 32), "There is no such alert of this sender's"),
        (("alerts", "--limit", "201"), "limit: must be how many to list: a whole number from 1 to 200"),
    ],
)
def test_what_is_typed_wrong_ends_with_2(stage: Stage, words: Sequence[str], said: str) -> None:
    """One line says what to write instead, nothing is done, and a script gets a problem."""
    ended, for_script = do(stage, *words), do(stage, *words, "--json")

    assert (ended.status, for_script.status) == (2, 2)
    assert (said in ended.err, ended.out) == (True, "")
    assert len([line for line in ended.err.splitlines() if line.startswith("python -m relay")]) == 1
    assert for_script.json["type"].startswith("urn:cancel-relay:problem:")
    assert stage.broker.cancel_calls == []


@pytest.mark.promise(8)
def test_a_wrong_secret_ends_with_2(stage: Stage) -> None:
    """The relay's own word, 401."""
    ended = do(stage, "send", *WORDS, "scope=account", "--json", RELAY_SECRET="nobody-knows-this-secret")

    assert (ended.status, ended.json["status"]) == (2, 401)
    assert "nobody-knows" not in ended.out + ended.err


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("settings", "words", "said"),
    [
        ({"RELAY_URL": ""}, (), "RELAY_URL is missing: set it to the relay's address"),
        ({"RELAY_SECRET": ""}, (), "RELAY_SECRET is missing: set it to the secret that alerts carry"),
        ({"RELAY_SECRET": "short"}, (), "RELAY_SECRET is shorter than 16 characters"),
        (
            {"RELAY_SECRET": "two-lines-of-a\nsecret-of-mine"},
            (),
            "RELAY_SECRET holds a character that no header",
        ),
        (
            {"RELAY_URL": "http://relay.example"},
            (),
            "RELAY_URL http:// would send the credential to relay.example",
        ),
        (
            {},
            ("--url", "http://10.0.0.1"),
            "RELAY_URL http:// would send the credential to 10.0.0.1 unencrypted",
        ),
        ({}, ("--url", "https://relay.example/webhook"), "write the relay's own address, without /webhook"),
        ({}, ("--url", "ftp://relay.example"), "is not an address such as https://your-relay.example"),
    ],
)
def test_the_secret_goes_nowhere_in_clear(
    stage: Stage, settings: dict[str, str], words: Sequence[str], said: str
) -> None:
    """Refused before any connection, with what to set."""
    ended = do(stage, "alerts", *words, **settings)

    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert "secret-of-mine" not in ended.err


@pytest.mark.promise(9)
@pytest.mark.parametrize("name", ["secret", "key", "passphrase", "Token"])
def test_a_secret_among_the_words_is_refused(stage: Stage, name: str) -> None:
    """Every user of the machine sees it there; it is not repeated, and not sent."""
    ended = do(stage, "send", *WORDS, "scope=account", f"{name}=hunter2-hunter2-hunter2")

    assert ended.status == 2
    assert "does not go on the command line" in ended.err
    assert "hunter2" not in ended.err
    assert stage.broker.calls == []


@pytest.mark.promise(6)
def test_what_is_not_known_yet_ends_with_3(stage: Stage) -> None:
    """A broker that hangs outlasts the wait; the relay goes on, and show tells the end later."""
    order = place(stage.broker)
    stage.broker.trouble = Trouble(on="any", hang=True)

    ended = do(stage, "send", *WORDS, f"order_id={order}", "--wait", "3", "--json")

    assert (ended.status, ended.json["status"]) == (3, "in_progress")
    assert do(stage, "show", ended.json["alert_id"]).status == 3
    stage.broker.trouble = None
    stage.relay.ended(ended.json["alert_id"], within=40)
    assert do(stage, "show", ended.json["alert_id"]).status == 0


@pytest.mark.promise(5)
def test_requested_is_enough_only_for_whoever_says_so(stage: Stage) -> None:
    """While the broker shows no order, its yes is 0 for reply_when=requested, and else not known yet."""
    stage.broker.trouble = Trouble(on="read", hang=True)
    words = ("send", *WORDS, "--wait", "3", "--json")

    enough = do(stage, *words, f"order_id={place(stage.broker)}", "reply_when=requested")
    more = do(stage, *words, f"order_id={place(stage.broker)}")

    assert (enough.status, enough.json["status"]) == (0, "requested")
    assert (more.status, more.json["status"]) == (3, "requested")


@pytest.mark.promise(1)
def test_a_relay_that_is_down_ends_with_4() -> None:
    """Nothing arrived, and that is said."""
    url = f"http://127.0.0.1:{free_port()}"
    words = ("send", *WORDS, "scope=account", "--wait", "0")

    ended, for_script = at(url, *words), at(url, *words, "--json")

    assert (ended.status, for_script.status) == (4, 4)
    assert "the connection is refused. Tried 1 time. Nothing arrived, so nothing is cancelled." in ended.err
    assert for_script.json["type"] == "urn:cancel-relay:problem:unreachable"
    for other in (("alerts",), ("show", "0" * 32), ("retry", "0" * 32)):
        assert at(url, *other).status == 4


@pytest.mark.promise(1)
def test_a_relay_without_redis_ends_with_4_and_is_asked_again_meanwhile(stage: Stage, tmp_path: Path) -> None:
    """503 at first; when Redis is there the same alert goes through, once."""
    late = EmbeddedRedis(tmp_path)
    order = place(stage.broker)
    with RunningRelay(settings_for(late.url, stage.broker.url)) as relay:
        ended = at(relay.url, "send", *WORDS, f"order_id={order}", "--wait", "0", "--json")
        assert (ended.status, ended.json["status"]) == (4, 503)
        assert ended.json["type"] == "urn:cancel-relay:problem:not-ready"
        with beside(relay.url, "send", *WORDS, f"order_id={order}", "--json") as running:
            line_with(running, "The same alert goes again in 5 s.")
            with late:
                sent = end(running)

    assert (sent.status, sent.json["status"], sent.json["duplicate"]) == (0, "confirmed", False), sent.err
    assert len(stage.broker.cancel_calls) == 1


class Wire:
    """A wire to the relay that loses the first answer on its way back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.lost: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    answer = raw(self._port, self._request(connection))
                    if self.lost:
                        connection.sendall(answer)
                    else:
                        self.lost.append(answer)

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while length and len(body) < int(length[1]):
            body += connection.recv(65_536)
        return head.replace(b"keep-alive", b"close") + b"\r\n\r\n" + body

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


@pytest.mark.promise(1, 2)
def test_an_answer_that_was_lost_is_asked_for_again(stage: Stage) -> None:
    """The relay had the alert, so the resend is its duplicate: one cancel, and its end is told."""
    wire = Wire(stage.relay.port)
    try:
        ended = at(wire.url, "send", *WORDS, f"order_id={place(stage.broker)}", "--json")
    finally:
        wire.close()

    assert b'"alert_id"' in wire.lost[0]
    assert ended.status == 0, ended.err
    assert (ended.json["duplicate"], ended.json["duplicate_by"], ended.json["status"]) == (
        True,
        "id",
        "confirmed",
    )
    assert len(stage.broker.cancel_calls) == 1


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A server that is no relay."""

    def do_GET(self) -> None:
        """Lead elsewhere, answer as any page does, or tell what was sent."""
        asked.append(self.path)
        secret = self.headers["Authorization"]
        status, body = {
            "moved": (307, ""),
            "echo": (400, json.dumps({"detail": f"what is {secret}?"})),
            "other": (200, json.dumps({"status": "alive"})),
        }.get(self.path.split("/")[1], (200, f"<html>{secret}</html>"))
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


#: Paths that were asked of the server that is no relay.
asked: list[str] = []


@pytest.mark.promise(8, 9)
def test_what_is_no_relay_is_told_and_led_nowhere() -> None:
    """A page, a redirect: one line, status 2, and the secret goes to no second address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        said = {path: at(f"{url}{path}", "alerts") for path in ("", "/moved", "/echo", "/other")}
        server.shutdown()

    assert {each.status for each in said.values()} == {2}
    assert "leads elsewhere (307): give the address itself" in said.pop("/moved").err
    for each in said.values():
        assert "is no relay: is that its address?" in each.err
    assert asked == ["/alerts", "/moved/alerts", "/echo/alerts", "/other/alerts"]


@pytest.mark.promise(5, 7)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("send", *WORDS, "scope=account", "--id", "x 1"), "once more: --id 'x 1' timestamp="),
        (("retry", "0" * 32), "whether it is tried again is not known; look before you ask again"),
        (("show", "0" * 32), "python -m relay: Interrupted"),
        (("alerts",), "python -m relay: Interrupted"),
    ],
)
def test_ctrl_c_before_an_answer_says_what_is_not_known(words: Sequence[str], said: str) -> None:
    """A relay that is silent: one line, status 130, also for a script."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        beside(f"http://127.0.0.1:{silent.getsockname()[1]}", *words, "--json") as running,
    ):
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            running.send_signal(signal.SIGINT)
            ended = end(running)

    assert ended.status == 130
    assert said in ended.err
    assert ended.json["type"] == "urn:cancel-relay:problem:interrupted"


@pytest.mark.promise(7)
def test_ctrl_c_before_anything_arrived_says_so() -> None:
    """Nobody wonders about an alert that never reached a relay."""
    with beside("http://127.0.0.1:1", "send", *WORDS, "scope=account") as running:
        line_with(running, "The same alert goes again in 5 s.")
        running.send_signal(signal.SIGINT)
        ended = end(running)

    assert ended.status == 130
    assert ended.err.endswith("Interrupted. Nothing arrived, so nothing is cancelled\n")


@pytest.mark.promise(9)
def test_no_secret_is_in_the_list_of_processes(stage: Stage) -> None:
    """While it runs, its command line is what was typed."""
    stage.broker.trouble = Trouble(on="any", hang=True)
    with beside(stage.relay.url, "send", *WORDS, "scope=account", "--wait", "3") as running:
        line_with(running, "as send-")
        listed = subprocess.run(
            ["/bin/ps", "-ww", "-o", "args=", "-p", str(running.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        end(running)

    assert "scope=account" in listed.stdout
    assert SECRET not in listed.stdout


@pytest.mark.promise(5, 7)
def test_ctrl_c_stops_the_waiting_alone(stage: Stage) -> None:
    """It says that the relay goes on, and where to look; status 130."""
    order = place(stage.broker)
    stage.broker.trouble = Trouble(on="read", hang=True)
    with beside(stage.relay.url, "send", *WORDS, f"order_id={order}") as running:
        line_with(running, "requested: ")
        running.send_signal(signal.SIGINT)
        ended = end(running)

    assert (ended.status, ended.out) == (130, "")
    shown = re.search(
        r"the relay goes on with it: python -m relay show ([0-9a-f]{32})$", ended.err, re.MULTILINE
    )
    assert shown, ended.err
    stage.broker.trouble = None
    assert stage.relay.ended(shown[1], within=40)["status"] == "confirmed"


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "message",
    [
        '{{"action": "cancel", {what}, "max_age": 30.5}}',
        "command=CANCEL; account=Sim101; order_id={order};",
        '{{"secret": "tests-only-relay-secret-1", {what}}}',
    ],
)
def test_a_whole_message_is_sent_from_a_file(stage: Stage, tmp_path: Path, message: str) -> None:
    """As a chart would send it, with an id and a timestamp made; words add to it."""
    order = place(stage.broker)
    file = tmp_path / "message.txt"
    what = json.dumps({"vendor": "crosstrade", "account": "Sim101", "order_id": order}).strip("{}")
    file.write_text(message.format(order=order, what=what))

    ended = do(stage, "send", "--file", str(file), "note=by hand", "--json")

    assert (ended.status, ended.json["status"]) == (0, "confirmed"), ended.err
    assert state(stage.broker, order) == "Cancelled"
    assert stage.relay.record(ended.json["alert_id"])["note"] == "by hand"


@pytest.mark.promise(10)
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_terminal_without_a_letter_gets_the_outcome_all_the_same(
    stage: Stage, encoding: str, options: tuple[str, ...]
) -> None:
    """The alert is sent by then: the status is its own, and the document is one."""
    target = ("vendor=crosstrade", "account=Sim101", "instrument=MES \xe4\u2602", "--dry-run")

    ended = do(stage, "send", *target, *options, PYTHONIOENCODING=encoding, PYTHONUTF8="1")

    assert ended.status == 0, ended.err
    if options:
        assert ended.json["message"].startswith("MES \xe4\u2602 in Sim101: ")
    else:
        assert ended.out.startswith("dry_run: MES ")


@pytest.mark.promise(10)
def test_a_message_cannot_come_from_a_standard_input_that_is_closed(stage: Stage) -> None:
    """As under a scheduler that gives none: it is said, with the status of a mistake."""
    command = [sys.executable, "-m", "relay", "send", "--file", "-"]
    ended = subprocess.run(
        ["/bin/sh", "-c", f"exec {shlex.join(command)} <&-"],
        cwd=ROOT,
        env=environ(stage.relay.url),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr == ("python -m relay: Standard input is closed, so no message can come from it\n")


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('{"vendor": "crosstrade", "account": "Sim101", "instrument": "{{ticker}}"}', "still holds {{…}}"),
        ("command=CLOSE; account=Sim101;", "does not cancel"),
        ("{“vendor”: 1}", "typographic quotes"),
        ("x" * 17_000, "is over 16 KiB"),
    ],
)
def test_a_message_that_is_none_ends_with_2(stage: Stage, message: str, said: str) -> None:
    """From standard input, too: nothing is guessed."""
    with beside(stage.relay.url, "send", "--file", "-", file=message) as running:
        out, err = running.communicate(message, timeout=60)

    ended = Ended(running.returncode, out, err)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert stage.broker.calls == []


@pytest.mark.promise(4)
def test_a_dry_run_shows_the_calls_and_sends_none(stage: Stage) -> None:
    """Also with a list of accounts; status 0, and no record."""
    ended = do(stage, "send", "vendor=crosstrade", "account=Sim101, Sim102", "scope=account", "--dry-run")

    assert ended.status == 0, ended.err
    assert re.search(r"would call: POST http://[0-9.:]+/v1/api/accounts/Sim102/orders/cancel", ended.out)
    assert (stage.broker.calls, do(stage, "alerts", "--json").json["alerts"]) == ([], [])


@pytest.mark.promise(5)
def test_retry_tries_again_what_the_broker_refused(stage: Stage) -> None:
    """And only that: an alert that succeeded, or is no more to be tried, is a mistake."""
    order = place(stage.broker)
    stage.broker.trouble = Trouble(
        on="cancel", times=1, status=400, answer='{"success": false, "error": "no"}'
    )
    failed = do(stage, "send", *WORDS, f"order_id={order}", "--json")
    assert failed.status == 1, failed.err

    again = do(stage, "retry", failed.json["alert_id"], "--json")
    once_more = do(stage, "retry", failed.json["alert_id"])

    assert (again.status, again.json["status"]) == (0, "confirmed"), again.err
    assert state(stage.broker, order) == "Cancelled"
    assert once_more.status == 2
    assert "Only what ended without success can be tried again: it is confirmed." in once_more.err


@pytest.mark.promise(5, 9)
def test_a_brokers_words_steer_no_terminal(stage: Stage) -> None:
    """Its escapes and line breaks are blanks, in every command that shows them."""
    words = json.dumps({"success": False, "error": "no\x1b[2J\nconfirmed: all is well"})
    stage.broker.trouble = Trouble(on="cancel", times=1, status=400, answer=words)
    sent = do(stage, "send", *WORDS, f"order_id={place(stage.broker)}")
    alert_id = sent.out.split()[-1]

    said = [sent, do(stage, "alerts"), do(stage, "show", alert_id)]

    assert sent.status == 1, sent.err
    for each in said:
        assert "no [2J confirmed: all is well" in each.out
        assert "\x1b" not in each.out + each.err
        assert "\nconfirmed" not in each.out


@pytest.mark.promise(1)
def test_the_list_is_in_words_and_in_local_time(stage: Stage) -> None:
    """Newest first, a line each, the rest by --before; a script gets one document."""
    for number in range(3):
        sent = stage.relay.alert(account="Sim101", order_id=f"none-{number}", id=f"n-{number}")
        assert stage.relay.ended(sent.json()["alert_id"])

    two = do(stage, "alerts", "--status", "rejected", "--limit", "2", TZ="Asia/Tokyo")
    before = two.err.split()[-1]
    rest = do(stage, "alerts", "--before", before, "--json")
    none = do(stage, "alerts", "--status", "confirmed", "--vendor", "autoshares")

    line = (
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST  [0-9a-f]{32}  rejected: order none-(\d) in Sim101: refused .*\n"
    )
    assert two.status == 0
    assert re.fullmatch(line * 2, two.out), two.out
    assert re.findall(r"order none-(\d) in", two.out) == ["2", "1"]
    assert two.err == f"There may be more: --before {before}\n"
    assert [each["message"][:12] for each in rest.json["alerts"]] == ["order none-0"]
    assert (rest.json["before"], rest.json["warnings"]) == (None, [])
    assert (none.status, none.out, none.err) == (0, "", "No such alerts.\n")


@pytest.mark.promise(5)
def test_show_tells_each_order_and_each_call(stage: Stage) -> None:
    """In words: what was asked of the broker, what it answered, and when."""
    order = place(stage.broker)
    sent = do(stage, "send", *WORDS, "instrument=MES 12-26", "note=out", "--json")

    shown, record = (
        do(stage, "show", sent.json["alert_id"]),
        do(stage, "show", sent.json["alert_id"], "--json"),
    )

    assert (shown.status, record.status) == (0, 0)
    assert record.json == stage.relay.record(sent.json["alert_id"])
    assert "\nNote: out\n" in shown.out
    assert "\ncrosstrade, account Sim101, instrument MES 12-26: confirmed, 1 attempt\n" in shown.out
    assert f"\n  order {order}: cancelled\n" in shown.out
    assert re.search(
        r"^\d\d:\d\d:\d\d\.\d{3}  POST http\S+/orders/cancel: 200 in [0-9.]+ ms$", shown.out, re.MULTILINE
    )
    assert shown.out.splitlines()[-1].endswith("  confirmed")


@pytest.mark.promise(9)
def test_the_surroundings_lead_the_secret_nowhere(stage: Stage, tmp_path: Path) -> None:
    """Neither a proxy's name nor a .netrc changes where it goes, or what goes."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    nobody = f"http://127.0.0.1:{free_port()}"

    ended = do(stage, "alerts", HTTP_PROXY=nobody, http_proxy=nobody, ALL_PROXY=nobody, HOME=str(tmp_path))

    assert ended.status == 0, ended.err


@pytest.mark.promise(10)
def test_a_reader_that_has_seen_enough_ends_it_quietly(stage: Stage) -> None:
    """As `head` does: no traceback."""
    stage.relay.alert(account="Sim101", order_id="none")
    with beside(stage.relay.url, "alerts") as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == ""
