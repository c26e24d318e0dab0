"""What people vouch for: the record and its file, what is to be attested, and what still holds."""
