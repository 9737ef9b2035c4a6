"""One platform for each file of tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.heroku.slug import build
from tests.heroku.stage import Heroku


@pytest.fixture(scope="package")
def slug(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the slug once."""
    return build(tmp_path_factory.mktemp("slug"))


@pytest.fixture(scope="module")
def platform(slug: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heroku]:
    """Run the router, the store and the broker."""
    with Heroku(slug, tmp_path_factory.mktemp("heroku")) as running:
        yield running


@pytest.fixture
def heroku(platform: Heroku) -> Heroku:
    """Give the platform with nothing in its store, and a broker that has forgotten."""
    platform.broker.trouble = None
    platform.redis.flushall()
    platform.redis.config_resetstat()
    for order in platform.broker.book.working():
        platform.broker.book.move(order.id, "Rejected")
    platform.broker.forget_calls()
    platform.route(0)
    return platform
