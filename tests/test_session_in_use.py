"""Calls in a session: each one of it, one more try where it had ended, and no third."""

from collections.abc import Callable, Mapping

import pytest

from relay.budget import Window
from relay.cancel import Cancel, Scope
from relay.errors import LeaseEnded, NotSent, Refused, Unknown
from relay.ledger import Ledger
from relay.vendor import Answer, Call
from tests.running import until
from tests.scripted import CREDENTIAL, Stage, some_settings
from tests.vendors.dialogue import answer
from tests.vendors.of_autoshares import ACCOUNT, AS, DENIED, ORDER, page, row

BY_ID = Cancel("autoshares", ACCOUNT, Scope.ORDER, ORDER)


def token(number: int) -> Answer:
    """Give the answer to a log-in that was let in."""
    return answer({"State": "Succeeded", "Token": f"tests-only-token-{number}"})


def bearer(number: int) -> dict[str, str]:
    """Give the header that a token makes."""
    return {"Authorization": f"Bearer tests-only-token-{number}"}


class Server:
    """Let in whoever asks; a token is good until it is ended."""

    def __init__(self) -> None:
        self.log_ins = 0
        self.good: set[str] = set()
        self.on_call: Callable[[Mapping[str, str]], None] = lambda _: None
        self.same_token = False
        #: Where the user may not go, and where nothing is answered; nowhere where they are empty.
        self.denied = ""
        self.silent = ""

    def rule(self, call: Call, session: Mapping[str, str]) -> Answer:
        """Answer as Autoshares does."""
        if call.path == "/token":
            self.log_ins += 1
            number = 1 if self.same_token else self.log_ins
            self.good = {bearer(number)["Authorization"]}
            return token(number)
        self.on_call(session)
        if self.silent and call.path.startswith(self.silent):
            raise Unknown("no answer within 5 s")
        denied = self.denied and call.path.startswith(self.denied)
        if denied or session.get("Authorization") not in self.good:
            return answer(DENIED, 401)
        if call.path.startswith("/v1.0/users"):
            return answer([{"Id": ACCOUNT}])
        return answer(b"", 204) if call.method == "DELETE" else page(row(Symbol="tests-only-token-1"))


@pytest.fixture
def server() -> Server:
    """Give a server that nobody has logged in to."""
    return Server()


@pytest.fixture
def stage(redis_url: str, server: Server) -> Stage:
    """Give a line to that server."""
    return Stage(redis_url, AS, server.rule)


def cancel(stage: Stage) -> None:
    """Cancel an order."""
    stage.talk(stage.hold(BY_ID)).hold(AS.cancel_one(ACCOUNT, ORDER), urgent=True)


@pytest.mark.promise(8)
def test_each_call_is_one_of_the_session_and_the_log_in_of_none(stage: Stage) -> None:
    """The first call logs in, later ones find the session."""
    cancel(stage)
    cancel(stage)

    order = f"/v1.0/accounts/{ACCOUNT}/orders/{ORDER}"
    assert stage.transport.paths() == ["/token", order, order]
    assert stage.transport.sessions == [{}, bearer(1), bearer(1)]


@pytest.mark.promise(5)
def test_a_call_whose_session_had_ended_is_made_once_more(stage: Stage, server: Server) -> None:
    """The vendor carried nothing out: with another session the same call goes again, and no third time."""
    cancel(stage)
    server.good.clear()

    cancel(stage)

    assert stage.transport.sessions[2:] == [bearer(1), {}, bearer(2)]


@pytest.mark.promise(8)
def test_a_late_end_of_an_old_session_takes_the_new_one(stage: Stage, server: Server) -> None:
    """A 401 that is answered after another thread has renewed costs no further log-in."""
    cancel(stage)
    old = stage.session.get(stage.carry)
    assert old is not None
    server.good.clear()

    def renewed_meanwhile(session: Mapping[str, str]) -> None:
        if session == bearer(1):
            stage.session.renewed(old, stage.carry, lost=False)

    server.on_call = renewed_meanwhile

    cancel(stage)

    assert server.log_ins == 2
    assert stage.transport.sessions[-1] == bearer(2)


