"""The direction of imports, held by import-linter and shown to bite."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import grimp
import pytest

pytestmark = pytest.mark.house

CHECKOUT = Path(__file__).parent.parent

#: Contracts as pyproject.toml names them.
ONE_WAY = "Imports run one way through relay"
APART = "Vendors do not know each other"
PURE = "Vendors know no transport, Flask, Redis or socket"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in a checkout, on that checkout's own modules."""
    command = [str(Path(sysconfig.get_path("scripts")) / "lint-imports"), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(name="copy")
def _copy(tmp_path: Path) -> Path:
    """Copy what the contracts are about."""
    no_caches = shutil.ignore_patterns("__pycache__")
    for package in ("relay", "schemas"):
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=no_caches)
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept() -> None:
    """The house stands as pyproject.toml draws it."""
    result = lint(CHECKOUT)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("stray", "contract"),
    [
        ("relay/utils.py", ONE_WAY),
        ("relay/helpers/__init__.py", ONE_WAY),
        ("relay/vendors/common.py", APART),
        ("relay/transports/base.py", "Transports do not know each other"),
    ],
)
def test_a_module_that_nobody_placed_breaks_the_build(copy: Path, stray: str, contract: str) -> None:
    """A stray module is named until someone gives it a place, or puts its lines where they belong."""
    (copy / stray).parent.mkdir(parents=True, exist_ok=True)
    (copy / stray).write_text('"""Bits and pieces."""\n')

    result = lint(copy)

    assert result.returncode == 1
    assert f"{contract} BROKEN" in result.stdout
    assert stray.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")[2] in result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("relay/errors.py", "import relay.vendors", ONE_WAY),
        ("relay/vendors/crosstrade.py", "import requests", PURE),
        ("relay/vendors/crosstrade.py", "import socket", PURE),
        ("relay/vendors/crosstrade.py", "import relay.transport", PURE),
        ("relay/vendors/crosstrade.py", "import relay.vendors.alphapoint", APART),
        ("relay/errors.py", "import app", "Nobody imports the composition root"),
        ("schemas/alert.py", "import relay.errors", "Schemas know nothing of the relay"),
        ("relay/embedded_redis.py", "import relay.errors", ONE_WAY),
        ("relay/sandbox/__init__.py", "import relay.errors", ONE_WAY),
        ("relay/sandbox/__init__.py", "import schemas", "Stand-ins know none of our schemas"),
        ("relay/stand_ins.py", "import schemas", "Stand-ins know none of our schemas"),
        ("relay/web/__init__.py", "import relay.stand_ins", "Only the command line starts a stand-in broker"),
        ("relay/web/__init__.py", "import relay.embedded_redis", "Only the command line starts a stand-in"),
        ("relay/web/__init__.py", "import relay.sandbox", "Stand-in brokers are started in one place"),
        ("relay/run.py", "import relay.sandbox", "Stand-in brokers are started in one place"),
        ("relay/cli.py", "import relay.sandbox", "Stand-in brokers are started in one place"),
    ],
)
def test_an_import_against_the_direction_breaks_the_build(
    copy: Path, module: str, line: str, contract: str
) -> None:
    """Each contract notices the import it is there to refuse."""
    for needed in ("relay/vendors/alphapoint.py", "relay/sandbox/__init__.py", module):
        (copy / needed).parent.mkdir(parents=True, exist_ok=True)
        (copy / needed).touch()
    with (copy / module).open("a") as text:
        text.write(f"\n{line}\n")

    result = lint(copy)

    assert result.returncode == 1
    assert any(
        said.startswith(contract) and said.endswith("BROKEN") for said in result.stdout.splitlines()
    ), result.stdout


def test_schemas_know_marshmallow_only() -> None:
    """The shapes on the wire need nothing but marshmallow and Python itself."""
    graph = grimp.build_graph("schemas", include_external_packages=True, cache_dir=None)
    foreign = {module for module in graph.modules if not module.startswith("schemas")}

    assert foreign - sys.stdlib_module_names <= {"marshmallow"}
