"""Pages to look at in a browser, one file each: `page` puts them together.

`review` is what `find` found. `report` is what came of a run (`of_run`) or of the runs in some ledgers (`of_ledgers`):
`verdict` is its headline, `figures` are its bars, and `settings` are those that are not the defaults.

A page needs no network and allows itself none. What comes from the API reaches it as data, and is shown as text.
"""
