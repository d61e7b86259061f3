"""The Atoms API, from the wire upwards.

`sockets`, `transport`, `proxies`: one attempt; `departure`: when it leaves. `answers`, `retry_after`: what came
back. `key`: with which key.
`pace`, `auto_pace`, `outage`: pure, when the next request may leave; `gate`: where all of them wait for their turn.
`retry`: which answer deserves another attempt. `atoms`: the endpoints by name. `traffic`: what went over the wire.
`session`: all of it together, for one run. `owner`: whose key it is.
"""
