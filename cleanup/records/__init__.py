"""What is written: `ledger` as it happens, `account` and `summary` over it, `leftover`, `backup`, `metrics`, `heartbeat`."""
