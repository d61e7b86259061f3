"""Discards listed drafts of Smallest AI Atoms voice agents.

The parts, in the order in which data flows:

- `__main__`   where the program begins, however it is started
- `cli`        argv -> command: `start`, `main`, `options`; `job` (also find, sweep and undo), `check`, `report`
- `settings`   one definition per setting: file, variable, flag, help, schema
- `run`        the runs, one function each: discard a list, sweep, find, undo
- `lifecycle`  what they have in common: prepare, plan, open a session, finish
- `documents`  YAML and JSON as events with line numbers, for lists and settings
- `lists`      CSV, TSV, YAML, JSON, JSON Lines -> pairs with their place in the file; the only code that reads ids
- `find`       the workspace -> a list, by rule; what each draft changes
- `plan`       pure: duplicate, protected, settled, other share, beyond the limit, or to be sent
- `preflight`  makes the plan from list and settings, and refuses bad input before anything is sent
- `sending`    ask, open the record, discard or restore what is planned
- `discard`    `workers` take pairs in order; `discard` processes one, with `workspace` (which model, which drafts are
               open), `guards` and `verdict`; `preview` only reads, for dry runs; `read_back` verifies discards
- `undo`       `originals` (what a ledger has as discarded), `copies`; `restore` makes one draft anew, `by_draft` or
               `by_branch`; `fields`: how what is read is written, and compared
- `api`        the Atoms API: endpoints, throttle, breaker, retries, one attempt on the wire
- `records`    `recorder` -> `ledger`, `account`; `past` reads it back; `finish` -> summary, leftover, metrics, next
- `pages`      one HTML file each: to review what was found; to see what came of a run, or of many
- `console`    `reporter` -> log; progress, table, the question to a person

Beside the flow: `model` (the values that flow), `errors` (how the process ends), `stop` (stopping a run early), `loop`
(a run's event loop), `schemas` (docs/schemas, from the types of what is written), and `simulator` (the API on loopback,
which imports nothing from the rest).
"""

__version__ = "2.0.0"
