"""From inputs to outcomes: recipe, plan, jobs, the pool that runs them, and the rows that say what happened."""
