"""The command line.

- `program`  what it is called, and where it is
- `start`    how the process begins and ends
- `main`     argv → command
- `options`  flags; `help`  which of them help shows
- `job`      the job, `find` and `sweep`
- `check`, `report`  the commands of these names; `history`: `report --draft`
"""
