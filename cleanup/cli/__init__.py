"""The commands: `start` (the process), `main` (argv → command), `options` (flags), `job`, `check`, `report`."""
