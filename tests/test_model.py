"""The model of the ledger keeps in step with the ledger. What the model proves is shown by `make model`."""

import re
import shutil
from pathlib import Path

import pytest

from model import check
from model.check import ALWAYS_ENDS, GUARDS, MODEL, QUICK, Guard, Trouble
from relay.ledger import Claimed, Hold

CHECKOUT = Path(__file__).parent.parent

#: Switches of the model that take out no guard.
CIRCUMSTANCES = {"COPIES", "ENDS", "KEYLESS", "LATE", "ONLY", "PROCESSES"}


def rows(heading: str) -> set[str]:
    """Give the names that the rows of a table in docs/model.md begin with."""
    text = (CHECKOUT / "docs" / "model.md").read_text()
    part = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z_]+)` \|", part, re.MULTILINE))


def switches() -> set[str]:
    """Give the names on which the model's text depends."""
    lines = re.findall(r"^#(?:if|ifdef|ifndef) (.*)", MODEL.read_text(), re.MULTILINE)
    return set(re.findall(r"[A-Z][A-Z_]+", " ".join(lines)))


def promises() -> set[str]:
    """Give the promises that the model can check one by one."""
    return {name.removeprefix("CHECK_") for name in switches() if name.startswith("CHECK_")} | {ALWAYS_ENDS}


@pytest.mark.house
def test_each_guard_is_a_switch_of_the_model_a_check_and_a_row_in_the_docs() -> None:
    """Whoever adds a guard, or takes one away, does it in all three places."""
    named = {guard.switch for guard in GUARDS}

    assert named == rows("The guards")
    assert named == {name for name in switches() - CIRCUMSTANCES if not name.startswith("CHECK_")}


@pytest.mark.house
def test_each_promise_of_the_model_breaks_for_want_of_a_guard() -> None:
    """A promise that nothing can break would be checked for nothing."""
    assert promises() == rows("The promises")
    assert promises() == {guard.promise for guard in GUARDS}


@pytest.mark.house
@pytest.mark.parametrize("guard", [each for each in GUARDS if each.file], ids=lambda guard: guard.switch)
def test_each_guard_still_stands_where_the_model_took_it_from(guard: Guard) -> None:
    """Whoever changes the line of a guard is told that the model has to follow."""
    assert guard.code in (CHECKOUT / guard.file).read_text()


@pytest.mark.house
def test_the_model_asks_redis_for_what_the_ledger_asks() -> None:
    """A new way to settle, or a new answer to a claim, has to be thought of in the model."""
    asks = re.search(r"^mtype:ask = \{ (.*) \};", MODEL.read_text(), re.MULTILINE)
    assert asks is not None

    assert asks[1].replace("end_it", "end").split(", ") == ["claim", *Hold]
    # Age and another content are told before anything is written: they are not in the model.
    assert set(Claimed) == {"claimed", "duplicate", "reused", "stale"}


@pytest.mark.house
def test_the_small_model_keeps_every_promise() -> None:
    """Where Spin is installed, all states of two processes are looked at; `make model` does more."""
    if shutil.which("spin") is None or shutil.which("gcc") is None:
        return  # no test needs them; make model installs them

    found = check.check_model(QUICK)

    assert (found.broken, found.unreached) == (None, ())


@pytest.mark.house
def test_without_spin_the_one_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it must not install anything, it says what to install and fails."""
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(Trouble, match="apt-get install -y spin gcc"):
        check.ready()
