"""The brokers, one file each; the contract is `relay.vendor`."""
