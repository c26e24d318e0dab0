"""What a live server needs so that a backup server can pull from it, and do nothing else there.

`gate` is the program that is copied to the live server, `account` what is to be set up there around it.
"""
