"""Settings: `definitions` (each once), `values` (their types), `sources` (where they come from), `reference`."""
