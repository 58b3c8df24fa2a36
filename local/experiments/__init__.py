"""Trainings on this machine, one or many, and what is done with the models that come out."""
