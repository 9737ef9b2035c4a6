/* The ledger: claim, settle, take over, and the one bulk call, for Spin. docs/model.md explains it.

   One alert that arrives in several copies, processes that work on it, and Redis between them. Each of
   Redis's scripts (relay/scripts/claim.lua, settle.lua, take.lua) is one atomic step, as it is in Redis.
   Between two steps anything may happen: a process is killed (kill -9) or paused for as long as it takes
   (SIGSTOP; here simply: the others go on), a lease ends, a question to Redis or its answer is lost, or
   the question arrives when nobody waits for it any more.

   -D with the name of a guard takes that guard out; model/check.py has the list, and which promise then
   breaks. -DKEYLESS: the alert is not de-duplicated (RELAY_CONTENT_TTL=0, or its key's life is over).
   -DLATE: questions may arrive late. -DENDS: every alert ends, if faults come to an end at some time.
   -DONLY with -DCHECK_<promise>: check that promise alone. */

#ifdef KEYLESS
#define COPIES 1                /* each arrival is an alert of its own: one is enough */
#else
#define COPIES 2                /* the same alert, arriving at two machines: at once, or one after the other's 503 */
#endif
#ifndef PROCESSES
#define PROCESSES 3             /* the first take a copy each; all of them go on as workers, as web processes do */
#endif

#define NOBODY 0                /* no token */
#define SPENT 255               /* a token that nobody has any more: whoever held the record has died or given up */
#define NETWORK 0               /* who asks, where a question comes late: nobody reads the answer */

mtype:due = { nothing_due, not_yet, is_due };   /* in relay:due: no entry, a time to come, a time that has come */
mtype:ask = { claim, hold, later, end_it };     /* what Redis is asked: to claim, or one of settle's three */
mtype:answer = { no_answer, claimed, duplicate, written, refused };
mtype:age = { young, old, over };               /* the alert's: for a bulk call, too late for one, for nothing more */

/* ---- What Redis has: a record for each copy, though one at most is ever made ---- */

typedef Record {
    bool made;                  /* the hash is there */
    byte token;                 /* who holds it: HGET token */
    byte settled_by;            /* who let go of it last: HGET settled_by */
    mtype:due due;              /* its entry in relay:due */
    bool ended;
    bool may;                   /* in the record's text: something of ours may have left (Progress.sent, asks) */
    bool queued;                /* its notification is in the queue */
    bool anew;                  /* it was made a second time, and takes that moment for the alert's arrival */
    /* What nobody in the relay can know, and the promises are about: */
    bool taken;                 /* it was taken by another than who claimed it, or taken up again */
    bool left;                  /* something of ours has left, and the broker may have acted on it */
    bool told;                  /* its notification was handed over */
}

Record alert[COPIES];
byte key = NOBODY;              /* the record that the key leads to, and one more */

#ifdef LATE
/* A question that nobody waits for any more, and that Redis may answer yet: after a stall, say. */
typedef Question { byte token; mtype:ask asks; byte of_alert; bool says_may }
Question late;
#define IS_LATE(t) (late.token == t)
#else
#define IS_LATE(t) false
#endif

/* ---- What processes have (0 is the network) ---- */

byte hand[PROCESSES + 1];       /* the token in hand */
bool alive[PROCESSES + 1];      /* Held.left_s() > 0: the own clock ends a lease no later than Redis's does */
#ifdef CLAIM_IN_TWO_STEPS
bool looked[PROCESSES + 1];     /* saw that the key is free */
#endif

mtype:age age = young;
byte bulks;                     /* bulk calls that have left, for the alert in all its copies */
#ifdef ENDS
bool quiet;                     /* faults have come to an end */
#else
#define quiet false
#endif

/* Within one step, and back at its first value at the end of it. */
mtype:answer answer = no_answer;
byte i;

#define RECORDED (alert[0].made || alert[COPIES - 1].made)
#define TOLD(id) (alert[id].ended && alert[id].told)
#define ENDED_AND_TOLD (TOLD(0) || TOLD(COPIES - 1))

/* ---- The promises ---- */

