"""The audit by mail: one report as HTML and as plain text, small enough that no mail program clips it."""
