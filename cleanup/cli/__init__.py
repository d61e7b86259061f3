"""The commands: `start` (process), `main` (argv → command), `options` (flags); `job`, `check`, `report`, `history`."""
