"""The server as an address: whether it is on this machine, and which proxy stands before it."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from triptych_client.errors import InvalidRequest

DEFAULT_URL = "localhost:8001"

_LISTS = re.compile(r"(ipv[46]|dns|unix(-abstract)?):")
_UNIX = re.compile(r"unix(-abstract)?:")
_HOST = re.compile(r"(?:dns:(?://[^/]*/)?|ipv[46]:)?(?:\[([^\]]*)\]|([^:/,]*))")
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
_NO_PROXY = ("no_grpc_proxy", "no_proxy")


@dataclass(frozen=True)
class Peer:
    """Whom a connection talks to, and how. `url` is a gRPC target: host:port, [IPv6]:port, or unix:PATH.

    Of several with commas between, the first speaks for all.
    """

    url: str
    secure: bool = False
    """By TLS."""
    has_certificate: bool = False
    """The client shows one of its own."""
    has_token: bool = False

    @property
    def host(self) -> str:
        """The host's name or address; empty for a Unix socket."""
        found = None if _UNIX.match(self.url) else _HOST.match(self.url)
        return (found[1] or found[2] or "") if found else ""

    @property
    def local(self) -> bool:
        """Nothing leaves this machine: a Unix socket, localhost or an address of the loopback."""
        if _UNIX.match(self.url) or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def proxy(self) -> str | None:
        """The proxy that gRPC goes through, as host:port without its password; None when the server is asked directly.

        It comes from the environment, by gRPC's rules (doc/environment_variables.md of gRPC): names in lower case,
        HTTP proxies only.
        """
        found = urlsplit(_first_set(_PROXIES))
        if self.local or found.scheme != "http" or _bypassed(self.host, _first_set(_NO_PROXY)):
            return None
        return found.netloc.rpartition("@")[2]


def several(url: str, secure: bool) -> str:
    """Return the target for gRPC: `url`, or the addresses of all its hosts where there are commas between.

    gRPC takes addresses in a list, no names, so that names are looked up here, once. InvalidRequest for one that is
    not found, for addresses of both kinds, and with TLS, whose certificates are for one name.
    """
    if "," not in url or _LISTS.match(url):
        return url
    if secure:
        raise InvalidRequest(
            f"with TLS several servers need one name, which their certificates are for (dns:///NAME:PORT), not {url}"
        )
    found = [_address(part.strip()) for part in url.split(",")]
    kinds = {kind for kind, _ in found}
    if len(kinds) > 1:
        raise InvalidRequest(f"some of {url} have IPv4 addresses and others IPv6; gRPC takes turns within one kind")
    return f"{kinds.pop()}:{','.join(address for _, address in found)}"


def _address(server: str) -> tuple[str, str]:
    """Return ipv4 or ipv6, and the address with port, of a server host:port or [address]:port."""
    host, _, port = server.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{server!r} is no server's host:port that can be found ({error})") from None
    kind, *_, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return ("ipv4", f"{address[0]}:{port}") if kind == socket.AF_INET else ("ipv6", f"[{address[0]}]:{port}")


def _first_set(names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")


def _bypassed(host: str, no_proxy: str) -> bool:
    """Tell whether a list of endings of host names and of networks has the host."""
    return any(_covers(part.strip().lower(), host.lower()) for part in no_proxy.split(","))


def _covers(part: str, host: str) -> bool:
    if "/" not in part:
        return bool(part) and host.endswith(part)
    try:
        return ip_address(host) in ip_network(part, strict=False)
    except ValueError:
        return False
