"""Attesting by command: what is given is compared with what is in use, and only what it proves is written."""
