"""Everything that serving needs, in one folder that is carried to a host without a network: `triptych bundle`.

`pack` puts it together, `wheels` fetches the packages, `requirements` sees that none is missing, `archive` writes one
archive in parts; `install`, which is copied beside the parts, is what runs on that host.
"""
