"""What ``make bench`` runs: each module measures one thing and prints a Markdown table."""
