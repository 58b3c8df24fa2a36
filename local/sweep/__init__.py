"""The search for a training's parameters: a study of trials, and who trains them."""
