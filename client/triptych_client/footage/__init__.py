"""Long footage: cut into windows that a server takes, sent a few at a time, and stitched to one answer.

Nothing of the film is held but the windows that are on their way. Needs PyAV, the extra `footage`.
"""
