"""The promises of the relay, each shown on a real Redis and real sockets."""
