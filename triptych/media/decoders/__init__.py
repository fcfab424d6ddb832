"""Where a clip is decoded: in a process of its own, which may crash, and may do little else.

Media are strangers' files, and the libraries that read them are large. So the steps `media_probe`, `video_decode` and
`audio_decode` do not read a file themselves: each hands it to a *decoder* (`worker`), a process without files, sockets
or programs of its own (`sandbox`) and with bounded memory and time (`bounds`), which decodes some clips, one after the
other, and ends with the first that has a flaw. A *nursery* forks decoders; one is always ready before it is needed
(`pool`). The clip goes there, and pictures and sound come back, in sealed memory without a name (`memory`); what else
is said are small messages that are checked (`messages`). `steps` has the functions that the steps call, with the
results of `probe`, `video` and `audio`.
"""
