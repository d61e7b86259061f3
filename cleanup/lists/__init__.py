"""Lists of pairs: `reading` opens them; `delimited`, `nested` and `json_lines` know the formats, `ids` what an id is.

`rows` is what every format comes down to, `lines` what some begin with, `pair_list` keeps a million of them,
`writing` writes a list again.
"""
