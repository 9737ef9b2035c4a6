"""`python -m relay sandbox`: the stand-in brokers alone, and the settings that point a relay at them."""

import hashlib
import hmac
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest
import requests

from tests.running import SECRET, START_WITHIN, Process, free_ports, relay_command, until

#: All that the command prints on standard output, in its order.
SETTINGS = [
    "ALPHAPOINT_API_KEY",
    "ALPHAPOINT_API_SECRET",
    "ALPHAPOINT_OMS_ID",
    "ALPHAPOINT_PASSWORD",
    "ALPHAPOINT_URL",
    "ALPHAPOINT_USERNAME",
    "ALPHAPOINT_USER_ID",
    "ALPHAPOINT_WS_URL",
    "AUTOSHARES_APP_KEY",
    "AUTOSHARES_PASSWORD",
    "AUTOSHARES_URL",
    "AUTOSHARES_USERNAME",
    "CROSSTRADE_TIMEZONE",
    "CROSSTRADE_TOKEN",
    "CROSSTRADE_URL",
    "CROSSTRADE_WS_URL",
]

#: Their addresses, in the order of their ports.
URLS = ("CROSSTRADE_URL", "ALPHAPOINT_URL", "AUTOSHARES_URL")

#: Credentials as an operator may have exported them. A shell would read the password as something else.
MINE = {
    "CROSSTRADE_TOKEN": "exported-token-of-my-own",
    "ALPHAPOINT_API_KEY": "exported-key",
    "ALPHAPOINT_API_SECRET": "exported-api-secret",
    "ALPHAPOINT_USER_ID": "71",
    "ALPHAPOINT_USERNAME": "me@example.com",
    "ALPHAPOINT_PASSWORD": "it costs $HOME; #1",
    "ALPHAPOINT_OMS_ID": "3",
    "AUTOSHARES_APP_KEY": "exported-app-key",
    "AUTOSHARES_USERNAME": "me",
    "AUTOSHARES_PASSWORD": "exported-password",
}

#: Seconds that a stand-in may take to answer.
ANSWER_WITHIN = 5.0


class Sandbox(Process):
    """The command; its standard output is kept apart from its words for people."""

    def __init__(self, folder: Path, *options: str, environ: Mapping[str, str] | None = None) -> None:
        """Take the folder for the words, and the command's options."""
        super().__init__("worker", environ or {})
        self._words = folder / "words.txt"
        command = ["python", "-m", "relay", "sandbox", *options]
        self.line = f"{shlex.join(command)} 2> {shlex.quote(str(self._words))}"

    def start(self) -> Self:
        """Start it, and wait until it has said all."""
        super().start()
        until(self._is_ready, within=START_WITHIN, what="the settings and the words")
        return self

    def _is_ready(self) -> bool:
        assert self.running.poll() is None, f"it ended:\n{self.words}"
        return len(self.output) >= len(SETTINGS) and "Ctrl-C" in self.words

    @property
    def words(self) -> str:
        """Give what it said to people."""
        return self._words.read_text() if self._words.exists() else ""

    @property
    def settings(self) -> dict[str, str]:
        """Read the settings as a file of a line each would be read."""
        pairs = (line.removesuffix("\n").partition("=") for line in self.output)
        return {name: value for name, _, value in pairs}


@pytest.fixture(name="sandbox")
def _sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path) as sandbox:
        yield sandbox


def three_free_ports() -> int:
    """Give the first of three ports in a row that nobody listens on, and nobody else is given."""
    return until(lambda: free_ports(3), what="three free ports in a row")


def crosstrade_orders(settings: Mapping[str, str], account: str) -> int:
    """Count an account's orders as CrossTrade's user."""
    headers = {"Authorization": f"Bearer {settings['CROSSTRADE_TOKEN']}"}
    url = f"{settings['CROSSTRADE_URL']}/v1/api/accounts/{account}/orders"
    answer = requests.get(url, headers=headers, timeout=ANSWER_WITHIN)
    answer.raise_for_status()
    return len(answer.json()["orders"])


def alphapoint_orders(settings: Mapping[str, str], account: int, credentials: Mapping[str, str]) -> int:
    """Log in at AlphaPoint with these headers, and count an account's orders."""
    url = settings["ALPHAPOINT_URL"]
    session = requests.get(f"{url}/AuthenticateUser", headers=credentials, timeout=ANSWER_WITHIN).json()
    assert session["Authenticated"], session
    assert session["User"]["OMSId"] == int(settings["ALPHAPOINT_OMS_ID"])
    asked = {"OMSId": settings["ALPHAPOINT_OMS_ID"], "AccountId": str(account)}
    headers = {"APToken": session["SessionToken"]}
    answer = requests.get(f"{url}/GetOpenOrders", asked, headers=headers, timeout=ANSWER_WITHIN)
    answer.raise_for_status()
    return len(answer.json())


