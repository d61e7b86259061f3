"""What a person or a log collector sees: `console`, `log`, `progress`, `table`, `ask`, on `streams`."""
