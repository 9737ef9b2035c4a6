"""What Heroku's build makes of the repository: the tracked files less `.slugignore`, and a Python of its own.

The Python has what requirements.txt names and nothing else: linked from the one that runs the tests, since
installing it anew would take longer than all the tests here.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from tests.running import ROOT

#: A line of requirements.txt: the name, and what it hangs on.
_PINNED = re.compile(r"^(?P<name>[a-z0-9-]+)==\S+(?P<marker> ;)?", re.MULTILINE)

_SCRIPT = """#!{python}
import sys
from {module} import {function}
sys.exit({function}())
"""


def build(slug: Path) -> Path:
    """Make the slug in an empty folder, and give it."""
    for path in _tracked():
        target = slug / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    _make_python(slug / ".heroku" / "python", (slug / "requirements.txt").read_text())
    return slug


def _tracked() -> list[Path]:
    """Give the files that git would push and `.slugignore` leaves."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - the PATH's git
    ignored = [line.removeprefix("/") for line in (ROOT / ".slugignore").read_text().split()]
    paths = [PurePosixPath(name) for name in listed.stdout.split("\0") if name]
    kept = [path for path in paths if str(path) not in ignored and path.parts[0] not in ignored]
    return [Path(path) for path in kept if (ROOT / path).is_file()]


def _make_python(folder: Path, requirements: str) -> None:
    """Make a Python that has the pinned packages alone."""
    venv.create(folder, symlinks=True, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for pinned in _PINNED.finditer(requirements):
        try:
            found = distribution(pinned["name"])
        except PackageNotFoundError:
            assert pinned["marker"], f"{pinned['name']} is pinned, and not installed here"
            continue  # for another system, or another Python
        _link(found, site)
    (gunicorn,) = distribution("gunicorn").entry_points.select(group="console_scripts", name="gunicorn")
    script = folder / "bin" / "gunicorn"
    script.write_text(
        _SCRIPT.format(python=folder / "bin" / "python", module=gunicorn.module, function=gunicorn.attr)
    )
    script.chmod(0o755)


def _link(found: Distribution, site: Path) -> None:
    """Link what a distribution put into site-packages; its scripts stay behind."""
    for name in {PurePosixPath(str(path)).parts[0] for path in found.files or ()} - {"..", "__pycache__"}:
        target = site / name
        if not target.exists():
            target.symlink_to(Path(str(found.locate_file(name))))


def runs(slug: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run some lines with the slug's Python, in the slug."""
    python = slug / ".heroku" / "python" / "bin" / "python"
    return subprocess.run(
        [str(python), "-c", code], cwd=slug, env={}, capture_output=True, text=True, check=False
    )


#: The Python that runs the tests has more than the slug's.
assert sys.prefix != sys.base_prefix, "the tests run in a virtual environment"
