"""bkp-run watch: what has changed since people were last told, and telling them."""
