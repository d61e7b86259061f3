"""What a person or a log collector sees.

- `reporter`  what a run reports, to the `log` and the summary
- `screen`    a run's standard output and standard error
- `lines`     log events as lines for people
- `progress`, `table`, `meter`  for people on a terminal
- `ask`       the question before a run discards
- `printable`, `streams`  keep odd characters and broken streams from doing harm
"""
