"""The workspace → a list, by rule: `finder` searches it, `found` says what came of it."""
