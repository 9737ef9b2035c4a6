"""The ways to a vendor, one file each; the contract is `relay.transport`."""
