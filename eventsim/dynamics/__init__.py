"""Neuron and synapse models: one file for each, with its equation, advance and next crossing."""
