"""The session of one credential: one log-in for all, none that could lock the user, and no secret told."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest
import redis

from relay import ledger, session
from relay.errors import (
    CredentialRefused,
    Gone,
    LogInRefused,
    NotSent,
    Throttled,
    Unknown,
    VendorError,
)
from relay.ledger import Ledger
from relay.scrubber import Scrubber
from relay.session import Session
from relay.vendor import Answer, Call, LoggedIn, Vendor
from relay.vendors.crosstrade import CrossTrade
from tests.scripted import CREDENTIAL, some_settings
from tests.vendors.dialogue import answer
from tests.vendors.of_alphapoint import AP, API_KEY, refusal
from tests.vendors.of_autoshares import AS, NO_APPLICATION, PASSWORD

#: Threads that come at once.
MANY = 16

#: Seconds for which a process waits for another log-in where the wait has to end; and where it must not.
MOMENT_S, LONG_S = 0.3, 60.0

WRONG = answer({"State": "Failed", "Step": "BaseAuthentication", "Reason": "Invalid credentials"}, 401)


class Desk:
    """Answer log-ins as planned, then with one token after the other, and keep the calls."""

    def __init__(self, *planned: Answer | Exception) -> None:
        self.calls: list[Call] = []
        self._planned = list(planned)

    def __call__(self, call: Call) -> Answer:
        """Answer one call of a log-in."""
        self.calls.append(call)
        given = self._planned.pop(0) if self._planned else token(len(self.calls))
        if isinstance(given, Exception):
            raise given
        return given


def token(number: int) -> Answer:
    """Give the answer to a log-in that was let in."""
    return answer({"State": "Succeeded", "Token": f"tests-only-token-{number}"})


def bearer(number: int) -> dict[str, str]:
    """Give the header that a token makes."""
    return {"Authorization": f"Bearer tests-only-token-{number}"}


class Process:
    """What one process has: a ledger of its own, and a session."""

    def __init__(self, url: str, vendor: Vendor = AS) -> None:
        # A turn lasts as long as a lease: in no test does it end by itself.
        settings = some_settings(url, RELAY_LEASE="60")
        self.scrubber = Scrubber(settings)
        self.ledger = Ledger(settings)
        self.session = Session(vendor, CREDENTIAL, self.ledger, self.scrubber)

    def get(self, carry: Callable[[Call], Answer]) -> LoggedIn:
        """Give the session, which there is."""
        found = self.session.get(carry)
        assert found is not None
        return found

    def fails(self, carry: Callable[[Call], Answer]) -> VendorError:
        """Ask for the session where there is none to be had, and give what is said."""
        with pytest.raises(VendorError) as raised:
            self.session.get(carry)
        assert not self.session.is_open
        return raised.value


@pytest.fixture(autouse=True)
def a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every wait for another log-in end soon, and the rest after one that failed long after it."""
    monkeypatch.setattr(session, "_PATIENCE_S", MOMENT_S)
    monkeypatch.setattr(ledger, "LOG_IN_REST_MS", 10_000)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a wait for another log-in last as long as the machine needs to come to it."""
    monkeypatch.setattr(session, "_PATIENCE_S", LONG_S)


@pytest.fixture
def process(redis_url: str) -> Process:
    """Give a process that has not logged in."""
    return Process(redis_url)


T = TypeVar("T")


def at_once(do: Callable[[], T], all_there: threading.Event) -> list[T]:
    """Do it in many threads at once; `all_there` is set when each of them is about to."""
    about_to: list[int] = []

    def one(number: int) -> T:
        about_to.append(number)
        if len(about_to) == MANY:
            all_there.set()
        return do()

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


# One log-in


@pytest.mark.promise(8)
@pytest.mark.usefixtures("patience")
def test_many_threads_log_in_once(process: Process) -> None:
    """Whoever comes while a log-in is under way gets its session; the vendor sees one log-in."""
    desk, all_there = Desk(), threading.Event()

    def slow(call: Call) -> Answer:
        assert all_there.wait(10)
        return desk(call)

    found = at_once(lambda: process.session.get(slow), all_there)

    assert len(desk.calls) == 1
    assert {id(each) for each in found} == {id(process.get(desk))}
    assert process.ledger.log_ins(CREDENTIAL) == 1


@pytest.mark.promise(8)
@pytest.mark.usefixtures("patience")
def test_a_session_that_ended_for_many_threads_is_renewed_once(process: Process) -> None:
    """Each of them met its end: the first renews it, the others take what is there by then."""
    desk, all_there = Desk(), threading.Event()
    ended = process.get(desk)

    def slow(call: Call) -> Answer:
        assert all_there.wait(10)
        return desk(call)

    found = at_once(lambda: process.session.renewed(ended, slow, lost=False), all_there)

    assert len(desk.calls) == 2
    assert {id(each) for each in found} == {id(process.get(desk))}
    assert ended not in found


@pytest.mark.promise(8)
def test_the_end_of_an_old_session_costs_no_other_log_in(process: Process) -> None:
    """A 401 that comes late speaks of the session before: there is a newer one already."""
    desk = Desk()
    old = process.get(desk)
    new = process.session.renewed(old, desk, lost=False)

    assert process.session.renewed(old, desk, lost=False) is new
    assert process.session.get(desk) is new
    assert len(desk.calls) == 2


@pytest.mark.promise(10)
def test_a_vendor_without_a_log_in_has_no_session(redis_url: str) -> None:
    """Nothing is asked of anybody, and nobody's turn is taken."""
    process, desk = Process(redis_url, CrossTrade("UTC")), Desk()

    assert process.session.get(desk) is None
    assert desk.calls == []
    assert process.ledger.turn_to_log_in(CREDENTIAL).mine