/* 1, never lost: an alert that is recorded has ended, or has a time at which somebody looks at it again. */
#if !defined(ONLY) || defined(CHECK_NEVER_LOST)
#define NEVER_LOST(holds) assert(holds)
#else
#define NEVER_LOST(holds) skip
#endif
/* 1, never lost: nobody overwrites what his successor found out: only who was given the record last writes. */
#if !defined(ONLY) || defined(CHECK_NEVER_OVERWRITTEN)
#define NEVER_OVERWRITTEN(holds) assert(holds)
#else
#define NEVER_OVERWRITTEN(holds) skip
#endif
/* 2, never twice: at most one bulk call leaves for an alert, however often it arrives. */
#if !defined(ONLY) || defined(CHECK_NEVER_TWICE)
#define NEVER_TWICE(holds) assert(holds)
#else
#define NEVER_TWICE(holds) skip
#endif
/* 2, never twice: no copy is answered as a duplicate of itself, so that nobody makes the first try. */
#if !defined(ONLY) || defined(CHECK_NEVER_ITS_OWN_DUPLICATE)
#define NEVER_ITS_OWN_DUPLICATE(holds) assert(holds)
#else
#define NEVER_ITS_OWN_DUPLICATE(holds) skip
#endif
/* 3, never late: a bulk call leaves while the alert is young, from the claimer's hand, within his lease. */
#if !defined(ONLY) || defined(CHECK_NEVER_LATE)
#define NEVER_LATE(holds) assert(holds)
#else
#define NEVER_LATE(holds) skip
#endif
/* 5, proven: no alert ends as if nothing of ours had left when something may have. */
#if !defined(ONLY) || defined(CHECK_NEVER_DENIED)
#define NEVER_DENIED(holds) assert(holds)
#else
#define NEVER_DENIED(holds) skip
#endif
/* 5, proven: whoever wrote the last word is told that it was written. */
#if !defined(ONLY) || defined(CHECK_NEVER_DISOWNED)
#define NEVER_DISOWNED(holds) assert(holds)
#else
#define NEVER_DISOWNED(holds) skip
#endif
/* 7, never silent: an alert that has ended has its notification in the queue, or handed over. */
#if !defined(ONLY) || defined(CHECK_NEVER_SILENT)
#define NEVER_SILENT(holds) assert(holds)
#else
#define NEVER_SILENT(holds) skip
#endif
/* 1 and 7: an alert that is recorded ends some day and is told of, once faults come to an end. */
#ifdef ENDS
ltl always_ends { [] (RECORDED -> <> ENDED_AND_TOLD) }
#endif

#if PROCESSES < 2 || PROCESSES > 3
#error "two processes, or three"
#endif
#define IN_HAND(t) (t != NOBODY && (hand[1] == t || hand[2] == t || hand[PROCESSES] == t))

/* Where a step is taken apart, a process that lives may be about to take its second half. */
#ifdef SEPARATE_QUEUE
#define ABOUT_TO_QUEUE(id) IN_HAND(alert[id].token)
#else
#define ABOUT_TO_QUEUE(id) false
#endif
#ifdef NOTIFY_IN_TWO_STEPS
#define ABOUT_TO_NOTIFY(id) IN_HAND(alert[id].settled_by)
#else
#define ABOUT_TO_NOTIFY(id) false
#endif

inline look_at(id) {
    NEVER_LOST(!alert[id].made || alert[id].ended || alert[id].due != nothing_due || ABOUT_TO_QUEUE(id));
    NEVER_SILENT(!alert[id].ended || alert[id].queued || alert[id].told || ABOUT_TO_NOTIFY(id))
}

/* ---- Redis's scripts, each one step ---- */

#ifdef CLAIM_IN_TWO_STEPS
#define KEY_IS_TAKEN(who) (key != NOBODY && !looked[who])
#else
#define KEY_IS_TAKEN(who) (key != NOBODY)
#endif

#ifdef CLAIM_NOT_RECOGNISED
#define IS_ITS_OWN(id) false
#else
#ifdef KNOWN_BY_KEY_ALONE
#define IS_ITS_OWN(id) (key == id + 1)
#else
#define IS_ITS_OWN(id) alert[id].made
#endif
#endif

