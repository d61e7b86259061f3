"""The Atoms API, from the wire upwards.

`transport` makes one attempt, through the proxy from `proxies`, with the `key`. `answers` and `retry_after` parse the
response, `trouble` explains why there was none, and `reply` classifies the result.
`throttle` is the only place where requests wait; `pace`, `adaptive_pace` and `breaker` are its pure parts.
`atoms` has the endpoints by name, `retry` decides which replies to retry, and `renewal` picks up a new key.
`owner` asks which organization the key belongs to.
`session` puts it all together for one run, and `traffic` counts the requests.
"""
