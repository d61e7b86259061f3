"""Reading and writing lists of pairs.

- `reading`    opens a list, and detects its format
- `delimited`, `nested`, `json_lines`  the parsers: CSV and TSV; YAML and JSON; JSON Lines
- `lines`      decodes a file line by line
- `rows`       what every parser yields
- `ids`        validates ids
- `pair_list`  holds the pairs, up to a million and more, in little memory
- `writing`    writes CSV and TSV
"""
