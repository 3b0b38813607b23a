import assert from "node:assert/strict";
import { test } from "node:test";
import { isDialable, localAddresses } from "../../../net/direct/local-addresses.ts";

/** What lies there, and addresses of it that another side might name. */
const refused: readonly [string, ...string[]][] = [
  [
    "this machine",
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
  ],
  ["whatever listens here", "0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "::127.0.0.1"],
  ["the local link", "169.254.1.1", "fe80::1", "febf:ffff::1", "::ffff:169.254.1.1", "fec0::1"],
  ["credentials of a cloud", "169.254.169.254", "::ffff:a9fe:a9fe", "fd00:ec2::254", "fd00:0ec2:0:0::254"],
  ["credentials elsewhere", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd20:ce::254"],
  ["groups", "224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
  ["all, and what is reserved", "255.255.255.255", "240.0.0.1", "::ffff:255.255.255.255"],
  [
    "loopback behind NAT64",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
  ],
  ["loopback behind 6to4", "2002:7f00:1::1", "2002:a9fe:a9fe::1"],
  ["loopback behind Teredo", "2001::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"],
  ["loopback behind SIIT", "::ffff:0:127.0.0.1"],
];

for (const [what, ...addresses] of refused)
  test(`an address of ${what} is not dialled for somebody else`, () => {
    for (const address of addresses) assert.equal(isDialable(address), false, address);
  });

test("addresses of other machines are dialled, public ones and those of local networks", () => {
  const others = [
    "192.0.2.7",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.2",
    "100.64.0.1",
    "203.0.113.9",
    "223.255.255.1",
  ];
  const others6 = [
    "2001:db8::1",
    "2600:1f18::1",
    "fd12:3456::1",
    "fd00:ec3::1",
    "2001:1::1",
    "::ffff:192.168.1.2",
  ];
  for (const address of [...others, ...others6]) assert.equal(isDialable(address), true, address);
});

test("this machine alone is made an exception of", () => {
  for (const address of ["127.0.0.1", "::1"]) assert.equal(isDialable(address, true), true, address);
  for (const address of ["0.0.0.0", "169.254.169.254", "64:ff9b::127.0.0.1", "fd00:ec2::254"])
    assert.equal(isDialable(address, true), false, address);
});

test("what is not dialled for others is not offered to them", () => {
  const entry = (address: string) => ({ address, netmask: "", mac: "", internal: false, cidr: null });
  const interfaces = () => ({
    lo: [{ ...entry("127.0.0.1"), family: "IPv4" as const }],
    eth0: [
      { ...entry("192.0.2.7"), family: "IPv4" as const },
      { ...entry("2001:db8::7"), family: "IPv6" as const, scopeid: 0 },
      { ...entry("fe80::7"), family: "IPv6" as const, scopeid: 2 },
    ],
  });
  assert.deepEqual(localAddresses({ interfaces }), { ipv4: ["192.0.2.7"], ipv6: ["2001:db8::7"] });
});
