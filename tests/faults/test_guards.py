"""The guards that the suite is shown to need are where the demonstration looks for them."""

from pathlib import Path

import pytest

from tests.faults.guards import GUARDS, Guard, Patch, PatchError, copied

pytestmark = pytest.mark.house


@pytest.fixture(scope="module", name="tree")
def _tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("guards"))


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.name for guard in GUARDS])
def test_each_guard_can_be_taken_out(guard: Guard, tree: Path) -> None:
    """Whoever moves a guard's text moves it in tests/faults/guards.py, too."""
    before = {patch.file: (tree / patch.file).read_text() for patch in guard.patches}
    try:
        for patch in guard.patches:
            patch.apply(tree)
            assert (tree / patch.file).read_text() != before[patch.file]
    finally:
        for file, text in before.items():
            (tree / file).write_text(text)


def test_a_guard_that_is_not_there_is_told(tree: Path) -> None:
    """A text that is gone, or stands there twice, fails loudly: taking it out would show nothing."""
    with pytest.raises(PatchError, match="not there"):
        Patch("relay/deliver.py", "no such line\n", "").apply(tree)
    with pytest.raises(PatchError, match=r"there \d+ times"):
        Patch("relay/deliver.py", "self", "").apply(tree)
