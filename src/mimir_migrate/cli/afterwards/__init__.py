"""What comes after a run, or on another machine: clean, replay, going back, copies."""
