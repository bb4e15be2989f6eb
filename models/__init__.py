"""Reference networks and their training with the coarse model (PyTorch).

Part of the repository, not of the installed package. Networks are trained with
``python -m models.train NAME`` and written as eventsim network files by :mod:`models.export`.
"""
