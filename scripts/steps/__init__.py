"""What several verbs share: their options, their steps, and what they show on the way."""