@pytest.mark.promise(5)
def test_a_session_that_another_process_took_over_twice_is_not_sent(
    redis_url: str, stage: Stage, server: Server
) -> None:
    """Where a user has one session, a newer log-in elsewhere ends ours: that is no refusal of the cancel."""
    elsewhere = Ledger(some_settings(redis_url))

    def taken_over(session: Mapping[str, str]) -> None:
        if session:
            server.good.clear()
            assert elsewhere.turn_to_log_in(CREDENTIAL).mine
            elsewhere.end_log_in(CREDENTIAL, "done")

    server.on_call = taken_over

    with pytest.raises(NotSent) as raised:
        cancel(stage)

    assert raised.value.words == "another log-in at autoshares took over the session"
    assert len(stage.transport.paths(to="/v1.0")) == 2


@pytest.mark.promise(1)
def test_a_session_that_ends_twice_is_no_refusal(stage: Stage, server: Server) -> None:
    """A server that ends the new session, too, has said nothing about the cancel: it comes back later."""
    server.on_call = lambda _: server.good.clear()

    with pytest.raises(NotSent) as raised:
        cancel(stage)

    assert raised.value.words == "autoshares ended the session right after its log-in"
    assert (server.log_ins, len(stage.transport.paths(to="/v1.0/accounts"))) == (2, 2)


@pytest.mark.promise(1, 5)
def test_a_strangers_account_is_refused_and_costs_one_log_in(stage: Stage, server: Server) -> None:
    """It is answered as an ended session is: the accounts tell that it lives, and the next time at once."""
    server.denied = f"/v1.0/accounts/{ACCOUNT}"
    for log_ins in (2, 2, 2):
        with pytest.raises(Refused) as raised:
            cancel(stage)
        assert raised.value.words.startswith("Autoshares answered 401: Authorization has been denied")
        assert server.log_ins == log_ins

    server.denied = ""
    server.good.clear()
    cancel(stage)

    assert server.log_ins == 3


@pytest.mark.promise(1)
def test_a_session_of_which_nothing_can_be_told_is_not_taken_for_a_refusal(
    stage: Stage, server: Server
) -> None:
    """Where the accounts are not answered either, nothing was sent, and nothing is concluded."""
    server.denied = f"/v1.0/accounts/{ACCOUNT}"
    server.silent = "/v1.0/users"

    with pytest.raises(NotSent) as raised:
        cancel(stage)

    assert "cannot be told" in raised.value.words


@pytest.mark.promise(9)
def test_a_log_ins_answer_is_read_whole_and_every_other_without_secrets(stage: Stage, server: Server) -> None:
    """A server that gives the same token again is understood; one that repeats it tells nobody."""
    server.same_token = True
    cancel(stage)
    server.good.clear()
    talk = stage.talk(stage.hold(BY_ID))

    (order,) = talk.hold(AS.working(ACCOUNT), urgent=False)

    assert server.log_ins == 2
    assert stage.transport.sessions[-1] == bearer(1)
    assert order.instrument == "***"


@pytest.mark.promise(8)
def test_log_ins_count_against_their_own_limit(redis_url: str, server: Server) -> None:
    """A vendor that ends every session is not logged in to without end: what is too much is not sent."""
    stage = Stage(redis_url, AS, server.rule, limits={"log-ins": Window(1, 60)})
    cancel(stage)
    server.good.clear()

    with pytest.raises(NotSent) as raised:
        cancel(stage)

    assert raised.value.words == "no log-in at autoshares: autoshares's rate budget is used up"
    assert not raised.value.tried
    assert server.log_ins == 1


@pytest.mark.promise(2)
def test_nobody_logs_in_for_a_record_that_another_holds(redis_url: str, server: Server) -> None:
    """When the lease is over, another is at work: not even a log-in leaves."""
    stage = Stage(redis_url, AS, server.rule, lease_s=1)
    held = stage.hold(BY_ID)
    until(lambda: stage.ledger.take_due(5), what="the end of the lease")

    with pytest.raises(LeaseEnded):
        stage.talk(held).hold(AS.cancel_one(ACCOUNT, ORDER), urgent=True)

    assert stage.transport.calls == []
