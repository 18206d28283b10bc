"""The rows of the ledger, one subject a file."""
