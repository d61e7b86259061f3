"""What is written: `recorder` leads to `ledger`, `account` and log; at the end `finish` to all the others.

`state` is what is known of a run so far; of it come `summary`, `leftover`, `metrics` and the `next_step`. `forbidden`
is the rule that ends a run of nothing but 403; `proof` counts what was read back, `rates` warns of a rate not kept.

`past` reads a ledger back, `backup` keeps copies, `heartbeat` tells a monitor, `files` writes whole or not at all.
`report` reads by `lines`, keeps in `latest`, tells `places` apart, counts in `totals`; `history` is that of a draft.
"""
