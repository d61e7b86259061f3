"""The commands: `main` (argv → command), `options` (the command line), `job`, `check`, `report`."""
