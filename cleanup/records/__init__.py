"""Everything that is written. `recorder` writes to `ledger`, `account` and log; at the end, `finish` writes the rest.

`state` is what is known about a run so far; `summary`, `leftover`, `metrics` and `next_step` are made from it.
`forbidden` is the rule that stops a run in which every answer is 403. `proof` counts the discards that were read back,
and `rates` warns if a rate was not kept.

`past` reads a ledger for the next run, `backup` saves copies, and `files` has the atomic write. `heartbeat` pings a
monitor, at the end with a `message`, and `metrics` pushes, too: each by a `call`. `task` is what they name the run.

`report` reads ledgers with `lines`, `latest` (the line that counts for a pair), `places` (organizations) and `totals`;
`history` is that of a draft.
"""
