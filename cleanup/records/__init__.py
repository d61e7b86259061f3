"""What is written: `recorder` leads to `ledger`, `account` and log; then `summary`, `leftover`, `metrics`.

`past` reads a ledger back, `backup` keeps copies, `heartbeat` tells a monitor, `files` writes whole or not at all.
`report` reads by `lines`, keeps in `latest`, tells `places` apart, counts in `totals`; `history` is that of a draft.
"""
