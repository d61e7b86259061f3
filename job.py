#!/usr/bin/env python3
"""Discard listed drafts of Atoms agents: `python job.py --help`. Cron and the image run this file."""

from cleanup.__main__ import main

if __name__ == "__main__":
    main()
