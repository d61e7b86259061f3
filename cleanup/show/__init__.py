"""What a person or a log collector sees: `log`, `progress`, `table`, `ask`."""
