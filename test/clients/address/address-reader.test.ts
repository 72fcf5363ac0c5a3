import t from 'tap'
import { AddressReader, canonicalizeAddress } from '../../../lib/clients/address/address-reader.js'
import { limitedApp, remainders, statuses } from '../../fixtures/app.js'

const from = (remoteAddress: string) => ({ url: '/', remoteAddress })

const spellings: ReadonlyArray<readonly [text: string, subnet: number, canonical: string | null, why: string]> = [
  ['1.2.3.4', 56, '1.2.3.4', 'an IPv4 address is itself'],
  ['::ffff:1.2.3.4', 56, '1.2.3.4', 'mapped, dotted'],
  ['::ffff:102:304', 56, '1.2.3.4', 'mapped, hexadecimal'],
  ['::FFFF:0102:0304', 56, '1.2.3.4', 'mapped, another spelling'],
  ['0:0:0:0:0:ffff:1.2.3.4', 56, '1.2.3.4', 'mapped, written out'],
  ['::ffff:1.2.3.4%eth0', 56, '1.2.3.4', 'mapped, with a zone'],
  ['::1.2.3.4', 128, '::102:304', 'the old form without the mark of a mapped address is IPv6'],
  ['64:ff9b::1.2.3.4', 128, '64:ff9b::102:304', 'an embedded IPv4 address is part of this one'],
  ['2001:db8:0:abcd::1', 56, '2001:db8:0:ab00::/56', 'grouped by subnet'],
  ['2001:0DB8:0000:ABFF:ffff::1', 56, '2001:db8:0:ab00::/56', 'the same subnet in another spelling'],
  ['2001:db8::1', 64, '2001:db8::/64', 'another subnet size'],
  ['2001:db8::1', 128, '2001:db8::1', 'each address by itself'],
  ['2001:db8::1', 1, '::/1', 'the largest subnet'],
  ['2001:db8:8000::1', 33, '2001:db8:8000::/33', 'a subnet that ends inside a group'],
  ['fe80::1%eth0', 56, 'fe80::/56', 'a zone tells no clients apart'],
  ['::1', 56, '::/56', 'loopback'],
  ['', 56, null, 'nothing'],
  ['garbage', 56, null, 'no address'],
  ['1.2.3', 56, null, 'too short'],
  ['127.1', 56, null, 'an old spelling'],
  ['0177.0.0.1', 56, null, 'octal'],
  ['1.2.3.4:80', 56, null, 'with a port'],
  ['[::1]', 56, null, 'with brackets'],
  [' 1.2.3.4', 56, null, 'with a space'],
  ['2001:db8::1/64', 56, null, 'a subnet is no address']
]
for (const [text, subnet, canonical, why] of spellings) {
  t.test(`"${text}" by /${subnet} is ${canonical} (${why})`, async (t) => {
    t.equal(canonicalizeAddress(text, subnet), canonical)
  })
}

t.test('addresses of one /56 share a bucket, and others do not', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  t.strictSame(await remainders(app, from('2001:db8:0:ab00::1'), from('2001:db8:0:abff:1::2'), from('2001:db8:0:ac00::1')), [4, 3, 4])
})

t.test('ipv6Subnet decides which addresses share a bucket', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute', ipv6Subnet: 64 })
  t.strictSame(await remainders(app, from('2001:db8:0:1::1'), from('2001:db8:0:1::2'), from('2001:db8:0:2::1')), [4, 3, 4])
})

t.test('an IPv4 address and its mapped spellings share a bucket', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  t.strictSame(await remainders(app, from('1.2.3.4'), from('::ffff:1.2.3.4'), from('::ffff:102:304'), from('::ffff:1.2.3.5')), [4, 3, 2, 4])
})

t.test('whatever is no address is one client, and limited', async (t) => {
  const { app } = await limitedApp(t, { max: 4, timeWindow: '1 minute' })
  t.strictSame(await statuses(app, 1, from('garbage')), [200])
  t.strictSame(await remainders(app, from('also garbage'), from('x'.repeat(10_000)), from('1.2.3.4.5'), from('\u{1f600}')), [2, 1, 0, 0])
  t.strictSame(await statuses(app, 1, from('more garbage')), [429])
})

t.test('a request without an address is limited', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  const reader = new AddressReader(56)
  t.equal(reader.toClient(undefined).partition, 'ip:unknown')
  t.equal(reader.toClient('').partition, 'ip:unknown')
  t.strictSame(await statuses(app, 3, from('')), [200, 200, 429])
})

t.test('what is remembered of addresses is bounded, and right after it was forgotten', async (t) => {
  const reader = new AddressReader(128)
  for (let i = 0; i < 100_000; i++) reader.toClient(`garbage ${i}`)
  const first = reader.toClient('2001:db8::1')
  for (let i = 0; i < 20_000; i++) reader.toClient(`2001:db9:${i.toString(16)}::`)
  t.equal(reader.toClient('2001:db8::1'), first, 'one generation later it is still known')
  for (let i = 0; i < 40_000; i++) reader.toClient(`2001:dba:${i.toString(16)}::`)
  t.not(reader.toClient('2001:db8::1'), first)
  t.strictSame(reader.toClient('2001:db8::1'), first)
})
