"""Discards listed drafts of Smallest AI Atoms voice agents.

In the order in which data flows:

- `commands`    argv → command: `start`, `main`, `options`; `job` (also find and sweep), `check`, `report`
- `settings`    one definition per setting: file, variable, flag, help, schema
- `run`         the runs, each a function: discard a list, sweep, find
- `lifecycle`   what they have in common: prepare, plan, open a session, finish
- `state`       what is known of a run so far
- `documents`   YAML and JSON as events with line numbers, for lists and settings
- `lists`       CSV, TSV, YAML, JSON, JSON Lines → pairs with their place in the file; the only readers of ids
- `find`        the workspace → drafts, by rule
- `finding`     these → a list, and what is said of what could not be read
- `plan`        pure: duplicate, protected, settled, other share, beyond the limit, or to be sent
- `sending`     what a run is for: ask, open the record, discard what is planned
- `planning`    a plan by the settings, and what refuses it before anything is sent
- `workers`     takes items in the list's order, as many at a time as may be; probes an API that seems to be down
- `discard`     one pair → how it ended: copy, check, discard, on either model
- `guards`      pure: what speaks against a discard, by what the check saw
- `preview`     the same for a dry run, by reads alone
- `workspace`   which model the workspace is on, and which drafts of an agent are open
- `look`        what a branch says of its open draft, where nothing is to be discarded
- `verdict`     pure: what a reply means for a pair
- `api`         the Atoms API: endpoints, throttle, breaker, retries, one attempt on the wire
- `rules`       pure: when answers, taken together, end a run
- `records`     recorder → ledger, account; past reads it back; summary, leftover, metrics, heartbeat; backup, report
- `finish`      what is written and said when a run ends
- `next_step`   pure: what to do then, with the command to run
- `show`        reporter → log; progress, table, the question to a person

Beside the flow: `model` (the values that flow), `errors` (what ends a run), `exit_codes`, `stop` (whether the
run goes on), and `simulator` (the API on loopback, which imports nothing from the rest).
"""

__version__ = "1.0.0"
