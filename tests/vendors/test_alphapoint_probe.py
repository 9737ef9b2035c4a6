"""How an operator learns which AlphaPoint server he has, run as its page prints it."""

import subprocess
from collections.abc import Sequence

import pytest

from relay.sandbox.alphapoint import AlphaPointBehaviour, AlphaPointSandbox
from relay.sandbox.alphapoint_behaviour import Version
from tests.running import ROOT


def printed() -> tuple[list[str], list[str]]:
    """Give the page's command: the lines that make it ready, and those that cancel."""
    page = (ROOT / "docs/vendors/alphapoint.md").read_text().splitlines()
    lines = [line.strip() for line in page if line.startswith("    ")]
    return (
        [line for line in lines if not line.startswith("cancel '")],
        [line for line in lines if line.startswith("cancel '")],
    )


def run(lines: Sequence[str], broker: AlphaPointSandbox) -> None:
    """Run lines as a shell does."""
    environ = {
        "ALPHAPOINT_URL": broker.url,
        "ALPHAPOINT_USERNAME": "invented-trader",
        "ALPHAPOINT_PASSWORD": "invented password",
    }
    # The answer to a cancel is for people; what counts is the book.
    subprocess.run(
        ["/bin/sh", "-c", "\n".join(lines)],
        env={"PATH": "/usr/bin:/bin", **environ},
        check=True,
        capture_output=True,
        timeout=30,
    )


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("version", "for_nobody", "for_one_instrument"),
    [
        ("3.2", ["BTCCAD", "ETHCAD"], ["ETHCAD"]),
        ("3.3", [], []),
        ("3.5-InstrumentId", [], ["ETHCAD"]),
        ("3.5-IntrumentId", [], []),
        ("both", [], ["ETHCAD"]),
    ],
)
def test_the_page_tells_a_server_that_cancels_wider_from_one_that_does_not(
    version: Version, for_nobody: list[str], for_one_instrument: list[str]
) -> None:
    """Only where both keys are read do both orders survive the first call, and the other one the second."""
    prepared, cancels = printed()
    behaviour = AlphaPointBehaviour(version=version, cancel_after_s=0.0)
    with AlphaPointSandbox(
        username="invented-trader",
        password="invented password",
        api_key="invented-key",
        api_secret="invented-secret",
        user_id=446,
        behaviour=behaviour,
    ) as broker:
        left = []
        for cancel in cancels:
            for order in broker.book.working():
                broker.book.move(order.id, "Canceled")
            for instrument in ("BTCCAD", "ETHCAD"):
                broker.book.place(account="7", instrument=instrument, action="Buy", user="446")
            run([*prepared, cancel], broker)
            left.append([order.instrument for order in broker.book.working()])

    assert left == [for_nobody, for_one_instrument]
