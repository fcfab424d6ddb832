"""Fuzzing of what reads strangers' media: seeds, mutations, bombs, and a runner that counts outcomes.

An input is named by its seed file, its kind of mutation and a number, as in `mp4-h264-aac.mp4/boxes/137`: the name
alone makes the same bytes again. `bytewise`, `tree`, `mp4` and `matroska` are pure functions of bytes and a generator.
"""
