"""Cancel Relay: a charting platform's alert becomes a broker's cancel, once, and proven.

The path of an alert, file by file:

1. `receive`       POST /webhook: bytes in, reply out
2. `parse`         raw bytes → fields: JSON, key=value; text, form
3. `authenticate`  who sent it, and may that sender
4. `plan`          fields → Alert → Cancels, or all that is wrong with them
5. `ledger`        claim it in Redis: never lost, never twice
6. `lane`, `deliver`, `converse`  each Cancel → a conversation with its vendor (`vendors/`), in a `session`,
   over a transport
7. `evidence`, `prove`, `conclude`  which orders it means, whether they are gone, what it comes to
8. `reply`         outcome or refusal → HTTP status and JSON

`recall` lists what came of them; `commands` ask for all that from a terminal, through `client`. What the
trader has to be told `notify` decides; it waits in the `outbox`, and the `messenger` hands it over.

`pipeline` is these steps in order; `worker` comes back to what is due; `compose` makes the collaborators.
"""
