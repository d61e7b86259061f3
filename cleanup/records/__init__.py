"""What is written: `journal` leads to `ledger`, `account` and log; then `summary`, `leftover`, `metrics`.

`past` reads a ledger back, `report` adds up ledgers, `backup` keeps copies, `heartbeat` tells a monitor, `files`
writes whole or not at all.
"""
