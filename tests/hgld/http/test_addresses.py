import pytest

from hgld.http.addresses import kind_of


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        ("public", "8.8.8.8 2620:0:861:ed1a::1 ::ffff:8.8.8.8 64:ff9b::808:808"),
        ("loopback", "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1"),
        ("loopback", "2002:7f00:1:: 2001:0:4136:e378:8000:63bf:80ff:fffe"),
        ("link-local", "169.254.169.254 ::ffff:169.254.169.254 fe80::1 fe80::1%eth0"),
        ("private", "10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 0.1.2.3 240.0.0.1"),
        ("private", "fd00::1 fd00:ec2::254 fec0::1 ::ffff:10.0.0.1 198.18.0.1 255.255.255.255"),
        ("multicast", "224.0.0.1 239.255.255.250 ff02::1"),
        ("unspecified", "0.0.0.0 :: ::ffff:0.0.0.0"),
    ],
)
def test_the_kind_of_an_address_is_that_of_what_it_reaches(kind: str, addresses: str) -> None:
    assert {address: kind_of(address) for address in addresses.split()} == dict.fromkeys(
        addresses.split(), kind
    )
