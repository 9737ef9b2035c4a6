"""The model of the ledger, and what checks it: `make model`."""