def signed(settings: Mapping[str, str]) -> dict[str, str]:
    """Sign a log-in with AlphaPoint's API key."""
    nonce, user, key = "2247733562", settings["ALPHAPOINT_USER_ID"], settings["ALPHAPOINT_API_KEY"]
    secret = settings["ALPHAPOINT_API_SECRET"].encode()
    signature = hmac.new(secret, f"{nonce}{user}{key}".encode(), hashlib.sha256).hexdigest()
    return {"Nonce": nonce, "APIKey": key, "Signature": signature, "UserId": user}


def alphapoint_password_is_right(settings: Mapping[str, str]) -> bool:
    """Log in at AlphaPoint with name and password."""
    name_and_password = settings["ALPHAPOINT_USERNAME"], settings["ALPHAPOINT_PASSWORD"]
    url = f"{settings['ALPHAPOINT_URL']}/Authenticate"
    answer = requests.get(url, auth=name_and_password, timeout=ANSWER_WITHIN).json()
    return bool(answer["Authenticated"])


def autoshares_orders(settings: Mapping[str, str], account: int) -> int:
    """Log in at Autoshares, and count an account's orders."""
    url, headers = settings["AUTOSHARES_URL"], {"Et-App-Key": settings["AUTOSHARES_APP_KEY"]}
    user = {"Username": settings["AUTOSHARES_USERNAME"], "Password": settings["AUTOSHARES_PASSWORD"]}
    login = requests.post(f"{url}/token", headers={**headers, **user}, timeout=ANSWER_WITHIN)
    login.raise_for_status()
    headers["Authorization"] = f"Bearer {login.json()['Token']}"
    asked = {"pageNumber": "0", "pageSize": "100"}
    orders = f"{url}/v1.0/accounts/{account}/orders"
    answer = requests.get(orders, asked, headers=headers, timeout=ANSWER_WITHIN)
    answer.raise_for_status()
    return len(answer.json()["Result"])


@pytest.mark.promise(10)
def test_the_settings_are_complete_and_work(sandbox: Sandbox) -> None:
    """Nothing else is on standard output; each broker lets their user in, who finds orders."""
    assert all(re.fullmatch(r"[A-Z_]+=\S+\n", line) for line in sandbox.output), sandbox.text
    settings = sandbox.settings
    assert list(settings) == SETTINGS
    assert settings["CROSSTRADE_TIMEZONE"] == "UTC"

    assert crosstrade_orders(settings, "Sim101") == 4
    assert alphapoint_orders(settings, 7, signed(settings)) == 4
    assert alphapoint_password_is_right(settings)
    assert autoshares_orders(settings, 6303) == 4


@pytest.mark.promise(10)
def test_a_relay_takes_the_settings(sandbox: Sandbox) -> None:
    """With a Redis and a secret they are all that it needs, and it knows every name among them."""
    others = {"REDIS_URL": "redis://redis.invalid", "RELAY_SECRET": SECRET}

    ended = relay_command("check", "--settings", environ={**sandbox.settings, **others})

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("The settings hold.\n")


