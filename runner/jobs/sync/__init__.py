"""sync: pull datasets of a live server by syncoid, and measure how far the replica is behind."""

DISCARD = "discard_partial"
TEST_GATE = "test_gate"
