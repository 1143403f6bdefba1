"""Forbidden addresses, and every way that is known to write one past a check."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

FORBIDDEN = (
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1"),
    *("169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "168.63.129.16"),
    *("0.1.2.3", "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.1", "240.0.0.1"),
    *("::1", "fc00::1", "fd00:ec2::254", "fec0::1", "2001:db8::1", "4000::1"),
    *("::127.0.0.1", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:0:7f00:1::"),
)
"""Each can be connected to in the namespace, so that the canary would count it."""

NEVER_CONNECTED = ("0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "fe80::1")  # noqa: S104 - asked, not bound to
"""The system leads these elsewhere, or nowhere."""

HOSTS = (
    # Of loopback: fewer parts, decimal, hexadecimal, octal, zeros before, dots behind.
    *("127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.1", "0x7f.0.0.0x1", "0177.0.0.1"),
    *("017700000001", "0177.1", "127.000.000.001", "00000000000177.0.0.1", "127.0.0.1."),
    *("127.0.0.1..", "0", "00", "0x0", "0.0.0.0.", "4294967295", "6425673729"),
    # Other dots and other digits, percent-encoded, names of the machine itself.
    *("127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127.0.0.1。"),
    *("%31%32%37.0.0.1", "127%2e0%2e0%2e1", "127.0.0.1%00.public.example", "127.0.0.1%20"),
    *("localhost", "LOCALHOST", "localhost.", "ｌｏｃａｌｈｏｓｔ", "lo\u00adcalhost"),
    # Of the metadata service of clouds.
    *("2852039166", "0xa9fea9fe", "0xA9.0xFE.0xA9.0xFE", "0251.0376.0251.0376", "0251.254.169.254"),
    *("169.254.43518", "169.16689662", "7147006462", "169。254。169。254", "425.510.425.510"),
    # IPv6: whole, mapped, with a zone, with what belongs to IPv4 only.
    *("[0:0:0:0:0:0:0:1]", "[::0001]", "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "[::ffff:7f00:1]"),
    *("[0:0:0:0:0:ffff:7f00:1]", "[::ffff:a9fe:a9fe]", "[::ffff:169.254.169.254]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::169.254.169.254]", "[::1%25lo]", "[::1%lo]", "[::1%251]"),
    *("[fe80::1%25lo]", "[fe80::1%lo]", "[::ffff:0x7f.1]", "[127.0.0.1]", "[::1].", "[[::1]]"),
)

URLS = (
    # Who is asked, and as whom: a user before the host, and what two readers cut in two ways.
    "http://public.example@127.0.0.1/",
    "http://public.example:80@127.0.0.1/",
    "http://public.example%40127.0.0.1/",
    "http://public.example@@127.0.0.1/",
    "http://public.example\\@127.0.0.1/",
    "http://127.0.0.1\\@public.example/",
    "http://127.0.0.1\\.public.example/",
    "http://127.0.0.1;public.example/",
    "http://127.0.0.1,public.example/",
    "http://127.0.0.1 public.example/",
    "http://127.0.0.1#@public.example/",
    "http://127.0.0.1?@public.example/",
    "http://127.0.0.1/@public.example",
    "http://127.0.0.1&@public.example/",
    "http://127.0.0.1/\r\nHost: public.example",
    "http://public.example\r\nHost: 127.0.0.1/",
    # Slashes and spaces that browsers put right.
    *("http:\\\\127.0.0.1/", "http:/127.0.0.1/", "http:127.0.0.1/", "http:///127.0.0.1/"),
    *("//127.0.0.1/", "127.0.0.1/", " http://127.0.0.1/", "http://127.0.0.1/ ", "\thttp://127.1/"),
    *(
        "ht\ntp://127.0.0.1/",
        "http://\t127.0.0.1/",
        "http://127.0.0.1\t/",
        "http://127\u200b.0.0.1/",
    ),
    *("HTTP://127.0.0.1/", "hTTp://LOCALHOST/", "http;//127.0.0.1/", "url:http://127.0.0.1/"),
    # Ports.
    *(
        "http://127.0.0.1:/",
        "http://127.0.0.1:080/",
        "http://127.0.0.1:80:80/",
        "http://127.1:8080/",
    ),
    *("http://127.0.0.1:00000080/", "http://127.0.0.1:-80/", "http://127.0.0.1:８０/"),
    *("https://127.0.0.1/", "https://[::1]/", "http://[::1]:6379/", "http://127.0.0.1:443/"),
    *(
        "http://public.example:80.80/",
        "http://public.example:99999/",
        "http://public.example:80:80/",
    ),
    # Other ways to ask for something.
    *(
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "ftp://127.0.0.1/",
        "dict://127.0.0.1:80/",
    ),
    *(
        "gopher://127.0.0.1:6379/_INFO",
        "redis://127.0.0.1:6379/0",
        "ldap://127.0.0.1/",
        "ws://127.1/",
    ),
    *("http+unix://%2Frun%2Fredis.sock/", "jar:http://127.0.0.1!/", "blob:http://127.0.0.1/"),
    *(
        "data:text/html,<script>",
        "javascript:fetch('http://127.0.0.1')",
        "view-source:http://127.1/",
    ),
)

AT_OTHER_PORTS = (
    *("http://public.example:22/", "http://public.example:25/", "http://public.example:6379/"),
    *(
        "http://93.184.216.34:9200/",
        "https://public.example:8080/",
        "https://[2606:4700::1111]:22/",
    ),
)

CUT_IN_TWO_WAYS = (
    *("six.example\\.museum.example", "six.example%2f.museum.example"),
    *(
        "six.example%5c.museum.example",
        "six.example;.museum.example",
        "six.example .museum.example",
    ),
)
"""Their end is a host that an operator lets pass, and one reader stops before it."""
OF_THE_PUBLIC_NAME = (
    *(
        "public.example。",
        "ｐublic.example",
        "PUBLIC.Example..",
        "public。example",
        "pub\u00adlic.example",
    ),
    "public.example．",
)
OF_THE_PUBLIC_ADDRESS = (
    *("0x5db8d822", "1572395042", "93.184.55330", "0135.0270.0330.042", "93.184.216.34."),
    *("９３.184.216.34", "[::ffff:93.184.216.34]", "[0:0:0:0:0:FFFF:5DB8:D822]"),
)


def literal(address: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address