@pytest.mark.promise(8)
@pytest.mark.usefixtures("patience")
def test_processes_log_in_one_after_the_other(redis_url: str, process: Process) -> None:
    """While one logs in the other waits for its turn; then it logs in, since sessions are each one's own."""
    other, desk, under_way, go_on = Process(redis_url), Desk(), threading.Event(), threading.Event()

    def slow(call: Call) -> Answer:
        under_way.set()
        assert go_on.wait(10)
        return desk(call)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(process.get, slow)
        assert under_way.wait(10)
        second = pool.submit(other.get, desk)
        assert desk.calls == []
        go_on.set()

        assert (first.result().number, second.result().number) == (1, 2)
    assert process.session.superseded(first.result())
    assert not other.session.superseded(second.result())


# No log-in that could lock the user


@pytest.mark.promise(8)
def test_a_refused_credential_is_not_tried_again(redis_url: str, process: Process) -> None:
    """Vendors lock users: for a growing while no thread and no process sends that credential."""
    desk = Desk(WRONG)
    assert type(process.fails(desk)) is CredentialRefused

    for each in (process, Process(redis_url)):
        said = each.fails(desk)
        assert type(said) is NotSent
        assert not said.tried
        assert said.wait_ms is not None
        assert said.wait_ms > 0
        assert said.words.startswith("autoshares refused the log-in, which rests for")
    assert len(desk.calls) == 1


@pytest.mark.promise(8)
def test_threads_that_waited_for_a_refusal_send_nothing(process: Process) -> None:
    """Of many that come at once, one is refused, and all others hear that the log-in rests."""
    desk, all_there = Desk(*[WRONG] * MANY), threading.Event()

    def slow(call: Call) -> Answer:
        assert all_there.wait(10)
        return desk(call)

    def get() -> type[VendorError]:
        with pytest.raises(VendorError) as raised:
            process.session.get(slow)
        return type(raised.value)

    kinds = at_once(get, all_there)

    assert len(desk.calls) == 1
    assert kinds.count(CredentialRefused) == 1
    assert kinds.count(NotSent) == MANY - 1


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "tried", "wait_ms"),
    [
        pytest.param(Unknown("no answer within 1 s"), True, 1_000, id="silence"),
        pytest.param(answer(b"", 500), True, 1_000, id="500"),
        pytest.param(answer(b"", 408), True, 1_000, id="408"),
        pytest.param(answer(b"<html>"), True, 1_000, id="unreadable"),
        pytest.param(answer({"State": "Succeeded"}), True, 1_000, id="no token"),
        pytest.param(NotSent("no connection"), True, 1_000, id="no connection"),
        pytest.param(NotSent("used up", tried=False, wait_ms=7_000), False, 7_000, id="no budget"),
    ],
)
def test_a_log_in_that_came_to_nothing_is_not_sent(
    redis_url: str,
    process: Process,
    given: Answer | Exception,
    wait_ms: int,
    *,
    tried: bool,
) -> None:
    """No call of the alert has left then, so it is never unknown, and is tried again after a moment."""
    desk = Desk(given)

    said = process.fails(desk)

    assert type(said) is NotSent
    assert (said.tried, said.wait_ms) == (tried, wait_ms)
    assert said.words.startswith("no log-in at autoshares: ")
    assert "has just failed" in process.fails(desk).words
    with redis.Redis.from_url(redis_url) as raw:
        raw.hset(f"relay:log-in:{CREDENTIAL}", "rest_until", 0)
    assert process.get(desk).headers == bearer(2)


