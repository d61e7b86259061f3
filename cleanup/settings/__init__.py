"""The settings: what they are, how they are validated, and where they come from.

- `definitions`  every setting, once
- `values`       the types of settings
- `paths`, `urls`  which paths and URLs are accepted
- `hidden`       which values no message may show
- `file`, `sources`  reading the settings file, and merging it with flags and environment variables
- `reference`    generates the schema, the example and the tables in `docs`
"""