inline claim_script(who, id, t) {
    if
    :: IS_ITS_OWN(id) -> answer = claimed
    :: else ->
        if
        :: KEY_IS_TAKEN(who) -> answer = duplicate
        :: else ->
            NEVER_OVERWRITTEN(!alert[id].made);
            alert[id].anew = alert[id].made;
            alert[id].made = true;
            alert[id].token = t;
            alert[id].may = false;
            alert[id].ended = false;
#ifndef SEPARATE_QUEUE
            alert[id].due = not_yet;            /* the lease's end */
#endif
#ifndef KEYLESS
            key = id + 1;
#endif
            alive[who] = true;
            answer = claimed
        fi
    fi;
    alive[NETWORK] = false;
    look_at(id)
}

#ifdef NO_TOKEN_CHECK
#define MAY_WRITE(id, t) true
#else
#define MAY_WRITE(id, t) (alert[id].token == t)
#endif

inline settle_script(who, id, t, what, something_may) {
    if
    :: MAY_WRITE(id, t) ->
        NEVER_OVERWRITTEN(alert[id].token == t || (alert[id].token == NOBODY && alert[id].settled_by == t));
        alert[id].may = something_may;
        if
        :: what == hold ->
#ifndef HOLD_NOT_IN_REDIS
            alert[id].due = not_yet;
#endif
            alive[who] = true
        :: what == later -> alert[id].due = not_yet
        :: what == end_it ->
            NEVER_DENIED(alert[id].may || !alert[id].left);
            alert[id].due = nothing_due;
            alert[id].ended = true;
#ifndef NOTIFY_IN_TWO_STEPS
            alert[id].queued = true
#endif
        fi;
        if
        :: what != hold -> alert[id].token = NOBODY; alert[id].settled_by = t
        :: else
        fi;
        answer = written
    :: else ->
        if
#ifndef SETTLE_NOT_RECOGNISED
        :: what != hold && alert[id].settled_by == t -> answer = written
#endif
        :: else -> answer = refused; NEVER_DISOWNED(what == hold || alert[id].settled_by != t)
        fi
    fi;
    alive[NETWORK] = false;
    look_at(id)
}

#ifdef TAKE_IGNORES_TOKEN
#define INTERRUPTED(id) false
#else
#define INTERRUPTED(id) (alert[id].token != NOBODY)
#endif

/* A record that its holder did not let go of was interrupted, and from then on something may have left: the
   taker has that in mind. If the answer is lost, that is as if the taker had died with it. */
inline take_script(who, id, t) {
    may = alert[id].may || INTERRUPTED(id);
    alert[id].token = t;
    alert[id].due = not_yet;
    alert[id].taken = true;
    alive[who] = true
}

/* ---- A process ---- */

/* A token is new wherever it is met: of the two that a process has, the one that no late question carries. */
#define NEW_TOKEN(me) (IS_LATE(me) -> me + PROCESSES : me)

/* Once nobody has a token, all that counts is that it is there. This keeps the states few, and changes nothing. */
inline spend(t) {
    if
    :: t == NOBODY || IN_HAND(t) || IS_LATE(t)
    :: else ->
        for (i : 0 .. COPIES - 1) {
            if
            :: alert[i].token == t -> alert[i].token = SPENT
            :: else
            fi;
            if
            :: alert[i].settled_by == t -> alert[i].settled_by = NOBODY
            :: else
            fi
        }
    fi
}

/* Forget everything: the visit is over, the lease is, or the process was killed; it comes back as a worker. */
inline leave() {
    d_step {
        token = hand[me];
        hand[me] = NOBODY;
        alive[me] = false;
        spend(token);
        token = NOBODY; again = false; may = false; what = hold; to_bulk = false; id = 0;
        answer = no_answer;
#ifdef CLAIM_IN_TWO_STEPS
        looked[me] = false;
#endif
        for (i : 0 .. COPIES - 1) {
            look_at(i)
        };
        i = 0
    }
}

