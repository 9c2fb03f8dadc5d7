"""Which addresses a name may lead to.

Whoever answers for a name can let it lead anywhere: to this machine, to the metadata service of a
cloud (169.254.169.254), to a printer next door. So a name is resolved once for a connection, what
it leads to is checked, and what was checked is what is connected to (`hgld.http.connections`).
"""

import ipaddress
import socket
from dataclasses import dataclass, field

from urllib3.util.connection import allowed_gai_family

_PUBLIC = "public"
# IPv6 networks whose last 32 bits are an IPv4 address: the old "compatible" ones, and NAT64.
_EMBEDDING = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b::/96"))


class ForbiddenAddressError(OSError):
    """A name leads to an address that it must not lead to."""


def kind_of(address: str) -> str:
    """Returns what an IP address is: public, loopback, link-local, private, multicast, unspecified.

    An IPv6 address that stands for an IPv4 address is what that one is.

    Example:
        >>> [kind_of(one) for one in ("198.35.26.96", "::ffff:127.0.0.1", "169.254.169.254")]
        ['public', 'loopback', 'link-local']
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.is_loopback:
        return "loopback"
    if ip.is_unspecified:
        return "unspecified"
    is_site_local = False
    if isinstance(ip, ipaddress.IPv6Address):
        if inner := _embedded_ipv4(ip):
            return kind_of(str(inner))
        is_site_local = ip.is_site_local
    if ip.is_link_local:
        return "link-local"
    if ip.is_multicast:
        return "multicast"
    return _PUBLIC if ip.is_global and not is_site_local else "private"


def _embedded_ipv4(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Returns the IPv4 address that an IPv6 address stands for, if any."""
    if any(ip in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


@dataclass(slots=True)
class AddressRule:
    """Where the hosts of one session may be.

    A host whose name has led to a public address never leads to another kind later. One that led
    only to others when it was first asked for is a server of one's own, such as a lab on this
    machine, and stays at addresses of that kind.
    """

    public_hosts: frozenset[str] = frozenset()
    """Hosts that must be public from the first time on."""
    _kinds: dict[str, frozenset[str]] = field(default_factory=dict, init=False)

    def permitted(self, host: str, port: int) -> list[str]:
        """Resolves a name and returns the addresses that it may be reached at, best first.

        Raises:
            ForbiddenAddressError: there is none.
            socket.gaierror: there is no such name.
        """
        name = host.rstrip(".").lower()
        family = allowed_gai_family()  # no IPv6 on a machine that has none
        found = socket.getaddrinfo(host.strip("[]"), port, family, socket.SOCK_STREAM)
        kinds = {str(address[0]): kind_of(str(address[0])) for *_, address in found}
        is_public = _PUBLIC in kinds.values() or name in self.public_hosts
        first = frozenset({_PUBLIC} if is_public else kinds.values())
        wanted = self._kinds.setdefault(name, first)
        addresses = [address for address, kind in kinds.items() if kind in wanted]
        if not addresses:
            address, kind = next(iter(kinds.items()))
            raise ForbiddenAddressError(
                f"{name} leads to {address}, which is {kind}, but must be "
                f"{' or '.join(sorted(wanted))}"
            )
        return addresses
