"""Stand in for the brokers: real servers with an order book and the vendors' documented errors."""