inline is_killed() {
    !quiet -> printf("%c: is killed\n", 64 + me); leave()
}

/* No answer came, whether Redis was asked or not: redis-py asks once more, and then gives up (NotReady). */
#define ASKS_AGAIN !again -> again = true; printf("%c: asks again\n", 64 + me)
#define GIVES_UP else -> printf("%c: gives up\n", 64 + me); leave()

/* LeaseEnded stands before every write to the vendor (Held.clearance). The look and the first byte are one
   step here: the window between them is what docs/cancelling.md tells of. */
#ifdef NO_LEASE_CHECK
#define CLEARED true
#else
#define CLEARED alive[me]
#endif
#ifdef NO_AGE_CHECK
#define FRESH true
#else
#define FRESH (age == young || alert[id].anew)
#endif

inline finds_its_lease_over() {
    !CLEARED -> printf("%c: finds its lease over\n", 64 + me); leave()
}

inline visits(which) {
    id = which;
    hand[me] = NEW_TOKEN(me);
    printf("%c: takes alert %d\n", 64 + me, id + 1);
    d_step { take_script(me, id, hand[me]) };
    if
    :: age == over -> what = end_it; goto settling      /* end_if_out_of_time */
    :: age != over -> goto list
    :: age != over ->                                   /* Lanes._later */
        printf("%c: its lane is full\n", 64 + me);
        what = later;
#ifdef FULL_LANE_FORGETS
        may = alert[id].may;
#endif
        goto settling
#ifdef TAKEN_OVER_SENDS_BULK
    :: goto bulk
#endif
    fi
}

