import { isIPv6 } from 'node:net'
import t from 'tap'
import fc from 'fast-check'
import { canonicalizeAddress } from '../../../lib/clients/address/address-reader.js'
import { formatPlainSubnet } from '../../../lib/clients/address/ipv6.js'
import { assertProperty } from '../../fixtures/property.js'

/** Texts of addresses in every spelling, and texts that are nearly one. */
const group = fc.oneof(fc.constant('0'), fc.constant('0000'), fc.stringMatching(/^[0-9a-fA-F]{1,4}$/))
const spelled = fc.tuple(fc.array(group, { maxLength: 9 }), fc.array(group, { maxLength: 9 }), fc.boolean())
  .map(([head, tail, isCut]) => isCut ? `${head.join(':')}::${tail.join(':')}` : [...head, ...tail].join(':'))
const broken = fc.stringMatching(/^[0-9a-fg:.%]{0,24}$/)

t.test('a subnet read in one pass is that of the general parser, for every address and none other', async () => {
  assertProperty(fc.tuple(fc.oneof(fc.ipV6(), spelled, broken), fc.integer({ min: 1, max: 64 })), 20_000, ([text, bits]) => {
    const plain = formatPlainSubnet(text, bits)
    if (plain === null) return
    if (!isIPv6(text)) throw new Error(`${text} is no address`)
    if (plain !== canonicalizeAddress(text, bits)) throw new Error(`${text}/${bits}: ${plain}, not ${String(canonicalizeAddress(text, bits))}`)
  })
})

t.test('every address of plain groups is read in one pass, but a mapped one', async () => {
  assertProperty(spelled, 20_000, (text) => {
    const address = canonicalizeAddress(text, 56)
    const isPlain = address !== null && address.includes(':')
    if ((formatPlainSubnet(text, 56) !== null) !== isPlain) throw new Error(text)
  })
})

t.test('what needs the general parser is left to it', async (t) => {
  for (const text of ['::ffff:1.2.3.4', '::ffff:102:304', 'fe80::1%eth0', '64:ff9b::1.2.3.4', '', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::', '::g', '1:', ':1']) {
    t.equal(formatPlainSubnet(text, 56), null, text)
  }
})
