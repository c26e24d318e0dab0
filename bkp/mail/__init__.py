"""Mail: composed, kept in the outbox before anything can go wrong, and sent in order.

`compose` makes a message, `post` sends it or keeps it, `outbox` is the folder of what waits. All mail goes this way.
"""