proctype Process(byte me; byte id) {
    bool again, may, to_bulk;
    byte token;
    mtype:ask what = hold;

#if PROCESSES > COPIES
    if
    :: atomic { id < COPIES -> hand[me] = NEW_TOKEN(me) }
    :: atomic { else -> id = 0; goto end_idle }
    fi;
#else
    hand[me] = NEW_TOKEN(me);
#endif

#ifdef CLAIM_IN_TWO_STEPS
    looked[me] = (key == NOBODY);
#endif

    /* A web process claims (Ledger.claim). */
claiming:
    if
    :: atomic { is_killed(); goto end_idle }
    :: atomic {
        d_step { claim_script(me, id, hand[me]); again = false };
        if
#ifndef KEYLESS
        :: answer == duplicate ->
            printf("%c: copy %d is answered as a duplicate of copy %d\n", 64 + me, id + 1, key);
            NEVER_ITS_OWN_DUPLICATE(key != id + 1);
            leave();
            goto end_idle
#endif
        :: answer == claimed ->
            printf("%c: copy %d is claimed\n", 64 + me, id + 1);
            answer = no_answer;
#ifdef SEPARATE_QUEUE
            goto queueing
#else
            goto first
#endif
        fi }
    :: atomic { !quiet -> printf("%c: copy %d is to be claimed, and the answer is lost\n", 64 + me, id + 1);
        d_step { claim_script(me, id, hand[me]); answer = no_answer };
        if
        :: ASKS_AGAIN; goto claiming
        :: GIVES_UP; goto end_idle
        fi }
    :: atomic { !quiet -> printf("%c: the claim of copy %d is lost\n", 64 + me, id + 1);
        if
        :: ASKS_AGAIN; goto claiming
        :: GIVES_UP; goto end_idle
        fi }
#ifdef LATE
    :: atomic { !quiet && late.token == NOBODY ->
        d_step { late.token = hand[me]; late.asks = claim; late.of_alert = id };
        printf("%c: the claim of copy %d is late\n", 64 + me, id + 1);
        if
        :: ASKS_AGAIN; goto claiming
        :: GIVES_UP; goto end_idle
        fi }
#endif
    fi;

#ifdef SEPARATE_QUEUE
queueing:
    if
    :: atomic { is_killed(); goto end_idle }
    :: atomic { printf("%c: queues alert %d\n", 64 + me, id + 1); alert[id].due = not_yet; goto first }
    fi;
#endif

    /* The first try (Delivery.first), in the process that claimed and in no other. */
first:
    if
    :: goto bulk
    :: goto list                                        /* there is no bulk call for it */
    :: atomic { to_bulk = true; goto settling }         /* a list is noted before, or the lease renewed (Held.save) */
    :: atomic { what = later; goto settling }           /* its lane is full (Lanes._later), or it has a `delay` */
    fi;

bulk:
    if
    :: atomic { is_killed(); goto end_idle }
    :: atomic { finds_its_lease_over(); goto end_idle }
    :: atomic { CLEARED -> goto list }                  /* nothing left: no connection, an empty budget, too late */
    :: atomic { CLEARED && FRESH ->
        printf("%c: THE BULK CALL LEAVES\n", 64 + me);
        d_step {
            bulks = (bulks < 2 -> bulks + 1 : 2);
            NEVER_TWICE(bulks <= 1);
            NEVER_LATE(age == young && alert[id].token == hand[me] && alert[id].due == not_yet && !alert[id].taken)
        };
        if
        :: what = end_it; printf("%c: it is refused\n", 64 + me); goto settling  /* the broker did nothing */
        :: d_step { alert[id].left = true; may = true };    /* answered, or nobody knows: what it did shows later */
            if
            :: what = later; goto settling
            :: goto list
            fi
        fi }
    fi;

    /* Any visit (Delivery._list_and_ask): list what works, cancel it by id, or prove that nothing does. */
list:
    if
    :: atomic { is_killed(); goto end_idle }
    :: atomic { finds_its_lease_over(); goto end_idle }
    :: atomic { CLEARED ->
        if                                              /* no list could be had, or it proves nothing yet */
        :: what = later; printf("%c: lists, and will look again\n", 64 + me)
        :: what = end_it; printf("%c: lists, and nothing works any more\n", 64 + me)
        :: what = hold; printf("%c: lists, and something works\n", 64 + me)     /* noted before it is asked for */
        fi;
        goto settling }
    fi;

ask:
    if
    :: atomic { is_killed(); goto end_idle }
    :: atomic { finds_its_lease_over(); goto end_idle }
    :: atomic { CLEARED -> printf("%c: cancels by id\n", 64 + me);
        d_step { alert[id].left = true; may = true; what = later }; goto settling }
    :: atomic { CLEARED -> what = later; goto settling }    /* nothing left, or refused */
    fi;

    /* Ledger.write, for Held.save and Held.settle. */
settling:
    if
    :: atomic { is_killed(); goto end_idle }
    :: atomic { printf("%c: settles: %e\n", 64 + me, what);
        d_step { settle_script(me, id, hand[me], what, may); again = false };
        if
        :: answer == refused ->
            printf("%c: is told that another holds it\n", 64 + me);
            leave();
            goto end_idle
        :: answer == written && what == hold && to_bulk -> d_step { answer = no_answer; to_bulk = false }; goto bulk
        :: answer == written && what == hold && !to_bulk -> answer = no_answer; goto ask
        :: answer == written && what != hold ->
#ifdef NOTIFY_IN_TWO_STEPS
            answer = no_answer;
            if
            :: what == end_it -> goto notifying
            :: else
            fi;
#endif
            leave();
            goto end_idle
        fi }
    :: atomic { !quiet -> printf("%c: settles: %e, and the answer is lost\n", 64 + me, what);
        d_step { settle_script(me, id, hand[me], what, may); answer = no_answer };
        if
        :: ASKS_AGAIN; goto settling
        :: GIVES_UP; goto end_idle
        fi }
    :: atomic { !quiet -> printf("%c: a settle is lost: %e\n", 64 + me, what);
        if
        :: ASKS_AGAIN; goto settling
        :: GIVES_UP; goto end_idle
        fi }
#ifdef LATE
    :: atomic { !quiet && late.token == NOBODY ->
        d_step { late.token = hand[me]; late.asks = what; late.of_alert = id; late.says_may = may };
        printf("%c: a settle is late: %e\n", 64 + me, what);
        if
        :: ASKS_AGAIN; goto settling
        :: GIVES_UP; goto end_idle
        fi }
#endif
    fi;

#ifdef NOTIFY_IN_TWO_STEPS
notifying:
    if
    :: atomic { is_killed(); goto end_idle }
    :: atomic { printf("%c: queues the notification\n", 64 + me); alert[id].queued = true; leave(); goto end_idle }
    fi;
#endif

    /* A worker takes what is due (Ledger.take_due), and makes later visits (Delivery.again). */
end_idle:
    if
    :: atomic { alert[0].due == is_due -> visits(0) }
#if COPIES > 1
    :: atomic { alert[1].due == is_due -> visits(1) }
#endif
    fi
}