@pytest.mark.promise(6)
def test_where_another_process_has_a_session_the_alert_comes_back_soon(
    redis_url: str, process: Process
) -> None:
    """Whoever takes it then may be the one that is logged in: it waits for no turn of this process."""
    other = Process(redis_url)
    other.get(Desk())

    said = process.fails(Desk(NotSent("used up", tried=False, wait_ms=7_000)))

    assert isinstance(said, NotSent)
    assert said.wait_ms == 1_000


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("vendor", "given", "kind"),
    [
        pytest.param(AS, answer(b"", 403), NotSent, id="a bare 403"),
        pytest.param(AS, answer(b"<html>", 403), NotSent, id="a proxy's 403"),
        pytest.param(AS, answer({"Message": "No"}, 403), LogInRefused, id="its own 403"),
        pytest.param(AS, answer(NO_APPLICATION, 403), CredentialRefused, id="the application"),
        pytest.param(AS, answer(b"", 404), NotSent, id="a bare 404"),
        pytest.param(AS, answer(b"", 302), NotSent, id="a redirect"),
        pytest.param(AP, answer(refusal(104, "Resource Not Found")), LogInRefused, id="not found"),
        pytest.param(AS, answer(b"", 429, retry_after="5"), Throttled, id="too many"),
        pytest.param(AS, answer({"State": "Expecting"}, 202), CredentialRefused, id="another step"),
    ],
)
def test_what_a_vendor_says_at_the_log_in_is_kept_and_is_no_word_about_an_order(
    redis_url: str,
    vendor: Vendor,
    given: Answer,
    kind: type[VendorError],
) -> None:
    """A definite no stays one, a rate limit too; "not found" is never "no such order" there.

    What has no word of the vendor's may be of whatever stands before him: it is tried again.
    """
    said = Process(redis_url, vendor).fails(Desk(given))

    assert type(said) is kind
    assert not isinstance(said, Gone)


# Waits are bounded


@pytest.mark.promise(6)
def test_who_waits_for_another_threads_log_in_waits_a_moment_only(process: Process) -> None:
    """The alert comes back later: it does not hang on a log-in that hangs."""
    desk, under_way, go_on = Desk(), threading.Event(), threading.Event()

    def hanging(call: Call) -> Answer:
        under_way.set()
        assert go_on.wait(20)
        return desk(call)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(process.get, hanging)
        assert under_way.wait(10)
        said = process.fails(desk)
        assert not first.done()
        go_on.set()

        assert first.result().headers == bearer(1)
    assert type(said) is NotSent
    assert said.words == "a log-in at autoshares takes long"
    assert not said.tried


@pytest.mark.promise(6)
def test_who_waits_for_another_processes_log_in_waits_a_moment_only(redis_url: str, process: Process) -> None:
    """A process that hangs in its log-in, or died, holds nobody up for longer than a part of a lease."""
    desk = Desk()
    other = Process(redis_url)
    assert other.ledger.turn_to_log_in(CREDENTIAL).mine

    said = process.fails(desk)

    assert type(said) is NotSent
    assert not said.tried
    assert desk.calls == []
    assert 0 < process.session.waits_s < process.ledger.lease_s
    other.ledger.end_log_in(CREDENTIAL, "done")
    assert process.get(desk).number == 2


# No secret


@pytest.mark.promise(9)
def test_what_a_log_in_sends_is_known_as_secret_before_it_leaves(redis_url: str) -> None:
    """A signature is as good as a password: should the call fail, no error and no log line tells it."""
    process = Process(redis_url, AP)
    left: list[Mapping[str, str]] = []

    def carry(call: Call) -> Answer:
        left.append(call.headers)
        for name in ("Signature", "APIKey"):
            assert process.scrubber.scrub(f"<{call.headers[name]}>") == "<***>"
        raise Unknown(f"no answer to {call.headers['Signature']}")

    said = process.fails(carry)

    assert len(left) == 1
    assert said.words == "no log-in at alphapoint: no answer to ***"


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda words: {"Authenticated": False, "errormsg": words}, CredentialRefused),
        (lambda words: refusal(100, words), LogInRefused),
        (lambda words: refusal(102, words), NotSent),
    ],
    ids=["the credential", "refused", "trouble"],
)
def test_a_vendor_that_repeats_the_credential_tells_nobody(
    redis_url: str, make: Callable[[str], object], kind: type[VendorError]
) -> None:
    """Its words reach the trader without what was sent."""
    process = Process(redis_url, AP)

    def echo(call: Call) -> Answer:
        return answer(make(f"wrong: {call.headers['Signature']} of {API_KEY}"))

    said = process.fails(echo)

    assert type(said) is kind
    assert "wrong: *** of ***" in said.words


@pytest.mark.promise(9)
def test_a_token_is_a_secret_from_the_log_in_on(process: Process) -> None:
    """The whole header and the token in it, in whatever a vendor says, and in what is printed."""
    session = process.get(Desk())

    assert "token" not in repr(session)
    assert process.scrubber.scrub("Bearer tests-only-token-1 ended") == "*** ended"
    assert process.scrubber.scrub("token tests-only-token-1 ended") == "token *** ended"
    assert process.scrubber.scrub_bytes(b'{"Message": "tests-only-token-1"}') == b'{"Message": "***"}'


@pytest.mark.promise(1)
def test_a_users_name_is_no_secret(redis_url: str) -> None:
    """It may be a part of his orders' ids, and of an alert's note: neither is mistaken for a secret."""
    user = Process(redis_url, replace(AS, username="long-user-name"))
    user.get(Desk())

    assert (
        user.scrubber.scrub_bytes(b'{"ClientId": "long-user-name-7"}') == b'{"ClientId": "long-user-name-7"}'
    )
    assert not user.scrubber.holds("note of long-user-name")
    assert user.scrubber.scrub(PASSWORD) == "***"
