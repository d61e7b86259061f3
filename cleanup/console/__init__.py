"""What a person or a log collector sees: `reporter` says it to the `log`, the `screen` has all of a run.

`progress`, `table` and `meter` are for people, `ask` is the one question, `printable`, `lines` and `streams`
keep a terminal safe.
"""