/* ---- What happens by itself ---- */

/* Redis's clock. A lease may end at any moment; the holder's own clock has ended it by then. With faults at
   an end nobody is paused past his lease any more: only the leases of those who died end. */
#ifdef NO_TAKE_OVER
#define MAY_COME_DUE(id) (alert[id].due == not_yet && alert[id].token == NOBODY)
#else
#define MAY_COME_DUE(id) (alert[id].due == not_yet && !(quiet && IN_HAND(alert[id].token)))
#endif

inline comes_due(id) {
    MAY_COME_DUE(id) ->
    printf("   alert %d is due: its lease, or its wait, is over\n", id + 1);
    alert[id].due = is_due;
    for (i : 1 .. PROCESSES) {
        if
        :: alert[id].token != NOBODY && hand[i] == alert[id].token -> alive[i] = false
        :: else
        fi
    };
    i = 0
}

proctype Clock() {
end_clock:
    do
    :: d_step { comes_due(0) }
#if COPIES > 1
    :: d_step { comes_due(1) }
#endif
    od
}

proctype Age() {
end_age:
    atomic { RECORDED -> age = old; printf("   it is too late for a bulk call\n") };
#ifdef ENDS
    atomic { age = over; printf("   the alert's time is over\n") }     /* before, a visit may end it just as well */
#endif
}

#ifdef LATE
/* A late question reaches Redis after all. */
proctype Late() {
    byte id, token;
    bool may;
    mtype:ask what = hold;
end_late:
    do
    :: d_step { late.token != NOBODY ->
        token = late.token; id = late.of_alert; what = late.asks; may = late.says_may;
        late.token = NOBODY; late.of_alert = 0; late.asks = hold; late.says_may = false;
        printf("   a late question of alert %d arrives: %e\n", id + 1, what);
        if
        :: what == claim -> claim_script(NETWORK, id, token)
        :: else -> settle_script(NETWORK, id, token, what, may)
        fi;
        spend(token);
        answer = no_answer; i = 0; token = NOBODY; id = 0; what = hold; may = false }
    od
}
#endif

/* Who hands notifications over. One leaves the queue once it was handed over, so it may be told twice. */
inline hands_over(which) {
    alert[which].queued -> id = which;
#ifdef LEAVES_QUEUE_FIRST
    printf("   the notification of alert %d leaves the queue\n", which + 1);
    alert[which].queued = false
#else
    printf("   the notification of alert %d is handed over\n", which + 1);
    alert[which].told = true
#endif
}

proctype Notifier() {
    byte id;
end_notifier:
    if
    :: atomic { hands_over(0) }
#if COPIES > 1
    :: atomic { hands_over(1) }
#endif
    fi;
    if
    :: atomic { !quiet -> printf("   who hands notifications over is killed\n");
        look_at(id);
        id = 0;
        goto end_notifier }
    :: atomic {
#ifdef LEAVES_QUEUE_FIRST
        alert[id].told = true;
#else
        alert[id].queued = false;
#endif
        id = 0;
        goto end_notifier }
    fi
}

#ifdef ENDS
proctype Quiet() {
    quiet = true
}
#endif

init {
    atomic {
#ifdef LATE
        late.asks = hold;
#endif
        for (i : 0 .. COPIES - 1) {
            alert[i].due = nothing_due
        }
        for (i : 1 .. PROCESSES) {
            run Process(i, i - 1)
        }
        run Clock();
        run Age();
        run Notifier();
#ifdef LATE
        run Late();
#endif
#ifdef ENDS
        run Quiet();
#endif
        i = 0
    }
}
