"""Pages to look at in a browser, one file each: `page` puts them together, `review` is what `find` found.

A page needs no network and allows itself none. What comes from the API reaches it as data, and is shown as text.
"""
