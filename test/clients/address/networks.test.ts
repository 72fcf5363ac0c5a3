import t from 'tap'
import fc from 'fast-check'
import { createNetworks } from '../../../lib/clients/address/networks.js'
import { assertProperty } from '../../fixtures/property.js'

/** The bits of an address from its groups, and a text for it. */
interface Address {
  readonly family: 4 | 6
  readonly bits: string
}

const bitsOf = (length: number) => fc.array(fc.constantFrom('0', '1'), { minLength: length, maxLength: length }).map((digits) => digits.join(''))
const address: fc.Arbitrary<Address> = fc.oneof(
  bitsOf(32).map((bits) => ({ family: 4 as const, bits })),
  bitsOf(128).map((bits) => ({ family: 6 as const, bits }))
)
const network = address.chain(({ family, bits }) => fc.integer({ min: 0, max: bits.length }).map((length) => ({ family, bits, length })))

function textOf ({ family, bits }: Address): string {
  const size = family === 4 ? 8 : 16
  const numbers = Array.from({ length: bits.length / size }, (_, index) => parseInt(bits.slice(index * size, (index + 1) * size), 2))
  return family === 4 ? numbers.join('.') : numbers.map((group) => group.toString(16)).join(':')
}

const MAPPED = '0'.repeat(80) + '1'.repeat(16)

t.test('a set of networks holds what a comparison bit by bit finds, and nothing else', async () => {
  const examples = fc.tuple(fc.array(network, { maxLength: 40 }), address, fc.integer({ min: 0, max: 39 }), fc.integer({ min: 0, max: 128 }), fc.boolean())
  assertProperty(examples, 5000, ([list, stranger, index, kept, isMapped]) => {
    const set = createNetworks(list.map((one) => `${textOf(one)}/${one.length}`), 'ips')
    // Half of the look-ups are near one of the networks: what they have in common ends somewhere about its prefix.
    const near = list[index]
    const asked = near === undefined ? stranger : { family: near.family, bits: near.bits.slice(0, kept) + stranger.bits.repeat(4).slice(0, near.bits.length).slice(kept) }
    const isExpected = list.some(({ family, bits, length }) => family === asked.family && bits.slice(0, length) === asked.bits.slice(0, length))
    const text = isMapped && asked.family === 4 ? textOf({ family: 6, bits: MAPPED + asked.bits }) : textOf(asked)
    if (set.has(text) !== isExpected) throw new Error(`${text} in ${list.map((one) => `${textOf(one)}/${one.length}`)}: not ${isExpected}`)
  })
})

t.test('ten thousand networks hold their first and last address, and not those beside them', async (t) => {
  const list: string[] = []
  for (let i = 0; i < 5000; i++) list.push(`10.${i >> 7}.${(i & 127) * 2}.0/24`, `2001:db8:${(i * 2).toString(16)}::/48`)
  const set = createNetworks(list, 'ips')
  for (let i = 0; i < 5000; i++) {
    const ipv4 = `10.${i >> 7}.${(i & 127) * 2}`
    const ipv6 = `2001:db8:${(i * 2).toString(16)}`
    if (!set.has(`${ipv4}.0`) || !set.has(`${ipv4}.255`) || !set.has(`${ipv6}::`) || !set.has(`${ipv6}:ffff:ffff:ffff:ffff:ffff`)) t.fail(list[i * 2])
    if (set.has(`10.${i >> 7}.${(i & 127) * 2 + 1}.0`) || set.has(`2001:db8:${(i * 2 + 1).toString(16)}::`)) t.fail(list[i * 2])
  }
  t.notOk(set.has('9.255.255.255'))
  t.notOk(set.has('::'))
  t.notOk(set.has('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'))
})

const rows: ReadonlyArray<readonly [list: string[], inside: string[], outside: string[], why: string]> = [
  [['10.0.0.0/8', '10.1.0.0/16', '10.0.0.0/24'], ['10.0.0.1', '10.1.2.3', '10.255.0.0'], ['11.0.0.0'], 'networks within each other'],
  [['203.0.113.9', '203.0.113.9/32', '203.0.113.9'], ['203.0.113.9'], ['203.0.113.8', '203.0.113.10'], 'one address three times'],
  [['128.0.0.0/1'], ['128.0.0.0', '255.255.255.255'], ['127.255.255.255', '0.0.0.0'], 'the upper half'],
  [['fe80::1%eth0'], ['fe80::1', 'fe80::1%eth1'], ['fe80::2'], 'a zone in the list tells nothing'],
  [['fe80::%lo/64'], ['fe80::abcd%eth1'], ['fe80:0:0:1::'], 'a zone in a CIDR neither'],
  [['::ffff:203.0.113.9'], ['203.0.113.9', '::ffff:cb00:7109', '::ffff:203.0.113.9%eth0'], ['203.0.113.8'], 'a mapped address is IPv4'],
  [['::ffff:0:0/96'], ['1.2.3.4'], ['::1'], 'all of IPv4, as mapped addresses'],
  [['::ffff:0:0/95'], ['::fffe:1.2.3.4'], ['1.2.3.4', '::ffff:1.2.3.4'], 'a prefix that spans IPv6 means that'],
  [['::10.0.0.0/104'], ['::10.1.1.1'], ['10.1.1.1', '::ffff:10.1.1.1'], 'the old compatible form is not IPv4'],
  [['64:ff9b::/96'], ['64:ff9b::1.2.3.4'], ['1.2.3.4'], 'a translated address is not the address']
]
for (const [list, inside, outside, why] of rows) {
  t.test(`[${list.join(', ')}]: ${why}`, async (t) => {
    const networks = createNetworks(list, 'ips')
    for (const text of inside) t.ok(networks.has(text), text)
    for (const text of outside) t.notOk(networks.has(text), text)
  })
}

t.test('a word of the option is no network, and is named where another is refused', async (t) => {
  t.notOk(createNetworks(['unix'], 'trustedProxies', ['unix']).has('unix'))
  t.throws(() => createNetworks(['unix', '10.0.0.0/08'], 'trustedProxies', ['unix']), {
    message: 'trustedProxies[1]: expected an address or a CIDR such as "10.0.0.0/8", "loopback", "private" or "unix", got "10.0.0.0/08"'
  })
  t.throws(() => createNetworks(['unix'], 'ips'), { code: 'FST_SLUICE_BAD_OPTION' })
})
