"""What several verbs share: their options, their steps, and the progress that they show."""
