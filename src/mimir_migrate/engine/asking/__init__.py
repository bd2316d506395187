"""How a runner asks, is asked, and holds: requests, questions, holds."""
