"""Lists of pairs: `reading` opens them, `delimited` and `nested` know the formats, `ids` what an id is."""
