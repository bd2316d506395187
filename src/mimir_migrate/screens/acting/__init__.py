"""What keys of several screens do: copy, roll back, and say as a command what they did."""
