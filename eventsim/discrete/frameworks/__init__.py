"""Step rules of training frameworks from the parameters of their neurons.

Each framework has a file of plain functions, one for each class of neurons; none of them needs
the framework or torch.
"""
