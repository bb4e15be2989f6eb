"""Studies of what eventsim and the coarse model promise: one claim each, one file each.

``python -m validation --list`` names them, ``python -m validation run NAME`` runs one. Numbers
and thresholds decide whether a claim holds; figures are for the reader.
"""
