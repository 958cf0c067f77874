"""The system about itself: health, state, invariants, and what operators may change."""