@pytest.mark.promise(9, 10)
def test_credentials_are_invented_each_time(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nobody can know them beforehand; two sandboxes at a time are two."""
    (tmp_path / "other").mkdir()
    with Sandbox(tmp_path / "other") as other:
        same = {name for name in SETTINGS if sandbox.settings[name] == other.settings[name]}

    assert same == {"ALPHAPOINT_USER_ID", "ALPHAPOINT_OMS_ID", "CROSSTRADE_TIMEZONE"}


@pytest.mark.promise(10)
def test_credentials_of_the_environment_are_taken(tmp_path: Path) -> None:
    """A shell reads them back as they are, they work, and the words name them without telling them."""
    strange = {"CROSSTRADE_URL": "https://broker.invalid", "RELAY_SECRET": "no-credential-of-a-broker"}
    with Sandbox(tmp_path, environ={**MINE, **strange}) as sandbox:
        (tmp_path / "sandbox.env").write_text(sandbox.text)
        read = subprocess.run(
            ["/bin/sh", "-c", "set -a; . ./sandbox.env; exec env"],
            cwd=tmp_path,
            env={"PATH": sandbox.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        settings = dict(line.split("=", 1) for line in read.stdout.splitlines())

        assert {name: settings.get(name) for name in MINE} == MINE
        assert crosstrade_orders(settings, "Sim101") == 4
        assert alphapoint_orders(settings, 7, signed(settings)) == 4
        assert alphapoint_password_is_right(settings)
        assert autoshares_orders(settings, 6303) == 4
    assert settings["CROSSTRADE_URL"].startswith("http://127.0.0.1:")
    assert f"Taken from the environment: {', '.join(sorted(MINE))}.\n" in sandbox.words
    secrets = [value for name, value in MINE.items() if name.endswith(("TOKEN", "KEY", "SECRET", "PASSWORD"))]
    assert [secret for secret in secrets if secret in sandbox.words] == []


@pytest.mark.promise(10)
def test_the_words_show_every_book_and_a_switch(sandbox: Sandbox) -> None:
    """Each address answers, with as many orders as the words say; the switch is thrown by its line."""
    told = re.findall(r"^(\w+), (\d+) working orders: .*\n  curl (\S+)$", sandbox.words, re.MULTILINE)
    assert [name for name, _, _ in told] == ["CrossTrade", "AlphaPoint", "Autoshares"]
    for _, count, address in told:
        orders = requests.get(address, timeout=ANSWER_WITHIN).json()["orders"]
        assert len(orders) == int(count)
        for switches in ("behaviour", "trouble"):
            beside = address.removesuffix("orders") + switches
            assert requests.get(beside, timeout=ANSWER_WITHIN).ok
    switch = re.search(r"^  curl -X PUT -d '(.*)' (\S+)$", sandbox.words, re.MULTILINE)
    assert switch, sandbox.words

    assert requests.put(switch[2], switch[1], timeout=ANSWER_WITHIN).ok

    with pytest.raises(requests.HTTPError, match="500"):
        crosstrade_orders(sandbox.settings, "Sim101")
    assert crosstrade_orders(sandbox.settings, "Sim101") == 4


@pytest.mark.promise(10)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, or a polite kill: status 0, no traceback, the chosen ports free again."""
    port = three_free_ports()
    with Sandbox(tmp_path, "--port", str(port)) as sandbox:
        ports = [int(sandbox.settings[name].removesuffix("/AP").rpartition(":")[2]) for name in URLS]
        assert ports == [port, port + 1, port + 2]
        # A connection that is kept open holds nothing up.
        with socket.create_connection(("127.0.0.1", port), ANSWER_WITHIN):
            sandbox.running.send_signal(number)
            assert sandbox.wait() == 0

    assert len(sandbox.output) == len(SETTINGS)
    assert "Traceback" not in sandbox.words
    for each in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", each), ANSWER_WITHIN).close()


@pytest.mark.promise(8, 10)
def test_only_this_machine_is_served(sandbox: Sandbox) -> None:
    """They listen on the loopback's first address alone."""
    for name in URLS:
        port = int(sandbox.settings[name].removesuffix("/AP").rpartition(":")[2])
        # Linux has this address too, so whoever listens on all of them would answer here.
        with pytest.raises(OSError, match=r"refused|timed out|assign"):
            socket.create_connection(("127.0.0.2", port), timeout=2).close()


@pytest.mark.promise(10)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_taken_port_is_a_sentence(number: int) -> None:
    """Whichever of the three it is, found before anything is started or printed."""
    port = three_free_ports()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port + number))
        other.listen()
        ended = relay_command("sandbox", "--port", str(port), environ={})

    assert ended.returncode == 2
    said = f"Port {port + number} is taken: end what listens there, or choose others by --port, which names"
    assert ended.stderr == f"{said} the first of 3.\n"
    assert ended.stdout == ""


@pytest.mark.promise(9, 10)
@pytest.mark.parametrize("wrong", ["me", "-1", "0", "4.5", "²", "2147483648", "9" * 5000])
def test_a_number_that_is_none_is_a_sentence(wrong: str) -> None:
    """Both are named at once; what may be a misplaced secret is not told."""
    names = ("ALPHAPOINT_USER_ID", "ALPHAPOINT_OMS_ID")

    ended = relay_command("sandbox", environ=dict.fromkeys(names, wrong))

    assert ended.returncode == 2
    for name in names:
        assert f"{name} must be a whole number from 1 to 2147483647\n" in ended.stderr
    assert f" {wrong}\n" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.promise(9, 10)
def test_a_credential_of_two_lines_is_a_sentence() -> None:
    """No line could carry it, and half of it would be another setting."""
    ended = relay_command("sandbox", environ={"AUTOSHARES_PASSWORD": "half\nRELAY_SECRET=other-half"})

    assert ended.returncode == 2
    assert "AUTOSHARES_PASSWORD holds a character that no line can carry" in ended.stderr
    assert "half" not in ended.stderr
    assert ended.stdout == ""
