"""Settings: `definitions` (each once), `values` (their types), `file` and `sources` (where they come from).

`reference` writes what follows from the definitions: schema, example, table.
"""
