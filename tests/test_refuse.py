"""What is kept of a refused alert: enough to put it right, and nothing that is meant for a secret."""

import pytest

from relay.errors import InvalidAlert
from relay.refuse import record_of
from relay.scrubber import Scrubber
from tests.scripted import some_settings

#: A credential that this relay does not know, so that nothing but its name tells what it is.
ANOTHERS = "tests-only-of-somebody-else"


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    "name", ["secret", "key", "Key", "passphrase", "Token", "api_key", "password", "sercet"]
)
def test_what_is_meant_for_a_secret_is_not_kept(name: str) -> None:
    """By whatever name: it may be another's, or the broker's, which no list of ours has."""
    refusal = InvalidAlert("No.", errors={name: ['unknown field; did you mean "secret"?']})
    fields = {"account": "Sim101", name: ANOTHERS}
    scrubber = Scrubber(some_settings("redis://127.0.0.1:1"))

    record = record_of(refusal, "default", None, fields, request_id="one", scrubber=scrubber)

    assert record.refused is not None
    assert record.refused.fields == {"account": "Sim101"}
    assert record.refused.errors == dict(refusal.errors)
    assert ANOTHERS not in record.encode()
