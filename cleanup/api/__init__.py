"""The Atoms API, from the wire upwards.

`transport` makes one attempt, by way of `proxies`, with the `key`. `answers` and `retry_after` read what came back,
`trouble` says why nothing did, and a `reply` says what can be determined of it by itself.
`throttle` is the only place where requests wait; `pace`, `adaptive_pace` and `breaker` are its pure parts.
`atoms` has the endpoints by name, `retry` decides which answer deserves another attempt, `renewal` reads a new key.
`owner` asks whose key it is.
`session` puts all of it together for one run, and `traffic` counts what went over the wire.
"""
