"""The workspace → a list, by rule: `finder` looks it over, `found` says what came of it."""
