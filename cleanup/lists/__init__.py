"""Lists of pairs: `reading` opens them, `delimited` and `nested` know the formats, `ids` what an id is.

`rows` is what every format comes down to, `pair_list` keeps a million of them, `writing` writes a list again.
"""
