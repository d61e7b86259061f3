"""The Atoms API: `transport` (one attempt), `gate` (whose turn it is), `retry`, `atoms` (the endpoints)."""
