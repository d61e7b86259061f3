"""Settings: `definitions` (each once), `values` (their types), `file` and `sources` (where they come from).

`paths` and `urls` say which of these are taken, `hidden` what no message shows.

`reference` writes what follows from the definitions: schema, example, table.
"""
