"""The command line, and what an operator's mistakes come to."""

import json
import signal
import socket
from pathlib import Path

import pytest

from relay.cli import COMMANDS
from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.running import SECRET, TOKEN, Process, free_port, relay_command, until, worker

#: Every mistake that the report has to name, and a text of each that it must not tell.
MISTAKES = {
    "RELAY_SECRET": "tooshort-pw",
    "CROSSTRADE_TOKN": "misnamed-token-value",
    "CROSSTRADE_TOKEN": TOKEN,
    "CROSSTRADE_URL": "http://broker.example",
}


def check_report(text: str) -> None:
    """See that one report names all that is wrong, and tells no value that may be a secret."""
    assert text.count("Cancel Relay cannot start") == 1, text
    assert "5 mistakes in the settings" in text
    assert "RELAY_SECRET is shorter than 16 characters" in text
    assert "CROSSTRADE_TOKN is no setting of this relay: did you mean CROSSTRADE_TOKEN?" in text
    assert "CROSSTRADE_URL http:// would send the credential to broker.example unencrypted" in text
    assert "REDIS_URL is " in text
    assert "RELAY_MAX_AGE must be a number of seconds" in text
    assert "Traceback" not in text
    for value in (MISTAKES["RELAY_SECRET"], MISTAKES["CROSSTRADE_TOKN"], TOKEN, "hunter2"):
        assert value not in text


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    "redis", [{}, {"REDIS_URL": "http://user:hunter2@redis.example"}, {"REDIS_URL": "redis:///0?pw=hunter2"}]
)
@pytest.mark.parametrize("words", [("worker",), ("check",), ("check", "--settings")])
def test_mistakes_in_the_settings_are_one_report(words: tuple[str, ...], redis: dict[str, str]) -> None:
    """All of them at once, on standard error, with status 2."""
    ended = relay_command(*words, environ={**MISTAKES, "RELAY_MAX_AGE": "soon", **redis})

    assert ended.returncode == 2
    assert ended.stdout == ""
    check_report(ended.stderr)


@pytest.mark.promise(9)
@pytest.mark.parametrize("redis", [{}, {"REDIS_URL": "http://user:hunter2@redis.example"}])
def test_the_web_line_ends_with_the_same_report(redis: dict[str, str]) -> None:
    """Gunicorn itself ends with status 2, and starts no process again and again."""
    environ = {**MISTAKES, "RELAY_MAX_AGE": "soon", "PORT": str(free_port()), **redis}
    web = Process("web", environ)
    web.start()

    assert web.wait() == 2
    check_report(web.text)


@pytest.mark.promise(9)
def test_check_tells_what_is_on_and_no_secret() -> None:
    """Without asking anybody: none of these addresses exists."""
    environ = {
        "REDIS_URL": "rediss://default:hunter2@redis.invalid:6380/1?password=hunter3",
        "RELAY_SECRET": f"{SECRET},another-secret-in-rotation",
        "CROSSTRADE_TOKEN": TOKEN,
        "CROSSTRADE_URL": "https://broker.invalid",
    }

    ended = relay_command("check", "--settings", environ=environ)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("The settings hold.\n")
    assert "rediss://redis.invalid:6380/1, 8 connections a process\n" in ended.stdout
    assert "Secrets of senders: 2" in ended.stdout
    assert "CrossTrade: https://broker.invalid, 20 calls at once, then 3 a second" in ended.stdout
    assert "Warning: nobody is told when a cancel fails: set RELAY_NOTIFY" in ended.stdout
    for secret in ("hunter2", "hunter3", SECRET, "another-secret-in-rotation", TOKEN):
        assert secret not in ended.stdout + ended.stderr


@pytest.mark.promise(10)
def test_check_asks_redis_and_the_broker(environ: dict[str, str], broker: CrossTradeSandbox) -> None:
    """All well: the accounts are named, and nothing was asked but to read."""
    ended = relay_command("check", environ=environ)

    assert ended.returncode == 0, ended.stderr
    assert "Redis answers in " in ended.stdout
    assert "crosstrade answers. Accounts: Sim101, Sim102, SimLive." in ended.stdout
    assert [call.kind for call in broker.calls] == ["read"]


@pytest.mark.promise(9, 10)
def test_check_tells_a_brokers_no_in_its_words(environ: dict[str, str]) -> None:
    """A wrong token is the vendor's own sentence, and is not told."""
    wrong = "a-token-that-is-not-right"
    ended = relay_command("check", environ={**environ, "CROSSTRADE_TOKEN": wrong})

    assert ended.returncode == 1
    assert "crosstrade: CrossTrade answered 401: Unauthorized" in ended.stdout
    assert "Redis answers in " in ended.stdout
    assert wrong not in ended.stdout + ended.stderr


