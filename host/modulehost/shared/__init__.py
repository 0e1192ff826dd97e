"""What the processes exchange, and what all of them use."""
