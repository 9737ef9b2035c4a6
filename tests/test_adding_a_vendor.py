"""docs/adding-a-vendor.md: its broker is built from the page, held to the house's rules, and cancelled at."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT

PAGE = ROOT / "docs/adding-a-vendor.md"

#: What the example is built into.
TREE = ("app.py", "gunicorn.conf.py", "pyproject.toml", "Procfile", "relay", "schemas", "tests")

#: A block of the page: whether it is a file or an edit of one, which one, and its text.
BLOCK = re.compile(r"^<!-- (file|edit): (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: The row of expectations goes into the suite that all vendors share, and these are run of it: what the row
#: says. The suite's troubles take longer, and are the same for any vendor.
SUITE = "tests/vendors/expectations.py"
OF_SUITE = ("targets", "refusals", "ends")


def blocks() -> Iterator[tuple[str, str, str]]:
    """Give the page's blocks; each has its file's name before it, where people see it."""
    end = 0
    page = PAGE.read_text()
    for block in BLOCK.finditer(page):
        kind, name, text = block.groups()
        assert f"`{name}`" in page[end : block.start()], f"no words before the block name {name}"
        end = block.end()
        yield kind, name, text
    assert page.count("\n```") == 2 * len(BLOCK.findall(page)), "a block of the page has no file"


def edited(text: str, diff: str, where: str) -> str:
    """Make the changes of a diff without line numbers, each at the one place that has its old lines."""
    for change in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = change.splitlines()
        old = "".join(f"\n{line[1:]}" for line in lines if not line.startswith("+"))
        new = "".join(f"\n{line[1:]}" for line in lines if not line.startswith("-"))
        found = f"\n{text}".count(f"{old}\n")
        assert found == 1, f"{where} has {found} places that read:{old}"
        text = f"\n{text}".replace(f"{old}\n", f"{new}\n")[1:]
    return text


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the tree, and do in it what the page says."""
    tree = tmp_path_factory.mktemp("harbour")
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    for kind, name, text in blocks():
        path = tree / name
        if kind == "file":
            assert not path.exists(), f"{name} is there already"
            path.write_text(text)
        elif name != SUITE or path.exists():
            path.write_text(edited(path.read_text(), text, name))
    return tree


def run(tree: Path, *command: str) -> str:
    """Run a command in the tree, and give what it printed; it has to end well."""
    environ = {"PATH": os.environ.get("PATH", os.defpath)}
    done = subprocess.run(
        command, cwd=tree, env=environ, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def touched() -> list[str]:
    """List the Python files of the page that the tree has."""
    names = [name for kind, name, _ in blocks() if kind == "file" or (ROOT / name).exists()]
    return [name for name in names if name.endswith(".py")]


@pytest.mark.house
@pytest.mark.parametrize(
    "linter",
    [
        pytest.param([sys.executable, "-m", "ruff", "check", "--no-cache"], id="ruff"),
        pytest.param([sys.executable, "-m", "ruff", "format", "--check", "--no-cache"], id="format"),
        pytest.param([sys.executable, "-m", "mypy", "--cache-dir", os.devnull], id="mypy"),
    ],
)
def test_the_page_s_code_is_as_the_house_writes(built: Path, linter: list[str]) -> None:
    """Style, format and types hold for all that the page adds and changes."""
    run(built, *linter, *touched())


@pytest.mark.house
def test_the_page_gives_every_file_its_place(built: Path) -> None:
    """The direction of imports holds with the new vendor in it."""
    lint_imports = str(Path(sysconfig.get_path("scripts")) / "lint-imports")
    run(built, lint_imports, "--no-cache", "--no-logo")


@pytest.mark.promise(4, 5)
def test_the_page_s_broker_cancels_what_is_meant_and_proves_it(built: Path, redis_url: str) -> None:
    """An instrument's orders go, the others stay, and the alert ends only when the broker showed it."""
    came_of_it = json.loads(run(built, sys.executable, "-m", "tests.harbour", redis_url))

    assert came_of_it == {
        "status": "confirmed",
        "outcomes": {"1": "cancelled", "2": "cancelled"},
        "book": {"1": "Cancelled", "2": "Cancelled", "3": "Open", "4": "Open"},
        "calls": {"one": 2},
    }


@pytest.mark.promise(4, 5)
def test_the_page_s_tests_pass(built: Path) -> None:
    """Its conversations read what its documents say, and the suite of all vendors holds for its row."""
    tests = [f"tests/vendors/test_{name}.py" for name in ("harbour_conversations", *OF_SUITE)]
    there = [name for name in tests if (built / name).exists()]
    run(built, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "harbour", *there)