@pytest.mark.promise(10)
def test_check_tells_all_that_is_away(environ: dict[str, str], tmp_path: Path) -> None:
    """No Redis and no broker: a line for each, no traceback, status 1."""
    nobody = {
        "REDIS_URL": f"unix://{tmp_path}/none.sock",
        "CROSSTRADE_URL": f"http://127.0.0.1:{free_port()}",
    }

    ended = relay_command("check", environ={**environ, **nobody})

    assert ended.returncode == 1
    assert "Redis does not answer: " in ended.stdout
    assert "crosstrade: no connection (connection refused)" in ended.stdout
    assert "Warning: redis error, kind ConnectionError, words " in ended.stdout
    assert "{" not in ended.stdout
    assert ended.stderr == ""


@pytest.mark.promise(10)
def test_check_for_a_script_is_one_document(environ: dict[str, str], tmp_path: Path) -> None:
    """It has what stands in words without it, warnings too, and the same exit status."""
    away = {**environ, "REDIS_URL": f"unix://{tmp_path}/none.sock"}

    good = relay_command("check", "--json", environ=environ)
    alone = relay_command("check", "--settings", "--json", environ=environ)
    bad = relay_command("check", "--json", environ=away)

    assert (good.returncode, alone.returncode, bad.returncode) == (0, 0, 1)
    said = json.loads(good.stdout)
    assert (said["good"], said["warnings"]) == (True, [])
    assert f"Redis: {environ['REDIS_URL']}, 8 connections a process" in said["settings"]
    assert said["findings"][1]["words"].startswith("crosstrade answers. Accounts: ")
    assert json.loads(alone.stdout) == {**said, "findings": []}
    told = json.loads(bad.stdout)
    assert [each["good"] for each in told["findings"]] == [False, True]
    assert told["warnings"][0].startswith("redis error, kind ConnectionError")
    assert TOKEN not in good.stdout + bad.stdout + good.stderr + bad.stderr


@pytest.mark.promise(10)
@pytest.mark.parametrize("words", [("check", "--json"), ("check", "--json", "--setings"), ("chek", "--json")])
def test_a_mistake_for_a_script_is_one_document_too(words: tuple[str, ...]) -> None:
    """A problem on standard output, the same line on standard error, status 2."""
    ended = relay_command(*words, environ={})

    assert ended.returncode == 2
    told = json.loads(ended.stdout)
    assert told["type"] == "urn:cancel-relay:problem:mistaken"
    assert told["detail"] == ended.stderr.removesuffix("\n")


@pytest.mark.promise(10)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_ends_when_told(environ: dict[str, str], number: signal.Signals) -> None:
    """In order: status 0, no traceback."""
    process = worker(environ)
    process.start()
    # Its first line comes when it may be told already.
    until(lambda: process.log("settings_warning"), what="the worker's first line")
    process.running.send_signal(number)

    assert process.wait() == 0
    assert "Traceback" not in process.text


@pytest.mark.promise(1, 10)
def test_the_worker_waits_for_a_redis_that_is_away(environ: dict[str, str], tmp_path: Path) -> None:
    """It says so once, takes up its work when Redis is there, and can be told to end meanwhile."""
    late = EmbeddedRedis(tmp_path)
    with worker({**environ, "REDIS_URL": late.url}) as process:
        until(lambda: process.log("redis_away"), what="the worker's line that Redis is away")
        with late:
            until(lambda: process.log("redis_back"), what="the worker's line that Redis is back")
            assert process.stop() == 0

    assert len(process.log("redis_away")) == 1


@pytest.mark.promise(10)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rnu",), 'there is no command "rnu": did you mean run.'),
        (("dance",), 'there is no command "dance": there are run, sandbox, worker, check, send, '),
        (("run", "--port", "0"), '"0" is no port: write a number from 1 to 65535.'),
        (("run", "--port", "http"), '"http" is no port'),
        (("sandbox", "--port", "65534"), '"65534" leaves no room for 3: 65533 at most.'),
        (("check", "--setings"), "unrecognized arguments: --setings."),
        ((), "usage: python -m relay"),
    ],
)
def test_a_mistyped_command_is_a_sentence(words: tuple[str, ...], said: str) -> None:
    """Status 2, on standard error, no traceback."""
    ended = relay_command(*words, environ={})

    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.promise(10)
def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    """Found before anything is started, also where the other shares its port as gunicorn does."""
    folder = tmp_path / "relay"
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = relay_command("run", "--port", port, "--folder", str(folder), environ={})

    assert ended.returncode == 2
    said = f"Port {port} is taken: end what listens there, or choose another by --port"
    assert ended.stderr == f'{said} (make run ARGS="--port 9000").\n'
    assert ended.stdout == ""
    assert not folder.exists()


@pytest.mark.promise(10)
def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "relay").write_text("")

    ended = relay_command("run", "--port", str(free_port()), "--folder", str(tmp_path / "relay"), environ={})

    assert ended.returncode == 2
    assert f"can't use {tmp_path / 'relay'}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.promise(10)
@pytest.mark.parametrize("words", [(each,) for each in COMMANDS])
def test_every_command_shows_how_it_is_used(words: tuple[str, ...]) -> None:
    """Help needs no settings, and has examples."""
    ended = relay_command(*words, "--help", environ={})

    assert ended.returncode == 0
    assert "examples:\n" in ended.stdout
    assert f"python -m relay {words[0]}" in ended.stdout.split("examples:")[1]
