"""The fault suite: the relay as deployed, while all that it stands on lies, dies, hangs and comes back.

`plan` draws alerts and their orders from a seed, `weather` what each broker does to each call, `storm` what
happens to processes and to Redis. `sender` sends as TradingView does. `judge` counts, from the brokers' own
books and calls, what must never happen. `campaign` runs it in rounds, `table` says what came of it, `guards`
takes the relay's guards out one by one to see the suite fail. How to read it: docs/reliability.md.
"""
